package units

import (
	"io/fs"
	"path"
	"strings"

	"nspawnkit/settings"
)

// mounts makes the unit wait for the file systems of the root directory, and of every source of a bind or an overlay on
// the host. The template itself waits for /var/lib/machines/NAME.
func (g *generation) mounts() {
	if dir := g.container.Settings.Directory; dir != "" {
		g.requireMount(g.container.Settings.Origin("Exec.Directory"), dir)
	}
	files := &g.container.Settings.Files
	for _, bind := range files.Binds {
		g.requireMount(bind.Origin, bind.Source)
	}
	for _, overlay := range files.Overlays {
		for _, lower := range overlay.Lower {
			g.requireMount(overlay.Origin, lower)
		}
		g.requireMount(overlay.Origin, overlay.Upper)
	}
}

// requireMount adds a path of the host. "+" is a path inside the container, and nothing is mounted on device nodes.
func (g *generation) requireMount(origin settings.Origin, dir string) {
	if !path.IsAbs(dir) || isBelow(dir, "/dev") {
		return
	}
	word := quotePath(path.Clean(dir))
	if err := lineError("RequiresMountsFor", word); err != nil {
		g.errorf(origin, "%q cannot be written to a unit: %v", dir, err)
		return
	}
	g.unit.add(origin, "RequiresMountsFor", word)
}

// devicesOfLinks makes the unit wait for the network devices of the host that the container takes, or that its links are
// made on.
func (g *generation) devicesOfLinks() {
	network := &g.container.Settings.Network
	for _, pairs := range [...][]settings.InterfacePair{network.Interfaces, network.MACVLAN, network.IPVLAN} {
		for _, pair := range pairs {
			g.requireInterface(pair.Origin, pair.Host)
		}
	}
	if network.Bridge != "" {
		g.requireInterface(g.container.Settings.Origin("Network.Bridge"), network.Bridge)
	}
}

// requireInterface does not make the unit fail without the device: nspawn-exec says better what is missing.
func (g *generation) requireInterface(origin settings.Origin, name string) {
	device := DeviceUnit("/sys/subsystem/net/devices/" + name)
	g.unit.add(origin, "Wants", device)
	g.unit.add(origin, "After", device)
}

// deviceAllow lets the container use the device nodes it binds; DevicePolicy=closed of the static unit shuts out the rest.
func (g *generation) deviceAllow() {
	for _, bind := range g.container.Settings.Files.Binds {
		if !path.IsAbs(bind.Source) {
			continue
		}
		source := path.Clean(bind.Source)
		access := " rw"
		if bind.ReadOnly {
			access = " r"
		}
		switch node, ok := g.deviceNode(bind.Origin, source); {
		case !ok:
		case lineError("DeviceAllow", quotePath(node)) != nil:
			g.errorf(bind.Origin, "%q cannot be written to a unit", source)
		default:
			g.service.add(bind.Origin, "DeviceAllow", quotePath(node)+access)
		}
	}
}

// deviceNode returns the node specifier of systemd.resource-control(5) for the source of a bind, if it has devices. Early
// at boot udev has not filled /dev yet: what is missing there counts as a node, and systemd looks at it when the unit starts.
func (g *generation) deviceNode(origin settings.Origin, source string) (node string, ok bool) {
	switch source {
	case "/dev/dri":
		return "char-drm", true
	case "/dev/snd":
		return "char-alsa", true
	case "/dev/input":
		return "char-input", true
	case "/dev/bus/usb":
		return "char-usb_device", true
	case "/dev/vfio":
		return "char-vfio", true
	case "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/pts", "/dev/fd", "/dev/log", "/dev/net", "/dev/mapper":
		return "", false // no devices but those that every container may use
	}
	mode := g.stat(source)
	switch below := isBelow(source, "/dev"); {
	case below && mode.IsDir():
		g.warnf(origin, "the container may not use the devices in %s; to allow them write DeviceAllow=char-GROUP rw in [Service], with the group from /proc/devices", source)
	case below && (mode&fs.ModeDevice != 0 || mode == 0):
		return source, true
	case !below && mode&fs.ModeDevice != 0:
		g.warnf(origin, "%s is a device node outside of /dev, which systemd cannot allow; bind the node in /dev instead", source)
	}
	return "", false
}

// stat returns the type bits of what the path leads to, and 0 for a regular file, what is missing or cannot be looked at.
func (g *generation) stat(name string) fs.FileMode {
	if g.host.Root == nil {
		return 0
	}
	info, err := fs.Stat(g.host.Root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return 0
	}
	return info.Mode().Type()
}

func isBelow(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
