// Package image finds the root of a container. For now that is a directory; disk images follow the same search.
package image

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
)

// searchPath is where machinectl(1) looks for images, "Files and Directories".
func searchPath() []string {
	return []string{"/etc/machines", "/run/machines", "/var/lib/machines", "/usr/local/lib/machines", "/usr/lib/machines"}
}

// New returns where the root directory of a new machine goes.
func New(machine string) string { return path.Join("/var/lib/machines", machine) }

// Find returns the root directory of a machine below the host's root fsys, of a versioned directory NAME.v the newest version. A
// disk image of that name is an error of its own, since it would be wrong to say that there is none.
func Find(fsys fs.FS, machine string) (directory string, err error) {
	for _, folder := range searchPath() {
		candidate := path.Join(folder, machine)
		if info, err := fs.Stat(fsys, candidate[1:]); err == nil && info.IsDir() {
			return candidate, nil
		}
		if directory, err := findVersioned(fsys, candidate, Directories(), runtime.GOARCH); directory != "" || err != nil {
			return directory, err
		}
		for _, suffix := range []string{".raw", ".mstack"} {
			if _, err := fs.Stat(fsys, candidate[1:]+suffix); err == nil {
				return "", fmt.Errorf("image %s%s: images of this kind are not supported yet, only directories", candidate, suffix)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("find image of machine %s: %w", machine, err)
			}
		}
	}
	return "", fmt.Errorf("no image for machine %s: /var/lib/machines/%[1]s is missing, and so are the other places of machinectl(1): %w", machine, fs.ErrNotExist)
}
