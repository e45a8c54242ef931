package kernel

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// removeGroups removes a directory of top with those below, and closes top. It goes down and up step by step: a container can make
// groups deeper than any path is long. Nobody can rename one.
func removeGroups(top *os.File, name string) error {
	at := top
	defer func() { at.Close() }()
	for names := []string{name}; ; {
		last := names[len(names)-1]
		group, err := openBelow(at, last, unix.O_RDONLY|unix.O_DIRECTORY)
		if err == nil {
			below := firstDirectory(group)
			if below != "" {
				at.Close()
				at, names = group, append(names, below)
				continue
			}
			group.Close()
			err = removeGroup(at, last)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if names = names[:len(names)-1]; len(names) == 0 {
			return nil
		}
		above, err := openBelow(at, "..", unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		at.Close()
		at = above
	}
}

// firstDirectory returns the name of a directory in another, or nothing.
func firstDirectory(directory *os.File) string {
	for {
		entries, _ := directory.ReadDir(100)
		if len(entries) == 0 {
			return ""
		}
		for _, entry := range entries {
			if entry.IsDir() {
				return entry.Name()
			}
		}
	}
}

// removeGroup removes one control group. Processes that were killed may need a moment to leave it.
func removeGroup(parent *os.File, name string) (err error) {
	for range 100 {
		if err = unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR); !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}
