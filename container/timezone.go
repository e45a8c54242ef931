package container

import (
	"fmt"
	"strings"

	"nspawnkit/container/kernel"
)

const (
	hostLocaltime = "/etc/localtime"
	zoneDirectory = "/usr/share/zoneinfo"
)

// Localtime is what /etc/localtime of the host is, see localtime(5).
type Localtime struct {
	Exists bool
	Link   bool   // a symbolic link
	Zone   string // "Europe/Berlin"; empty if it does not lead into the zone database
}

// decideTimezone follows --timezone= of systemd-nspawn(1).
func decideTimezone(p *Plan, host *Host) error {
	file := &EtcFile{Action: p.Settings.Exec.Timezone, Source: hostLocaltime, Origin: p.Settings.Origin("Exec.Timezone").String()}
	if file.Action == "auto" || file.Action == "" {
		file.Action = automaticTimezone(p.Settings.Files.ReadOnly, host.Localtime)
	}
	switch file.Action {
	case "off":
		return nil
	case actionDelete:
		file.Source = ""
	case actionCopy:
		file.Action = actionReplace // also a link
	case actionSymlink:
		file.Zone = host.Localtime.Zone
		if file.Zone == "" {
			p.warn("%s: the host's %s is not a link into %s, leaving the container's as it is", file.Origin, hostLocaltime, zoneDirectory)
			return nil
		}
	}
	p.Inside.Timezone = file
	return nil
}

func automaticTimezone(readOnly bool, localtime Localtime) string {
	switch {
	case !localtime.Exists && readOnly:
		return "off"
	case !localtime.Exists:
		return actionDelete
	case readOnly:
		return actionBind
	case localtime.Link:
		return actionSymlink
	}
	return actionCopy
}

// zoneOf returns the time zone that the target of a localtime(5) link stands for, or nothing.
func zoneOf(target string) string {
	for _, prefix := range []string{".." + zoneDirectory + "/", zoneDirectory + "/"} {
		if zone, found := strings.CutPrefix(target, prefix); found && !strings.Contains(zone, "..") {
			return zone
		}
	}
	return ""
}

// linkZone makes the file a link into the container's own zone database, unless it leads there already.
func linkZone(etc kernel.Dir, name, zone string) error {
	if zoneOf(etc.Readlink(name)) == zone {
		return nil
	}
	return etc.Symlink(fmt.Sprintf("..%s/%s", zoneDirectory, zone), name)
}
