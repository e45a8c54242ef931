package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// RemoveTree removes a name of a directory with everything below it, however deep, subvolumes and what is marked immutable too. No
// link is followed and no mount point crossed. A name that is missing is no error.
func RemoveTree(parent *os.File, name string) error { return (&remover{}).remove(parent, name, 0) }

// remover removes one tree. What is deeper than it has descriptors for it moves to the top.
type remover struct {
	top   *os.File
	moved int
}

// deep is how many directories are open at most on the way down.
const deep = 256

func (r *remover) remove(parent *os.File, name string, depth int) error {
	err := unlink(parent, name)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) {
		return failed("remove", path.Join(parent.Name(), name), err)
	}
	if destroySubvolume(parent, name) == nil { // at once, whatever is in it
		return nil
	}
	if depth > deep && r.moveUp(parent, name) {
		return nil
	}
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}
	fd, err := unix.Openat2(int(parent.Fd()), name, &how)
	if err != nil {
		return failed("remove", path.Join(parent.Name(), name), err)
	}
	directory := os.NewFile(uintptr(fd), path.Join(parent.Name(), name))
	defer directory.Close()
	if r.top == nil {
		r.top = directory
	}
	_ = clearFlags(directory)
	if err := r.removeContent(directory, depth); err != nil {
		return err
	}
	if destroySubvolume(parent, name) == nil {
		return nil
	}
	err = unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return failed("remove", directory.Name(), err)
	}
	return nil
}

// unlink removes a name unless it is a directory: EISDIR.
func unlink(parent *os.File, name string) error {
	err := unix.Unlinkat(int(parent.Fd()), name, 0)
	if errors.Is(err, unix.EPERM) && makeMutable(parent, name) == nil {
		err = unix.Unlinkat(int(parent.Fd()), name, 0)
	}
	return err
}

// moveUp moves a directory to the top of the tree, whose content is read until nothing is left.
func (r *remover) moveUp(parent *os.File, name string) bool {
	for range 100 {
		r.moved++
		err := unix.Renameat2(int(parent.Fd()), name, int(r.top.Fd()), fmt.Sprintf(".#deep%d", r.moved), unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EPERM) && makeMutable(parent, name) == nil {
			continue
		}
		if !errors.Is(err, unix.EEXIST) {
			return err == nil
		}
	}
	return false
}

// removeContent empties a directory. It starts again until nothing is left: removing moves what readdir(2) has not shown yet.
func (r *remover) removeContent(directory *os.File, depth int) error {
	for {
		names, err := directory.Readdirnames(1000)
		for _, name := range names {
			if err := r.remove(directory, name, depth+1); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return failed("read", directory.Name(), err)
		}
		if len(names) == 0 {
			return nil
		}
		if _, err := directory.Seek(0, io.SeekStart); err != nil {
			return failed("read", directory.Name(), err)
		}
	}
}

// makeMutable takes from a file, and from the directory it is in, the marks that keep it from being removed.
func makeMutable(parent *os.File, name string) error {
	if err := clearFlags(parent); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(int(parent.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	file, err := openAt(parent, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer file.Close()
	return clearFlags(file)
}

// clearFlags takes away the attributes "i" and "a" of chattr(1).
func clearFlags(file *os.File) error {
	const keeps = unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND // the same bits in both interfaces
	flags, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return fmt.Errorf("read attributes of %s: %w", file.Name(), err)
	}
	if flags&keeps == 0 {
		return nil
	}
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags&^keeps)
}
