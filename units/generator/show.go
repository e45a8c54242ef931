package generator

import (
	"slices"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// Value is a line that a container's settings are made of.
type Value struct {
	Key    string `json:"key"` // "Section.Key"
	Value  string `json:"value"`
	Origin string `json:"origin"` // FILE:LINE, or the option of the static unit
	// SetAgain is the drop-in (FILE:LINE) that sets the key of the unit after the .nspawn file did.
	SetAgain string `json:"setAgain,omitempty"`
}

// Show returns the lines that the settings of a container are made of, in the order in which they apply, and what is wrong
// with them. Of a key with one value the last line counts.
func Show(host Host, name string) ([]Value, []settings.Problem) {
	folders := settings.Scan(host.Root)
	file, problems := folders.Load(name, "")
	static := commandLine()
	static.Machine = name
	var values []Value
	for _, line := range settings.Effective(static, file) {
		values = append(values, Value{Key: line.Key, Value: line.Value, Origin: line.Origin.String()})
	}
	overrides := units.Overrides(host.Root, name)
	add := func(section string, lines []settings.Assignment) {
		for _, line := range lines {
			v := Value{Key: section + "." + line.Key, Value: line.Value, Origin: line.Origin.String()}
			if by, ok := overrides[v.Key]; ok {
				v.SetAgain = by.String()
			}
			values = append(values, v)
		}
	}
	add("Unit", file.Unit)
	add("Service", file.Service)
	add("Install", file.Install)
	container, wrong := combine(static, name, file)
	return values, unique(slices.Concat(problems, wrong, units.Check(container, host.Root)))
}
