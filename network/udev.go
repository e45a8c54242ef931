package network

import "bytes"

// UdevSettled reports whether systemd-udevd has seen a network interface and is not renaming it, by its file /run/udev/data/nINDEX
// of lines "TYPE:VALUE" (src/libsystemd/sd-device: "I" is when it was initialized, "E" a property).
func UdevSettled(data []byte) bool {
	initialized := false
	for line := range bytes.Lines(data) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if bytes.Equal(line, []byte("E:ID_RENAMING=1")) {
			return false
		}
		initialized = initialized || bytes.HasPrefix(line, []byte("I:"))
	}
	return initialized
}
