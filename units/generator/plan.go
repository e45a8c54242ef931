package generator

import (
	"errors"
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
	folders := settings.Scan(host.Root)
	found, problems := folders.Containers()
	if len(names) > 0 {
		// What is wrong with the names of other files is not asked for.
		found, problems = named(found, names)
	}
	plan := Plan{Late: units.Late(host.Root, host.Kit)}
	facts := host.facts()
	static := commandLine()
	for _, f := range found {
		file, more := folders.Load(f.Name, "") // not the file beside the image: no hostile file in the boot path, and /var may be missing
		container, wrong := combine(static, f.Name, file)
		output, bad := units.Generate(container, facts)
		plan.Normal.Append(output)
		problems = append(problems, slices.Concat(more, wrong, bad)...)
	}
	return plan, unique(problems)
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

// Write writes the plan into the folders normal and late. It returns an error for what could not be written, and whether
// anything could.
func (p Plan) Write(normal, late string) (some bool, err error) {
	n, err := Write(normal, p.Normal)
	l, lateErr := Write(late, p.Late)
	return n+l > 0, errors.Join(err, lateErr)
}
