package units

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// GeneratorFolder is where systemd lets generators write (systemd.generator(7)): what lies there is what the last
// daemon-reload has loaded.
const GeneratorFolder = "/run/systemd/generator"

// Loaded returns the lines of a container's generated drop-in, or of the template's if it has none, as the last daemon-reload
// has left it, without [Install].
func Loaded(root fs.FS, machine string) []settings.Statement {
	file := path.Join(GeneratorFolder, DropIn(machine))
	data, err := fs.ReadFile(root, file[1:])
	if err != nil {
		file = path.Join(GeneratorFolder, DropIn(""))
		data, err = fs.ReadFile(root, file[1:])
	}
	if err != nil {
		return nil // there was no .nspawn file
	}
	statements, _, _ := settings.Statements(file, data)
	return statements
}

// Recorded returns lines of a unit as nspawn-exec keeps them.
func Recorded(lines []settings.Statement) []settings.RecordLine {
	recorded := make([]settings.RecordLine, 0, len(lines))
	for _, l := range lines {
		recorded = append(recorded, settings.RecordLine{Key: l.Section + "." + l.Key, Value: l.Value, File: l.Origin.File, Line: l.Origin.Line})
	}
	return recorded
}

// Links is what the links of the generator folder say, by machine.
type Links map[string][]settings.Statement

// LoadedLinks returns the lines of [Install] for which there are links, as the last daemon-reload has left them, and the
// names of all machines that have a drop-in or a link.
func LoadedLinks(root fs.FS) (links Links, machines []string) {
	links = Links{}
	found := map[string]bool{}
	add := func(machine, link string) {
		key, value := InstallLine(link)
		links[machine] = append(links[machine], settings.Statement{Section: "Install", Key: key, Value: value})
		found[machine] = true
	}
	entries, _ := fs.ReadDir(root, GeneratorFolder[1:])
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.Type() == fs.ModeSymlink:
			target, _ := fs.ReadLink(root, path.Join(GeneratorFolder, name)[1:])
			if machine, ok := machineOf(target); ok && strings.HasSuffix(name, "@"+machine+".service") {
				add(machine, name)
			}
		case strings.HasSuffix(name, ".d"):
			machine, ok := machineOf(strings.TrimSuffix(name, ".d"))
			if _, err := fs.Stat(root, path.Join(GeneratorFolder, DropIn(machine))[1:]); ok && err == nil {
				found[machine] = true
			}
		case strings.HasSuffix(name, ".wants"), strings.HasSuffix(name, ".requires"), strings.HasSuffix(name, ".upholds"):
			inside, _ := fs.ReadDir(root, path.Join(GeneratorFolder, name)[1:])
			for _, link := range inside {
				if machine, ok := machineOf(link.Name()); ok {
					add(machine, path.Join(name, link.Name()))
				}
			}
		}
	}
	for machine := range found {
		machines = append(machines, machine)
	}
	slices.Sort(machines)
	return links, machines
}

// machineOf returns the machine of a unit's name.
func machineOf(unit string) (machine string, ok bool) {
	machine, isUnit := strings.CutPrefix(unit, "systemd-nspawn@")
	machine, isService := strings.CutSuffix(machine, ".service")
	return machine, isUnit && isService && settings.ValidMachineName(machine)
}

// NotInForce warns of the first line of [Unit] or [Service] that the container does without: systemd has not loaded it for the
// unit, or the container is not started in its unit at all.
func NotInForce(c Container, root fs.FS, inUnit bool) []settings.Problem {
	var loaded []settings.Statement
	why := "it counts in " + ServiceName(c.Name) + " only"
	if inUnit {
		loaded = Loaded(root, c.Name)
		why = "systemd has not loaded it: systemctl daemon-reload"
		if c.Source == "" {
			why = "the container needs a .nspawn file of its own for that, an empty one does"
		}
	}
	g := generate(c, Host{Root: root})
	for _, line := range slices.Concat(g.unit.lines, g.service.lines) {
		isLoaded := slices.ContainsFunc(loaded, func(l settings.Statement) bool {
			return l.Section == line.Section && l.Key == line.Key && l.Value == line.Value
		})
		if line.Origin.Line > 0 && !isLoaded {
			return []settings.Problem{{Origin: line.Origin, Severity: settings.Warning,
				Text: line.Key + "=" + line.Value + " is not in force, " + why}}
		}
	}
	return nil
}
