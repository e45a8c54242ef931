package container

import (
	"fmt"
	"path"
	"strings"
)

// decideMounts checks the mounts of [Files]. Sources are opened by the supervisor, destinations by the first process.
func decideMounts(p *Plan, _ *Host) error {
	s := &p.Settings
	p.Inside.ReadOnly = s.Files.ReadOnly
	for _, m := range customMounts(&s.Files) {
		if reserved := reservedPath(m.destination); reserved != "" {
			return fmt.Errorf("%s: cannot mount on %s: the container's %s is there", m.origin, m.destination, reserved)
		}
	}
	return nil
}

// reservedPath returns the API file system that must not be covered at the path, or "".
func reservedPath(destination string) string {
	destination = path.Clean(destination)
	for _, reserved := range []string{"/", "/proc", "/sys", "/dev", "/run"} {
		if destination == reserved {
			return reserved
		}
	}
	if strings.HasPrefix(destination, "/run/host/") || destination == "/run/host" {
		return "/run/host"
	}
	return ""
}

// decideFiles decides on the files of /etc that follow the host: --resolv-conf= and --timezone= of systemd-nspawn(1).
func decideFiles(p *Plan, host *Host) error {
	if err := decideResolvConf(p, host); err != nil {
		return at(&p.Settings, "Exec.ResolvConf", err)
	}
	if err := decideTimezone(p, host); err != nil {
		return at(&p.Settings, "Exec.Timezone", err)
	}
	return nil
}
