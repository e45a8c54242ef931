package kernel

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// ErrNotRegular says that there is something else than a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Dir is an open directory of a container, whose entries are changed by their names. A name is never followed to
// somewhere else.
type Dir struct{ file *os.File }

// OpenDir opens the directory that a path leads to inside the root.
func (r *Root) OpenDir(name string) (Dir, error) {
	file, err := r.Open(name, unix.O_PATH|unix.O_DIRECTORY)
	return Dir{file}, err
}

// Close closes the directory.
func (d Dir) Close() error { return d.file.Close() }

// Overwrite gives a file the content, and makes it with the mode if there is none. What is no regular file stays as it is:
// [ErrLink], [ErrNotRegular].
func (d Dir) Overwrite(name string, data []byte, mode uint32) error {
	// O_NONBLOCK: a FIFO without reader fails with ENXIO rather than to wait for one.
	file, err := d.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return d.error("open", name, ErrNotRegular)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return overwrite(file, data)
}

// Replace puts a new file with the content and the mode in the place of whatever has the name. Nobody sees half of it, and what has the name
// stays when the content cannot be written.
func (d Dir) Replace(name string, data []byte, mode uint32) error {
	temporary := ".#" + name
	if err := d.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// One without a name leaves nothing behind when this process is killed.
	unnamed, err := unix.Openat(int(d.file.Fd()), ".", unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, mode)
	if err != nil {
		return d.replaceByRename(temporary, name, data, mode) // a file system that has only files with names
	}
	file := os.NewFile(uintptr(unnamed), path.Join(d.file.Name(), name))
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := d.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", unnamed), int(d.file.Fd()), name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return d.replaceByRename(temporary, name, data, mode) // no /proc
	}
	return nil
}

func (d Dir) replaceByRename(temporary, name string, data []byte, mode uint32) error {
	file, err := d.open(temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = unix.Renameat(int(d.file.Fd()), temporary, int(d.file.Fd()), name)
		if err == nil {
			return nil
		}
		err = d.error("replace", name, err)
	}
	return errors.Join(err, d.Remove(temporary))
}

func (d Dir) open(name string, flags int, mode uint32) (*os.File, error) {
	fd, err := unix.Openat(int(d.file.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return nil, d.error("open", name, err)
	}
	return os.NewFile(uintptr(fd), path.Join(d.file.Name(), name)), nil
}

// Remove removes what has the name, but no directory.
func (d Dir) Remove(name string) error {
	if err := unix.Unlinkat(int(d.file.Fd()), name, 0); err != nil {
		return d.error("remove", name, err)
	}
	return nil
}

// Symlink makes a symbolic link in the place of what has the name.
func (d Dir) Symlink(target, name string) error {
	if err := d.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := unix.Symlinkat(target, int(d.file.Fd()), name); err != nil {
		return d.error("link", name, err)
	}
	return nil
}

// Readlink returns where a symbolic link leads to, or nothing if the name is none.
func (d Dir) Readlink(name string) string {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(d.file.Fd()), name, buffer)
	if err != nil {
		return ""
	}
	return string(buffer[:n])
}

func (d Dir) error(operation, name string, err error) error {
	return fmt.Errorf("%s %s: %w", operation, path.Join(d.file.Name(), name), err)
}
