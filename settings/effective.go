package settings

import (
	"reflect"
	"slices"
)

// Effective returns the lines that [Combine] makes the settings of, command line and file (nil: none) together, in the
// order in which they apply: of a key with one value the last, of a list all. Key is "Section.Key".
func Effective(cmd CommandLine, file *File) []Assignment {
	if file == nil || cmd.Settings == SettingsNo {
		file = &File{}
	}
	list := effective(cmd, file)
	var lines []Assignment
	for i, a := range list {
		if !superseded(a, list[i+1:]) {
			lines = append(lines, Assignment{Origin: a.value.origin, Key: a.key.String(), Value: a.value.text})
		}
	}
	return lines
}

// superseded reports whether the lines behind a leave nothing of it: the next of its key alone gives the same.
func superseded(a assignment, behind []assignment) bool {
	i := slices.IndexFunc(behind, func(b assignment) bool { return b.key == a.key })
	if i < 0 {
		return false
	}
	both, one := defaults(), defaults()
	b := behind[i]
	return a.key.set(&both, a.value) == nil && a.key.set(&both, b.value) == nil && a.key.set(&one, b.value) == nil &&
		reflect.DeepEqual(both, one)
}

// Implied returns the value of a key ("Section.Key") that nobody set but others decide, as one would write it.
func (s *Settings) Implied(key string) (value string, ok bool) {
	switch {
	case key == "Exec.KillSignal" && s.Exec.Boot:
		return "SIGRTMIN+3", true
	case key == "Exec.Hostname":
		return s.Machine, true
	case key == "Files.PrivateUsersOwnership" && s.Exec.PrivateUsers.Ownership != "off":
		return s.Exec.PrivateUsers.Ownership, true
	case key == "Network.Private" && s.Network.Private, key == "Network.VirtualEthernet" && s.Network.VirtualEthernet:
		return "yes", true
	}
	return "", false
}
