package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Upper is the uppermost layer of an overlay that can be written to.
type Upper struct {
	Parent Tree   // of the directory that holds both
	Name   string // of the layer
	Work   string // of the working directory of the file system
}

// UserAttributes is the option of an overlay to keep its notes in extended attributes "user.overlay.", as systemd's mount stacks do.
const UserAttributes = "userxattr"

// Overlay makes an overlay file system (https://docs.kernel.org/filesystems/overlayfs.html) of trees, the uppermost first; upper
// (nil: none, it is read-only) is above them. The layers may be id-mapped: then files that the container makes get the owner on
// disk that they are shown with inside. extra are further options of the file system.
//
// Descriptors as layers need Linux 6.13, more than 4096 bytes of options a newer mount than mount(2): relative paths do both.
func (w *Workshop) Overlay(lower []Tree, upper *Upper, extra ...string) (Tree, error) {
	var names []string
	for _, tree := range lower {
		place, err := w.Place(tree, true)
		if err != nil {
			return Tree{}, err
		}
		names = append(names, filepath.Base(place))
	}
	options, flags := "lowerdir="+strings.Join(names, ":"), uintptr(unix.MS_RDONLY)
	if upper != nil {
		if _, err := w.Place(upper.Parent, true); err != nil {
			return Tree{}, err
		}
		directories, err := upper.open()
		if err != nil {
			return Tree{}, err
		}
		defer directories[0].Close()
		defer directories[1].Close()
		flags = 0
		options += fmt.Sprintf(",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", directories[0].Fd(), directories[1].Fd())
	}
	return w.mountOverlay(strings.Join(append([]string{options}, extra...), ","), flags)
}

// open opens both directories on one mount, which the file system demands, and through no link.
func (u *Upper) open() (directories [2]*os.File, err error) {
	parent := Root{u.Parent.file}
	if directories[0], err = parent.OpenPlain(u.Name, unix.O_PATH|unix.O_DIRECTORY); err != nil {
		return directories, err
	}
	directories[1], err = parent.OpenPlain(u.Work, unix.O_PATH|unix.O_DIRECTORY)
	return directories, err
}

func (w *Workshop) mountOverlay(options string, flags uintptr) (Tree, error) {
	place, err := w.newPlace(true)
	if err != nil {
		return Tree{}, err
	}
	if err := unix.Chdir(bench); err != nil {
		return Tree{}, err
	}
	if err := unix.Mount("overlay", place, "overlay", flags, options); err != nil {
		return Tree{}, fmt.Errorf("mount overlay (%s): %w", options, err)
	}
	return CloneTree(place, false)
}

// MakeIn makes a directory in an open one, owned by a user of the host whatever the umask; one that is there is an error.
func MakeIn(parent *os.File, name string, mode uint32, owner int) error {
	if err := unix.Mkdirat(int(parent.Fd()), name, mode); err != nil {
		return fmt.Errorf("make directory %s in %s: %w", name, parent.Name(), err)
	}
	return unix.Fchownat(int(parent.Fd()), name, owner, owner, unix.AT_SYMLINK_NOFOLLOW)
}

// SameFile reports whether two open files are one.
func SameFile(one, other *os.File) bool {
	var a, b unix.Stat_t
	return unix.Fstat(int(one.Fd()), &a) == nil && unix.Fstat(int(other.Fd()), &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// OpenParent opens the directory that an open directory is in, and returns its name there. The root directory of a mount is in
// none.
func OpenParent(directory *os.File) (parent *os.File, name string, err error) {
	path, err := WhereIs(directory)
	if err != nil {
		return nil, "", err
	}
	name = filepath.Base(path)
	fd, err := unix.Openat(int(directory.Fd()), "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", &os.PathError{Op: "open parent of", Path: path, Err: err}
	}
	parent = os.NewFile(uintptr(fd), filepath.Dir(path))
	tree, err := CloneTreeOf(parent, false) // shows what is below mounts
	if err != nil {
		parent.Close()
		return nil, "", err
	}
	defer tree.Close()
	below, err := (&Root{tree.file}).OpenPlain(name, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		defer below.Close()
	}
	if err != nil || !SameFile(below, directory) {
		parent.Close()
		return nil, "", fmt.Errorf("%s is a mount point, so that no working directory can be beside it on the same mount", path)
	}
	return parent, name, nil
}
