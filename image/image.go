// Package image finds the root of a container: a directory, or a disk image.
package image

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// searchPath is where machinectl(1) looks for images, "Files and Directories".
func searchPath() []string {
	return []string{"/etc/machines", "/run/machines", "/var/lib/machines", "/usr/local/lib/machines", "/usr/lib/machines"}
}

// New returns where the root directory of a new machine goes.
func New(machine string) string { return path.Join("/var/lib/machines", machine) }

// Find returns the root of a machine below the host's root fsys: a directory, or a disk image, which is a file with the suffix
// .raw or a block device. An image of another kind is an error of its own, since it would be wrong to say that there is none.
func Find(fsys fs.FS, machine string) (root string, isDisk bool, err error) {
	for _, folder := range searchPath() {
		candidate := path.Join(folder, machine)
		if info, err := fs.Stat(fsys, candidate[1:]); err == nil && info.IsDir() {
			return candidate, false, nil
		} else if err == nil && info.Mode()&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice {
			return candidate, true, nil
		}
		if info, err := fs.Stat(fsys, candidate[1:]+".raw"); err == nil && info.Mode().IsRegular() {
			return candidate + ".raw", true, nil
		}
		for _, suffix := range []string{".v", ".mstack"} {
			if _, err := fs.Stat(fsys, candidate[1:]+suffix); err == nil {
				return "", false, fmt.Errorf("image %s%s: images of this kind are not supported yet, only directories and .raw files", candidate, suffix)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return "", false, fmt.Errorf("find image of machine %s: %w", machine, err)
			}
		}
	}
	return "", false, fmt.Errorf("no image for machine %s: /var/lib/machines/%[1]s is missing, and so are the other places of machinectl(1): %w", machine, fs.ErrNotExist)
}
