package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Flags of open(2): PathOnly opens a place rather than its content, NoFollow a link rather than where it leads.
const (
	PathOnly = unix.O_PATH
	NoFollow = unix.O_NOFOLLOW
	// WriteOnly opens a file to be written to, and never makes one.
	WriteOnly = unix.O_WRONLY
)

// ErrLink says that a path has a symbolic link where none is allowed.
var ErrLink error = unix.ELOOP

// Root is an open directory that paths are resolved inside of, as if it were "/" (openat2(2) RESOLVE_IN_ROOT): no symbolic
// link, absolute or with "..", leads out of it.
type Root struct{ dir *os.File }

// OpenRoot opens the directory at a path of the host.
func OpenRoot(directory string) (*Root, error) {
	dir, err := os.OpenFile(directory, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Root{dir}, nil
}

// RootOf is the directory of a tree as a root; it is closed with the tree.
func RootOf(tree Tree) *Root { return &Root{tree.file} }

// Close closes the directory.
func (r *Root) Close() error { return r.dir.Close() }

// File returns the open directory.
func (r *Root) File() *os.File { return r.dir }

// Open resolves a path inside the root with the O_* flags of openat2(2). Magic links of /proc are never followed.
func (r *Root) Open(name string, flags int) (*os.File, error) {
	return r.open(name, flags, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// OpenPlain is [Root.Open] for paths that must not contain a symbolic link at all.
func (r *Root) OpenPlain(name string, flags int) (*os.File, error) {
	return r.open(name, flags, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
}

func (r *Root) open(name string, flags int, mode, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags) | unix.O_CLOEXEC, Mode: mode, Resolve: resolve}
	for {
		fd, err := unix.Openat2(int(r.dir.Fd()), name, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue // a rename happened elsewhere while the path was walked
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), path.Join("/", name)), nil
	}
}

// ReadFile reads a regular file of at most limit bytes. Anything else (a FIFO, a device, a larger file) is an error and
// never blocks.
func (r *Root) ReadFile(name string, limit int64) ([]byte, error) {
	file, err := r.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("read %s: larger than %d bytes", name, limit)
	}
	return data, err
}

// ReadDir lists a directory.
func (r *Root) ReadDir(name string) ([]os.DirEntry, error) {
	directory, err := r.Open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	return directory.ReadDir(-1)
}

// RemoveDirectory removes an empty directory of the host, and nothing else.
func RemoveDirectory(name string) error {
	if err := unix.Rmdir(name); err != nil {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

// IsMountPoint reports whether an open place is the root of a mount.
func IsMountPoint(place *os.File) bool {
	var st unix.Statx_t
	err := unix.Statx(int(place.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// Exists reports whether the path leads to something inside the root.
func (r *Root) Exists(name string) bool {
	file, err := r.Open(name, unix.O_PATH)
	if err != nil {
		return false
	}
	file.Close()
	return true
}

// OpenDirectory opens a directory inside the root as a root of its own, following links inside.
func (r *Root) OpenDirectory(name string) (*Root, error) {
	dir, err := r.Open(name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Root{dir}, nil
}

// OpenPlainDirectory is [Root.OpenDirectory] for a path that must not contain a symbolic link.
func (r *Root) OpenPlainDirectory(name string) (*Root, error) {
	dir, err := r.OpenPlain(name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Root{dir}, nil
}

// Type returns type and mode of a name inside the root, without following a link there. A name that is missing is no error:
// found is false.
func (r *Root) Type(name string) (mode os.FileMode, found bool, err error) {
	file, err := r.Open(name, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	return info.Mode(), true, nil
}

// MakeDirectories creates a directory and its missing parents, each with the mode, owned by uid and gid, and returns it opened
// with O_PATH. No symbolic link is followed.
func (r *Root) MakeDirectories(name string, mode uint32, uid, gid int) (*os.File, error) {
	if file, err := r.OpenPlain(name, unix.O_PATH|unix.O_DIRECTORY); err == nil || !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	parent, err := r.MakeDirectories(path.Dir(path.Join("/", name)), mode, uid, gid)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	base := path.Base(name)
	switch err := unix.Mkdirat(int(parent.Fd()), base, mode); {
	case err == nil:
		if err := unix.Fchownat(int(parent.Fd()), base, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return nil, fmt.Errorf("change owner of %s: %w", name, err)
		}
	case !errors.Is(err, unix.EEXIST):
		return nil, fmt.Errorf("make directory %s: %w", name, err)
	}
	return r.OpenPlain(name, unix.O_PATH|unix.O_DIRECTORY)
}

// MakeMountPoint makes sure that something is at the path for a directory (or else a file) to be mounted on, and opens it
// with O_PATH. Symbolic links are followed inside the root.
func (r *Root) MakeMountPoint(name string, directory bool) (*os.File, error) {
	if file, err := r.Open(name, unix.O_PATH); err == nil || !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	parent, err := r.MakeMountPoint(path.Dir(path.Join("/", name)), true)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	base := path.Base(name)
	if directory {
		err = unix.Mkdirat(int(parent.Fd()), base, 0o755)
	} else {
		err = unix.Mknodat(int(parent.Fd()), base, unix.S_IFREG|0o600, 0)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make mount point %s: %w", name, err)
	}
	return r.Open(name, unix.O_PATH)
}

// MakeHome makes sure that there is something at the path: a directory of the user in directories of root. Symbolic links are
// followed inside the root.
func (r *Root) MakeHome(name string, uid, gid int) error {
	if r.Exists(name) {
		return nil
	}
	if parent := path.Dir(path.Join("/", name)); !r.Exists(parent) {
		if err := r.MakeHome(parent, 0, 0); err != nil {
			return err
		}
	}
	parent, err := r.Open(path.Dir(path.Join("/", name)), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer parent.Close()
	base := path.Base(name)
	switch err := unix.Mkdirat(int(parent.Fd()), base, 0o755); {
	case errors.Is(err, unix.EEXIST): // a link to nothing
		return nil
	case err != nil:
		return fmt.Errorf("make directory %s: %w", name, err)
	}
	return unix.Fchownat(int(parent.Fd()), base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

// OpenOrMakeFile opens what is at the path with O_PATH, and makes a file there if there is nothing. Symbolic links are followed
// inside the root, also one that leads to nothing yet.
func (r *Root) OpenOrMakeFile(name string) (*os.File, error) {
	file, err := r.Open(name, unix.O_PATH)
	if !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	made, err := r.open(name, unix.O_RDONLY|unix.O_CREAT|unix.O_NONBLOCK|unix.O_NOCTTY, 0o644, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		return nil, err
	}
	made.Close()
	return r.Open(name, unix.O_PATH)
}

// WriteFile gives a regular file the content, and makes it if there is none. Symbolic links are followed inside the root, also one that
// leads to nothing yet: what is not a regular file stays as it is, [ErrNotRegular].
func (r *Root) WriteFile(name string, data []byte) error {
	// O_NONBLOCK: a FIFO without reader fails with ENXIO rather than to wait for one.
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_NONBLOCK | unix.O_NOCTTY
	file, err := r.open(name, flags, 0o644, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return fmt.Errorf("write %s: %w", name, ErrNotRegular)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return overwrite(file, data)
}

// overwrite gives a file that is open for writing the content, or is [ErrNotRegular].
func overwrite(file *os.File, data []byte) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &os.PathError{Op: "write", Path: file.Name(), Err: ErrNotRegular}
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.Write(data)
	return err
}

// Owner returns the user and group that own an open file.
func Owner(file *os.File) (uid, gid uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return 0, 0, &os.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return st.Uid, st.Gid, nil
}

// WhereIs returns the path of the host that an open file has now.
func WhereIs(file *os.File) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
}

// Resolve returns the path inside the root that a path without ".." leads to when all links in it are followed. What is missing
// stays as it is written.
func (r *Root) Resolve(name string) (string, error) {
	base, err := WhereIs(r.dir)
	if err != nil {
		return "", err
	}
	missing := ""
	for name = path.Join("/", name); ; missing, name = path.Join(path.Base(name), missing), path.Dir(name) {
		file, err := r.Open(name, unix.O_PATH)
		if err == nil {
			defer file.Close()
			where, err := WhereIs(file)
			return path.Join("/", strings.TrimPrefix(where, base), missing), err
		}
		if !errors.Is(err, os.ErrNotExist) || name == "/" {
			return "", err
		}
	}
}
