package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// RemoveTree removes a name of a directory with everything below it, subvolumes and what is marked immutable too. No link is
// followed and no mount point crossed. A name that is missing is no error.
func RemoveTree(parent *os.File, name string) error {
	err := unix.Unlinkat(int(parent.Fd()), name, 0)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EISDIR):
	case errors.Is(err, unix.EPERM) && makeMutable(parent, name) == nil:
		if err = unix.Unlinkat(int(parent.Fd()), name, 0); err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		} else if !errors.Is(err, unix.EISDIR) {
			return failed("remove", path.Join(parent.Name(), name), err)
		}
	default:
		return failed("remove", path.Join(parent.Name(), name), err)
	}
	if destroySubvolume(parent, name) == nil { // at once, whatever is in it
		return nil
	}
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}
	fd, err := unix.Openat2(int(parent.Fd()), name, &how)
	if err != nil {
		return failed("remove", path.Join(parent.Name(), name), err)
	}
	directory := os.NewFile(uintptr(fd), path.Join(parent.Name(), name))
	defer directory.Close()
	_ = clearFlags(directory)
	if err := removeContent(directory); err != nil {
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

// removeContent empties a directory. It starts again until nothing is left: removing moves what readdir(2) has not shown yet.
func removeContent(directory *os.File) error {
	for {
		names, err := directory.Readdirnames(1000)
		for _, name := range names {
			if err := RemoveTree(directory, name); err != nil {
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
