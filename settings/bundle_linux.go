package settings

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Device is a device node that an OCI bundle asks for.
type Device struct {
	Origin       Origin
	Name         string // in /dev
	Type         byte   // 'c', 'b' or 'p'
	Major, Minor uint32
	Mode         uint32
}

// ProtectedPath is a path below /proc or /sys that is made read-only if it is there.
type ProtectedPath struct {
	Origin Origin
	Path   string
}

// apiMounts are where every container has what a bundle asks for, with the options that systemd-nspawn gives it.
const apiMounts = "/proc=proc /sys=sysfs /sys=bind /sys/fs/cgroup=cgroup /sys/fs/cgroup=cgroup2 /dev=tmpfs /dev/pts=devpts /dev/mqueue=mqueue /run=tmpfs"

type bundleMount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

func takeMounts(r *bundleReader, v any, pointer string) {
	var mounts []bundleMount
	if !r.decode(v, pointer, &mounts) {
		return
	}
	for i := range mounts {
		m, where := &mounts[i], at(pointer, i)
		destination, err := mountPoint(m.Destination)
		if err != nil {
			r.refuse(where+".destination", "%v", err)
			continue
		}
		m.Destination = destination
		isBind := m.Type == "bind" || m.Type == "" || m.Type == "none"
		switch {
		case hasWord(apiMounts, destination+"="+m.Type):
		case isBind || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind"):
			r.addBind(m, where)
		case m.Type == "tmpfs":
			r.addTemporary(m, where)
		default:
			r.refuse(where+".type", "%s on %s: not supported", printable(m.Type), printable(destination))
		}
	}
}

// What every mount is anyway: what is mounted on the host's side appears inside, never the other way round.
const idleOptions = "rw async private rprivate slave rslave relatime"

func (r *bundleReader) addBind(m *bundleMount, where string) {
	bind := Bind{Origin: r.origin(where), Destination: m.Destination, IDMap: "noidmap"}
	if m.Source == "" || checkText(m.Source) != nil {
		r.refuse(where+".source", "not a path")
		return
	}
	bind.Source = r.path(m.Source)
	for i, option := range m.Options {
		switch option {
		case "bind":
			bind.Recursive = false
		case "rbind":
			bind.Recursive = true
		case "ro":
			bind.ReadOnly = true
		case "nosuid":
			bind.NoSUID = true
		case "nodev":
			bind.NoDev = true
		case "noexec":
			bind.NoExec = true
		default:
			if !hasWord(idleOptions+" suid dev exec", option) {
				r.refuse(at(where+".options", i), "%s: not supported", printable(option))
			}
		}
	}
	r.set("Files", "Bind", bind.Source+":"+bind.Destination, where, func(s *Settings) error {
		s.Files.Binds = append(s.Files.Binds, bind)
		return nil
	})
}

func (r *bundleReader) addTemporary(m *bundleMount, where string) {
	options := []string{}
	for i, option := range m.Options {
		name, _, _ := strings.Cut(option, "=")
		switch {
		case hasWord("mode size nr_inodes nr_blocks uid gid ro noexec", name):
			options = append(options, option)
		case !hasWord(idleOptions+" nosuid nodev exec strictatime", option):
			r.refuse(at(where+".options", i), "%s: not supported", printable(option))
		}
	}
	if !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "mode=") }) {
		options = append(options, "mode=1777") // the kernel's default
	}
	temporary := TemporaryFileSystem{r.origin(where), m.Destination, strings.Join(options, ",")}
	r.set("Files", "TemporaryFileSystem", temporary.Path+":"+temporary.Options, where, func(s *Settings) error {
		s.Files.TemporaryFileSystem = append(s.Files.TemporaryFileSystem, temporary)
		return nil
	})
}

func (r *bundleReader) hasNamespace(name string) bool { return slices.Contains(r.namespaces, name) }

func takeNamespaces(r *bundleReader, v any, pointer string) {
	var namespaces []struct {
		Type string `json:"type"`
	}
	if !r.decode(v, pointer, &namespaces) {
		return
	}
	for i, namespace := range namespaces {
		where := at(pointer, i) + ".type"
		switch {
		case r.hasNamespace(namespace.Type):
			r.refuse(where, "%s is there twice", namespace.Type)
		case !hasWord("pid network ipc uts mount user cgroup", namespace.Type):
			r.refuse(where, "%s: not supported", printable(namespace.Type))
		}
		r.namespaces = append(r.namespaces, namespace.Type)
	}
	for _, name := range []string{"pid", "ipc", "uts", "mount"} {
		if !r.hasNamespace(name) {
			r.refuse(pointer, "a container without a %s namespace of its own is not supported", name)
		}
	}
	if r.hasNamespace("network") {
		r.setText("Network", "Private", "yes", pointer)
	}
}

type bundleMapping struct {
	ContainerID uint32 `json:"containerID"`
	HostID      uint32 `json:"hostID"`
	Size        uint32 `json:"size"`
}

func takeMappings(r *bundleReader, v any, pointer string) {
	var linux struct {
		UIDMappings []bundleMapping `json:"uidMappings"`
		GIDMappings []bundleMapping `json:"gidMappings"`
	}
	if !r.decode(v, pointer, &linux) {
		return
	}
	users, groups := linux.UIDMappings, linux.GIDMappings
	pointer += ".uidMappings"
	switch hasUsers := r.hasNamespace("user"); {
	case len(users)+len(groups) == 0 && !hasUsers:
		return
	case !hasUsers:
		r.refuse(pointer, "there is no user namespace")
	case !slices.Equal(users, groups):
		r.refuse(pointer, "other mappings of users than of groups are not supported")
	case len(users) != 1 || users[0].ContainerID != 0:
		r.refuse(pointer, "other mappings than one range from the container's root on are not supported")
	default:
		r.setText("Exec", "PrivateUsers", fmt.Sprintf("%d:%d", users[0].HostID, users[0].Size), pointer+"[0]")
	}
}

func takeMasked(r *bundleReader, v any, pointer string) {
	for i, name := range r.paths(v, pointer) {
		hidden := Inaccessible{Origin: r.origin(at(pointer, i)), Path: name, Optional: true}
		r.set("Files", "Inaccessible", name, at(pointer, i), func(s *Settings) error {
			s.Files.Inaccessible = append(s.Files.Inaccessible, hidden)
			return nil
		})
	}
}

func takeReadOnlyPaths(r *bundleReader, v any, pointer string) {
	for i, name := range r.paths(v, pointer) {
		if !strings.HasPrefix(name, "/proc/") && !strings.HasPrefix(name, "/sys/") {
			r.refuse(at(pointer, i), "%s is not below /proc or /sys: not supported", printable(name))
			continue
		}
		r.set("OCI", pointer, name, at(pointer, i), func(s *Settings) error {
			s.Files.Protected = append(s.Files.Protected, ProtectedPath{r.origin(at(pointer, i)), name})
			return nil
		})
	}
}

// paths takes a list of absolute paths.
func (r *bundleReader) paths(v any, pointer string) []string {
	var names []string
	if !r.decode(v, pointer, &names) {
		return nil
	}
	for i, name := range names {
		if err := checkPath(name); err != nil {
			r.refuse(at(pointer, i), "%v", err)
			return nil
		}
		names[i] = path.Clean(name)
	}
	return names
}

func takePropagation(r *bundleReader, v any, pointer string) {
	var mode string
	if r.decode(v, pointer, &mode) && !hasWord("private rprivate slave rslave", mode) && mode != "" {
		r.refuse(pointer, "%s: not supported", printable(mode))
	}
}

func takeDevices(r *bundleReader, v any, pointer string) {
	var devices []struct {
		Path     string  `json:"path"`
		Type     string  `json:"type"`
		Major    int64   `json:"major"`
		Minor    int64   `json:"minor"`
		FileMode *uint32 `json:"fileMode"`
		UID      uint32  `json:"uid"`
		GID      uint32  `json:"gid"`
	}
	if !r.decode(v, pointer, &devices) {
		return
	}
	for i, d := range devices {
		where := at(pointer, i)
		name, isDevice := strings.CutPrefix(d.Path, "/dev/")
		device := Device{Origin: r.origin(where), Name: name, Major: uint32(d.Major), Minor: uint32(d.Minor), Mode: 0o666}
		if d.FileMode != nil {
			device.Mode = *d.FileMode & 0o7777
		}
		switch {
		case !isDevice || name == "" || strings.Contains(name, "/") || strings.HasPrefix(name, ".") || checkText(name) != nil:
			r.refuse(where+".path", "%s is not in /dev itself: not supported", printable(d.Path))
			continue
		case d.UID != 0 || d.GID != 0:
			r.refuse(where, "a device of another user than root is not supported")
			continue
		case len(d.Type) != 1 || !strings.Contains("cubp", d.Type):
			r.refuse(where+".type", "%s is not a type of device", printable(d.Type))
			continue
		case d.Major < 0 || d.Major >= 1<<12 || d.Minor < 0 || d.Minor >= 1<<20:
			r.refuse(where, "%d:%d is not the number of a device", d.Major, d.Minor)
			continue
		}
		if device.Type = d.Type[0]; device.Type == 'u' {
			device.Type = 'c'
		}
		r.devices = append(r.devices, device)
		r.set("OCI", pointer, d.Path, where, func(s *Settings) error {
			s.Files.Devices = append(s.Files.Devices, device)
			return nil
		})
	}
}

// usualDevices are the numbers of the devices that every container has.
const usualDevices = "1:3 1:5 1:7 1:8 1:9 5:0 5:1 5:2 10:229 10:200"

func takeDeviceRules(r *bundleReader, v any, pointer string) {
	var rules []struct {
		Allow  bool   `json:"allow"`
		Type   string `json:"type"`
		Access string `json:"access"`
		Major  *int64 `json:"major"`
		Minor  *int64 `json:"minor"`
	}
	if !r.decode(v, pointer, &rules) {
		return
	}
	for i, rule := range rules {
		all := (rule.Type == "" || rule.Type == "a") && isAny(rule.Major) && isAny(rule.Minor)
		switch {
		case !rule.Allow && all: // so it is: there are no others in /dev, and no others can be made
		case !rule.Allow:
			r.unsupported(at(pointer, i))
		case !r.hasDevice(rule.Type, rule.Major, rule.Minor):
			r.refuse(at(pointer, i), "not supported: the container does not have it; list it in linux.devices")
		}
	}
}

func isAny(number *int64) bool { return number == nil || *number == -1 }

func (r *bundleReader) hasDevice(kind string, major, minor *int64) bool {
	if isAny(major) {
		return false
	}
	if isAny(minor) {
		return kind == "c" && *major == 136 // terminals
	}
	for _, device := range r.devices {
		if string(device.Type) == kind && int64(device.Major) == *major && int64(device.Minor) == *minor {
			return true
		}
	}
	return kind == "c" && (*major == 136 || hasWord(usualDevices, fmt.Sprintf("%d:%d", *major, *minor)))
}
