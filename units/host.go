package units

import (
	"io/fs"
	"path"
	"strings"
)

const (
	templateName = "systemd-nspawn@.service"
	targetName   = "machines.target"
)

// unitFolders are the folders of unit files that administrators and packages write to, in the order of systemd.unit(5).
// /lib is a folder of its own on hosts that have not merged it with /usr/lib.
func unitFolders() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// FindTemplate returns the absolute path of the systemd-nspawn@.service that systemd would load: the host's own, or ours
// in the folder kit, which [Late] links.
func FindTemplate(root fs.FS, kit string) string {
	if found, ok := findUnit(root, templateName); ok {
		return found
	}
	return path.Join(kit, templateName)
}

// Late returns the links for the generator's late folder: the template and machines.target of the folder kit, each only
// where the host lacks it (systemd-container is not installed). They are links because a copy would count as generated,
// which "systemctl enable" refuses.
func Late(root fs.FS, kit string) Output {
	var out Output
	if _, ok := findUnit(root, templateName); !ok {
		out.Links = append(out.Links, Link{Path: templateName, Target: path.Join(kit, templateName)})
	}
	if _, ok := findUnit(root, targetName); !ok {
		target := path.Join(kit, targetName)
		out.Links = append(out.Links,
			Link{Path: targetName, Target: target},
			Link{Path: "multi-user.target.wants/" + targetName, Target: target})
	}
	return out
}

// findUnit looks for a unit file; one that is masked counts as found.
func findUnit(root fs.FS, name string) (string, bool) {
	for _, folder := range unitFolders() {
		file := path.Join(folder, name)
		if _, err := fs.Lstat(root, strings.TrimPrefix(file, "/")); err == nil {
			return file, true
		}
	}
	return "", false
}

// SpecifierOf returns a function for [Host] that reads %H, %v and %m from below root (systemd.unit(5), "Specifiers").
func SpecifierOf(root fs.FS) func(letter byte) (string, bool) {
	return func(letter byte) (string, bool) {
		var file string
		switch letter {
		case 'H':
			file = "proc/sys/kernel/hostname"
		case 'v':
			file = "proc/sys/kernel/osrelease"
		case 'm':
			file = "etc/machine-id"
		}
		data, err := fs.ReadFile(root, file)
		value := strings.TrimSpace(string(data))
		return value, err == nil && value != ""
	}
}
