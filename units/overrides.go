package units

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// Overrides returns the lines by which drop-ins of the administrator set keys of the container's unit after our own drop-in,
// by "Section.Key": those of "systemctl edit" and "systemctl set-property" (systemd.unit(5)). Of several the last is given.
func Overrides(root fs.FS, machine string) map[string]settings.Statement {
	ours := "05-" + machine + ".nspawn.conf"
	files := map[string]string{} // path by file name: the first folder wins
	for _, unit := range []string{ServiceName(machine), templateName} {
		for _, folder := range slices.Concat([]string{"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient"}, unitFolders()) {
			dir := path.Join(folder, unit+".d")
			entries, _ := fs.ReadDir(root, strings.TrimPrefix(dir, "/"))
			for _, entry := range entries {
				if name := entry.Name(); strings.HasSuffix(name, ".conf") && name > ours && files[name] == "" {
					files[name] = path.Join(dir, name)
				}
			}
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	overrides := map[string]settings.Statement{}
	for _, name := range names {
		file := strings.TrimPrefix(files[name], "/")
		if info, err := fs.Stat(root, file); err != nil || !info.Mode().IsRegular() {
			continue // masked, or systemd warns about it
		}
		data, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		statements, _, _ := settings.Statements(files[name], data)
		for _, s := range statements {
			overrides[s.Section+"."+s.Key] = s
		}
	}
	return overrides
}
