// Package image finds the root of a container: a directory, or a disk image.
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

// Found is the image of a machine: a directory, unless it is one of the other kinds.
type Found struct {
	Path  string
	Stack bool // a mount stack
	Disk  bool // a disk image: a file or a block device
}

// Find returns the root of a machine below the host's root fsys: a directory, a block device, a mount stack with the suffix
// .mstack or a disk image with the suffix .raw, or of versioned directories NAME.v, NAME.mstack.v and NAME.raw.v the newest version.
func Find(fsys fs.FS, machine string) (Found, error) {
	for _, folder := range searchPath() {
		candidate := path.Join(folder, machine)
		if info, err := fs.Stat(fsys, candidate[1:]); err == nil && info.IsDir() {
			return Found{Path: candidate}, nil
		} else if err == nil && info.Mode()&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice {
			return Found{Path: candidate, Disk: true}, nil
		}
		for _, kind := range []Kind{Stacks(), Disks()} {
			info, err := fs.Stat(fsys, candidate[1:]+kind.Suffix)
			if err == nil && kind.Accept(info.Mode()) {
				return kind.found(candidate + kind.Suffix), nil
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return Found{}, fmt.Errorf("find image of machine %s: %w", machine, err)
			}
		}
		for _, kind := range []Kind{Directories(), Stacks(), Disks()} {
			if place, err := findVersioned(fsys, candidate, kind, runtime.GOARCH); place != "" || err != nil {
				return kind.found(place), err
			}
		}
	}
	return Found{}, fmt.Errorf("no image for machine %s: /var/lib/machines/%[1]s is missing, and so are the other places of machinectl(1): %w", machine, fs.ErrNotExist)
}

func (k Kind) found(place string) Found {
	return Found{Path: place, Stack: k.Suffix == StackSuffix, Disk: k.Suffix == DiskSuffix}
}
