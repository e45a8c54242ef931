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

// Found is the image of a machine.
type Found struct {
	Path  string
	Stack bool // it is a mount stack, otherwise the root directory
}

// Find returns the root directory or mount stack of a machine below the host's root fsys, of versioned directories NAME.v and
// NAME.mstack.v the newest version. A disk image of that name is an error of its own, since it would be wrong to say that there
// is none.
func Find(fsys fs.FS, machine string) (Found, error) {
	for _, folder := range searchPath() {
		candidate := path.Join(folder, machine)
		if info, err := fs.Stat(fsys, candidate[1:]); err == nil && info.IsDir() {
			return Found{Path: candidate}, nil
		}
		if info, err := fs.Stat(fsys, candidate[1:]+StackSuffix); err == nil && info.IsDir() {
			return Found{candidate + StackSuffix, true}, nil
		}
		for _, kind := range []Kind{Directories(), Stacks()} {
			if place, err := findVersioned(fsys, candidate, kind, runtime.GOARCH); place != "" || err != nil {
				return Found{place, kind.Suffix == StackSuffix}, err
			}
		}
		if _, err := fs.Stat(fsys, candidate[1:]+".raw"); err == nil {
			return Found{}, fmt.Errorf("image %s.raw: disk images are not supported yet, only directories and mount stacks", candidate)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Found{}, fmt.Errorf("find image of machine %s: %w", machine, err)
		}
	}
	return Found{}, fmt.Errorf("no image for machine %s: /var/lib/machines/%[1]s is missing, and so are the other places of machinectl(1): %w", machine, fs.ErrNotExist)
}
