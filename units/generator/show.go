package generator

import (
	"io/fs"
	"path"
	"slices"

	"nspawnkit/image"
	"nspawnkit/settings"
	"nspawnkit/units"
)

// Value is one value of a container's settings.
type Value struct {
	Key    string `json:"key"` // "Section.Key"
	Value  string `json:"value"`
	Origin string `json:"origin"` // FILE:LINE, the option of the static unit, "default", or "implied" by other keys
	// SetAgain is the drop-in (FILE:LINE) that sets the key of the unit after the .nspawn file did, and Again its value.
	SetAgain string `json:"setAgain,omitempty"`
	Again    string `json:"again,omitempty"`
}

// Show returns every key with its value, all lines of lists, then the lines of [Unit], [Service] and [Install]; and what is
// wrong with them.
func Show(host Host, name string) ([]Value, []settings.Problem) {
	static := commandLine()
	file, container, problems := load(host, settings.Scan(host.Root), static, name)
	static.Machine = name
	lines := settings.Effective(static, file)
	var values []Value
	keys := settings.Keys()
	for i := range keys {
		values = append(values, valuesOf(&keys[i], lines, container.Settings)...)
	}
	overrides := units.Overrides(host.Root, name)
	for _, section := range []struct {
		name  string
		lines []settings.Assignment
	}{{"Unit", file.Unit}, {"Service", file.Service}, {"Install", file.Install}} {
		for _, line := range section.lines {
			v := Value{Key: section.name + "." + line.Key, Value: line.Value, Origin: line.Origin.String()}
			if by, ok := overrides[v.Key]; ok {
				v.SetAgain, v.Again = by.Origin.String(), by.Value
			}
			values = append(values, v)
		}
	}
	return values, problems
}

// valuesOf returns the values of one key.
func valuesOf(key *settings.Key, lines []settings.Assignment, s *settings.Settings) []Value {
	var values []Value
	for _, line := range lines {
		if line.Key == key.String() {
			values = append(values, Value{Key: line.Key, Value: line.Value, Origin: line.Origin.String()})
		}
	}
	if len(values) > 0 {
		return values
	}
	if value, ok := s.Implied(key.String()); ok {
		return []Value{{Key: key.String(), Value: value, Origin: "implied"}}
	}
	return []Value{{Key: key.String(), Value: key.Default, Origin: settings.Origin{}.String()}}
}

// load reads the settings of a container as nspawn-exec with that command line will at its next start, with all that is
// wrong with them.
func load(host Host, folders *settings.Folders, cmd settings.CommandLine, name string) (*settings.File, units.Container, []settings.Problem) {
	cmd.Machine = name
	if cmd.Directory == "" {
		cmd.Directory = imageOf(host.Root, name)
	}
	file, problems := cmd.LoadFrom(folders)
	cmd.Directory = "" // the template itself waits for the place of images
	container, wrong := combine(cmd, name, file)
	return file, container, unique(slices.Concat(problems, wrong, units.Check(container, host.Root)))
}

// imageOf returns the root directory, disk image or mount stack of a machine with links followed, or nothing: beside it there may be a .nspawn file.
func imageOf(root fs.FS, name string) string {
	found, err := image.Find(root, name)
	if err != nil {
		return ""
	}
	directory := found.Path
	for range 40 {
		info, err := fs.Lstat(root, directory[1:])
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return directory
		}
		target, err := fs.ReadLink(root, directory[1:])
		if err != nil {
			return ""
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(directory), target)
		}
		directory = path.Clean(target)
	}
	return ""
}
