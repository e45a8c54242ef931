package generator

import (
	"errors"
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
	found, problems := settings.Discover(host.Root)
	if len(names) > 0 {
		// What is wrong with the names of other files is not asked for.
		found, problems = named(found, names)
	}
	plan := Plan{Late: units.Late(host.Root, host.Kit)}
	facts := host.facts()
	for _, f := range found {
		container, more := Load(host.Root, f.Name)
		problems = append(problems, more...)
		output, more := units.Generate(container, facts)
		problems = append(problems, more...)
		plan.Normal.Append(output)
	}
	return plan, problems
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

// Load reads the trusted files of one container. The file beside its image is left to nspawn-exec: no hostile file in the
// boot path, and /var may not be mounted yet.
func Load(root fs.FS, name string) (units.Container, []settings.Problem) {
	file, problems := settings.Load(root, name, "")
	return container(name, file), problems
}

// container makes of a file what package units takes.
func container(name string, file *settings.File) units.Container {
	source := file.Path
	if source == "" && len(file.DropIns) > 0 {
		source = file.DropIns[0]
	}
	return units.Container{
		Name:     name,
		Source:   source,
		Settings: &settings.Settings{Machine: name, Unit: file.Unit, Service: file.Service, Install: file.Install},
	}
}

// Write writes the plan into the folders normal and late. It returns an error for what could not be written, and whether
// anything could.
func (p Plan) Write(normal, late string) (some bool, err error) {
	n, err := Write(normal, p.Normal)
	l, lateErr := Write(late, p.Late)
	return n+l > 0, errors.Join(err, lateErr)
}
