package units

import (
	"fmt"
	"strings"

	"nspawnkit/settings"
)

// maxUnitName is the longest name of a unit, in bytes (systemd.unit(5)).
const maxUnitName = 255

// ServiceName returns the unit that runs the machine. The name is not escaped: machinectl(1) and the template's
// --machine=%i both take the instance as it is, and no character of a valid machine name needs escaping.
func ServiceName(machine string) string { return "systemd-nspawn@" + machine + ".service" }

// Arguments returns the arguments of nspawn-exec in the static unit, which also has --machine=%i: what a container is
// without a file.
func Arguments() []string {
	return []string{"--quiet", "--keep-unit", "--boot", "--link-journal=try-guest", "--network-veth", "-U", "--settings=override"}
}

// DeviceUnit returns the device unit of a path in /dev or /sys, escaped as "systemd-escape --path --suffix=device" does.
func DeviceUnit(path string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(path, "/") {
		if word == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('-')
		}
		for i := range len(word) {
			c := word[i]
			// A dot is escaped only where the name would begin with it.
			if isAlphanumeric(c) || c == ':' || c == '_' || c == '.' && b.Len() > 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
	}
	return b.String() + ".device"
}

// dependency returns the unit that a word of Requires=, After=, WantedBy= and their like stands for: NAME.nspawn is the
// unit of that machine, everything else is a unit already.
func dependency(word string) (string, error) {
	machine, found := strings.CutSuffix(word, ".nspawn")
	if !found {
		return word, nil
	}
	if !settings.ValidMachineName(machine) {
		return "", fmt.Errorf("%q does not name a machine", word)
	}
	return ServiceName(machine), nil
}

// isUnitName is true for the name of a unit that can be started, which excludes templates ("a@.service").
func isUnitName(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || len(name) > maxUnitName || !isUnitSuffix(name[dot:]) {
		return false
	}
	for i := range dot {
		if c := name[i]; !isAlphanumeric(c) && !strings.ContainsRune(`:-_.\@`, rune(c)) {
			return false
		}
	}
	prefix, instance, instantiated := strings.Cut(name[:dot], "@")
	return prefix != "" && (!instantiated || instance != "")
}

func isUnitSuffix(suffix string) bool {
	switch suffix {
	case ".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice", ".scope":
		return true
	}
	return false
}
