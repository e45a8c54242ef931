package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"nspawnkit/units"
)

// write puts the files and links into the folder dir. Each appears at once under its name (a temporary file, then
// rename), so that a reader and another generator on the same folder see whole files only. One that fails does not stop
// the others: their errors are returned with the number of those that did appear.
func write(dir string, out units.Output) (written int, err error) {
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		written++
	}
	for _, file := range out.Files {
		note(writeFile(filepath.Join(dir, file.Path), file.Text))
	}
	for _, link := range out.Links {
		note(writeLink(filepath.Join(dir, link.Path), link.Target))
	}
	return written, errors.Join(errs...)
}

// writeFile writes without fsync: the folder is lost at the next reboot and written anew before anything reads it. It asks
// the kernel directly because an [os.File] costs five more system calls, with 5000 containers a tenth of a second.
func writeFile(name, text string) error {
	// systemd hands over an empty folder: that of a drop-in is hardly ever there.
	if err := makeFolder(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return replace(name, func(temporary string) error {
		fd, err := syscall.Open(temporary, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o644)
		if err != nil {
			return err
		}
		for data := []byte(text); err == nil && len(data) > 0; {
			var n int
			n, err = syscall.Write(fd, data)
			data = data[max(n, 0):]
		}
		return errors.Join(err, syscall.Close(fd))
	})
}

// writeLink needs no temporary name where there is no link yet: unlike a file, a link is made whole. Many links share a
// folder, which is made when it is missed.
func writeLink(name, target string) error {
	err := syscall.Symlink(target, name)
	if err == syscall.ENOENT {
		if err = makeFolder(filepath.Dir(name)); err == nil {
			err = syscall.Symlink(target, name)
		}
	}
	if err == syscall.EEXIST {
		if have, err := os.Readlink(name); err == nil && have == target {
			return nil
		}
		return replace(name, func(temporary string) error { return syscall.Symlink(target, temporary) })
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// makeFolder makes a folder that may be there. Mkdir is quick; MkdirAll also makes those above.
func makeFolder(name string) error {
	if err := syscall.Mkdir(name, 0o755); err == nil || err == syscall.EEXIST {
		return nil
	}
	return os.MkdirAll(name, 0o755)
}

// replace lets create make something under a name that systemd does not read, and moves it to its place. A create that
// says the name exists is called again with another.
func replace(name string, create func(temporary string) error) error {
	dir, base := filepath.Split(name)
	for {
		temporary := dir + ".#" + base + "." + strconv.FormatUint(rand.Uint64(), 36)
		err := create(temporary)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = syscall.Rename(temporary, name)
		}
		if err != nil {
			os.Remove(temporary)
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}
}
