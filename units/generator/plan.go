package generator

import (
	"fmt"
	"io/fs"
	"slices"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// Host is the host that units are made for.
type Host struct {
	Root fs.FS  // its root directory
	Kit  string // absolute path of the folder with our template and machines.target
}

// facts returns what package units must know of the host.
func (h Host) facts() units.Host {
	return units.Host{
		Root:      h.Root,
		Template:  units.FindTemplate(h.Root, h.Kit),
		Specifier: units.SpecifierOf(h.Root),
	}
}

// Plan is what the generator writes.
type Plan struct {
	Normal units.Output // for the first folder of a generator
	Late   units.Output // for the third
}

// Make plans the units of the named containers, or of all that trusted files describe if none is named. What is wrong with
// one container is among the problems and changes nothing for the others.
func Make(host Host, names ...string) (Plan, []settings.Problem) {
	p := newPlanner(host)
	found, problems := p.folders.Containers()
	if len(names) > 0 {
		// What is wrong with the names of other files is not asked for.
		found, problems = named(found, names)
	}
	plan := Plan{Late: units.Late(host.Root, host.Kit)}
	if len(names) == 0 {
		plan.Normal.Append(p.shared)
		problems = append(problems, p.sharedProblems...)
	}
	for _, f := range found {
		output, more := p.plan(f.Name)
		plan.Normal.Append(output)
		problems = append(problems, more...)
	}
	return plan, unique(problems)
}

// planner plans the units of one container after the other, or of several at once.
type planner struct {
	folders *settings.Folders
	facts   units.Host
	static  settings.CommandLine

	shared         units.Output // the template's drop-in, if there are drop-ins for all containers
	sharedProblems []settings.Problem
}

func newPlanner(host Host) planner {
	p := planner{folders: settings.Scan(host.Root), facts: host.facts(), static: commandLine()}
	p.planShared()
	return p
}

// planShared plans the drop-in for containers that no file describes, of which nobody knows which there are.
func (p *planner) planShared() {
	file, problems := p.folders.LoadShared()
	if len(file.DropIns) == 0 {
		return
	}
	container, _ := combine(p.static, "", file)
	output, bad := units.Generate(container, p.facts)
	p.shared, p.sharedProblems = output, slices.Concat(problems, bad)
}

// plan does not read the file beside the image: no hostile file in the boot path, and /var may be missing.
func (p planner) plan(name string) (units.Output, []settings.Problem) {
	file, problems := p.folders.Load(name, "")
	container, wrong := combine(p.static, name, file)
	output, bad := units.Generate(container, p.facts)
	if len(p.shared.Files) > 0 && len(output.Files) > 0 {
		output.Links = append(output.Links, units.WithoutShared(name))
	}
	return output, slices.Concat(problems, wrong, bad)
}

// unique drops repetitions: an unreadable folder is a problem of every container.
func unique(problems []settings.Problem) []settings.Problem {
	seen := make(map[settings.Problem]bool, len(problems))
	return slices.DeleteFunc(problems, func(p settings.Problem) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}

// commandLine returns the command line of the static unit, for any machine.
func commandLine() settings.CommandLine {
	cmd, err := settings.ParseCommandLine(units.Arguments())
	if err != nil {
		panic(fmt.Sprintf("arguments of the static unit: %v", err)) // constant input, tested
	}
	return cmd
}

// combine gives the container the settings that the command line of the static unit and its file have together.
func combine(static settings.CommandLine, name string, file *settings.File) (units.Container, []settings.Problem) {
	static.Machine = name
	combined, problems := settings.Combine(static, file)
	source := file.Path
	if source == "" && len(file.DropIns) > 0 {
		source = file.DropIns[0]
	}
	return units.Container{Name: name, Source: source, Settings: &combined}, problems
}

// named keeps the containers with these names and reports names that no file has.
func named(found []settings.Found, names []string) (kept []settings.Found, problems []settings.Problem) {
	for _, name := range names {
		i := slices.IndexFunc(found, func(f settings.Found) bool { return f.Name == name })
		if i < 0 {
			problems = append(problems, settings.Problem{
				Origin:   settings.Origin{File: name},
				Severity: settings.Error,
				Text:     "no trusted .nspawn file and no drop-in describes this container",
			})
			continue
		}
		kept = append(kept, found[i])
	}
	return kept, problems
}
