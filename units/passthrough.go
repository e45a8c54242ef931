package units

import (
	"errors"
	"fmt"
	"strings"

	"nspawnkit/settings"
)

// passThrough copies the user's lines of [Unit] or [Service] into the section of the same name. Which keys and values a file
// may have is up to package settings; here is decided how they reach the unit.
func (g *generation) passThrough(lines []settings.Assignment, to *section) {
	for _, line := range lines {
		value, err := passable(to.name, line.Key, line.Value)
		if err != nil {
			g.errorf(line.Origin, "%v", err)
			continue
		}
		to.append(line.Origin, line.Key, value)
	}
}

// passable returns the value as the unit gets it, or why the unit must not get this line.
func passable(section, key, value string) (string, error) {
	if err := lineError(key, value); err != nil {
		return "", err
	}
	if key == "SourcePath" {
		return "", errors.New("SourcePath= is set to the .nspawn file and cannot be changed")
	}
	if err := checkSpecifiers(value); err != nil {
		return "", fmt.Errorf("%s=%s: %w", key, value, err)
	}
	if section == "Unit" && isDependency(key) {
		return dependencies(key, value)
	}
	return value, nil
}

// checkSpecifiers allows the specifiers that mean the same in a .nspawn file as in the unit made of it. A "%" before
// anything but a letter is none (CPUQuota=150%), systemd leaves it alone.
func checkSpecifiers(value string) error {
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			continue
		}
		switch next := value[i+1]; {
		case strings.IndexByte("%inHvm", next) >= 0:
			i++
		case 'a' <= next && next <= 'z' || 'A' <= next && next <= 'Z':
			return fmt.Errorf("the specifier %%%c has no meaning here (%%i %%n %%H %%v %%m %%%% have; %%%% is a literal %%)", next)
		}
	}
	return nil
}

// isDependency is true for the keys of [Unit] whose value is a list of units (systemd.unit(5)).
func isDependency(key string) bool {
	switch key {
	case "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds", "Conflicts", "Before", "After",
		"OnFailure", "OnSuccess", "PropagatesReloadTo", "ReloadPropagatedFrom", "PropagatesStopTo", "StopPropagatedFrom",
		"JoinsNamespaceOf":
		return true
	}
	return false
}

// dependencies replaces NAME.nspawn by the unit of that machine in a list of units.
func dependencies(key, value string) (string, error) {
	words := strings.Fields(value)
	for i, word := range words {
		unit, err := dependency(word)
		if err != nil {
			return "", fmt.Errorf("%s=%s: %w", key, value, err)
		}
		words[i] = unit
	}
	return strings.Join(words, " "), nil
}
