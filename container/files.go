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

func decideResolvConf(p *Plan, host *Host) error {
	mode := p.Settings.Exec.ResolvConf
	if mode == "auto" || mode == "" {
		// With a network of its own the container finds its name servers itself.
		mode = "copy-host"
		if p.Settings.Network.Private {
			mode = "off"
		}
	}
	switch mode {
	case "off":
	case "copy-host", "replace-host":
		p.Inside.ResolvConf = &ResolvConf{Content: host.ResolvConf, Overwrite: mode == "replace-host"}
	default:
		return fmt.Errorf("--resolv-conf=%s is not supported yet", mode)
	}
	return nil
}

func decideTimezone(p *Plan, host *Host) error {
	switch mode := p.Settings.Exec.Timezone; mode {
	case "off", "delete":
		if mode == "delete" {
			p.Inside.Timezone = &Timezone{}
		}
	case "auto", "", "symlink":
		// A zone that the container does not know would be a link to nothing.
		if !p.Settings.Files.ReadOnly && host.Timezone != "" && host.Root.HasZone {
			p.Inside.Timezone = &Timezone{Zone: host.Timezone}
		} else if mode == "symlink" {
			return fmt.Errorf("--timezone=symlink: the host's time zone %q is not in the container's zone database", host.Timezone)
		}
	default:
		return fmt.Errorf("--timezone=%s is not supported yet", mode)
	}
	return nil
}
