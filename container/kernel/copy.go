package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Copied counts what was copied so far.
type Copied struct {
	Files int   // of all types
	Bytes int64 // sizes of regular files
}

// copier copies one tree through descriptors. No name of either tree is ever followed as a link.
type copier struct {
	ctx    context.Context
	report func(Copied)
	root   *Root             // of the copy
	links  map[inode]*place  // where the copies of files with several names are
	skip   func(string) bool // names of the top directory
	done   Copied
}

type inode struct{ dev, ino uint64 }

func inodeOf(st *unix.Stat_t) inode { return inode{st.Dev, st.Ino} }

// maxDepth is how deep directories may be nested, which is more than anybody needs. Each takes two descriptors.
const maxDepth = 2048

// place is a path below the top of both trees. The paths of a deep tree together would be of quadratic length.
type place struct {
	above *place // nil: the top
	name  string
	depth int
}

func (p *place) below(name string) *place { return &place{p, name, p.depth + 1} }

func (p *place) String() string {
	names := make([]string, p.depth)
	for ; p.above != nil; p = p.above {
		names[p.depth-1] = p.name
	}
	return "/" + strings.Join(names, "/")
}

// open opens the place below the top with O_PATH. The path may be longer than the kernel takes at once.
func (p *place) open(root *Root) (*os.File, error) {
	const most = 10 // components of at most 255 bytes are less than 4096
	if p.depth <= most {
		return root.OpenPlain(p.String(), unix.O_PATH|unix.O_NOFOLLOW)
	}
	tail, top := "", p
	for range most {
		tail, top = path.Join(top.name, tail), top.above
	}
	directory, err := top.open(root)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	return (&Root{directory}).OpenPlain(tail, unix.O_PATH|unix.O_NOFOLLOW)
}

// CopyTree copies a directory to name in the directory parent, which must not have it yet: owners, modes, times, extended
// attributes with ACLs and capabilities, hard links, holes and special files, and file contents by reference where the file
// system can. What is mounted below, and names of the top directory that skip takes, stay out. report is called after each
// file. The caller removes what a failed copy leaves.
func CopyTree(ctx context.Context, directory string, parent *os.File, name string, skip func(string) bool, report func(Copied)) error {
	// A copy of the one mount shows what mounts below cover. Read-only and without devices, nothing that is opened has effects.
	tree, err := CloneTree(directory, false)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.SetAttributes(ReadOnly|NoDev|NoSUID|NoExec, false); err != nil {
		return err
	}
	from, err := openAt(tree.file, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer from.Close()
	c := &copier{ctx: ctx, report: report, links: make(map[inode]*place), skip: skip}
	return c.directory(from, parent, name, &place{})
}

// RenameNew gives a file a new path on the same file system, where nothing must be yet.
func RenameNew(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// openAt opens a name of a directory without following a link.
func openAt(directory *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(directory.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path.Join(directory.Name(), name), Err: err}
	}
	return os.NewFile(uintptr(fd), path.Join(directory.Name(), name)), nil
}

// openBelow is [openAt] for trees of any depth: the file is named by its last component alone.
func openBelow(directory *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(directory.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// directory copies an open directory to a new name.
func (c *copier) directory(from, parent *os.File, name string, where *place) error {
	if where.depth > maxDepth {
		return fmt.Errorf("directories are nested more than %d deep: %.200s…", maxDepth, where)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return failed("read", where, err)
	}
	// Nobody but root gets in before everything has its owner and mode.
	if err := unix.Mkdirat(int(parent.Fd()), name, 0o700); err != nil {
		return failed("make directory", where, err)
	}
	to, err := openBelow(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return failed("make directory", where, err)
	}
	defer to.Close()
	if c.root == nil {
		c.root = &Root{to}
	}
	for {
		names, err := from.Readdirnames(1000)
		for _, entry := range names {
			if where.depth == 0 && c.skip(entry) {
				continue
			}
			if err := c.entry(from, to, entry, where.below(entry)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return failed("read", where, err)
		}
	}
	if err := copyOwner(from, to, &st); err != nil {
		return failed("copy", where, err)
	}
	return c.finish(parent, name, where, &st)
}

func failed[Place string | *place](step string, where Place, err error) error {
	return fmt.Errorf("%s %v: %w", step, where, err)
}

// finish sets the times, which everything else changes, and counts.
func (c *copier) finish(parent *os.File, name string, where *place, st *unix.Stat_t) error {
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(int(parent.Fd()), name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return failed("set times of", where, err)
	}
	c.done.Files++
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		c.done.Bytes += st.Size
	}
	c.report(c.done)
	return nil
}

// entry copies one name. What vanished in the meantime is left out, what was exchanged is looked at again: the tree may be in use.
func (c *copier) entry(from, to *os.File, name string, where *place) error {
	var exchanged exchangedError
	for range 100 {
		err := c.try(from, to, name, where)
		if errors.Is(err, errVanished) {
			return nil
		}
		if !errors.As(err, &exchanged) {
			return err
		}
	}
	return failed("read", where, exchanged.error)
}

var errVanished = errors.New("vanished")

// exchangedError says that a name is not what it was a moment ago.
type exchangedError struct{ error }

func (c *copier) try(from, to *os.File, name string, where *place) error {
	if err := c.ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	var st unix.Stat_t
	err := unix.Fstatat(int(from.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return errVanished
	}
	if err != nil {
		return failed("read", where, err)
	}
	isDirectory := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if st.Nlink > 1 && !isDirectory {
		if first, known := c.links[inodeOf(&st)]; known {
			return c.link(first, to, name, where)
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR, unix.S_IFREG:
		err = c.opened(from, to, name, where, &st)
	default:
		err = c.special(from, to, name, where, &st)
	}
	if err == nil && st.Nlink > 1 && !isDirectory {
		c.links[inodeOf(&st)] = where
	}
	return err
}

// opened copies what is still what st says.
func (c *copier) opened(from, to *os.File, name string, where *place, expected *unix.Stat_t) error {
	// O_NONBLOCK: it may be a FIFO by now.
	file, err := openBelow(from, name, unix.O_RDONLY|unix.O_NONBLOCK)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errVanished
	case errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EACCES):
		return exchangedError{err} // a link, a socket, a device
	case err != nil:
		return failed("read", where, err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return failed("read", where, err)
	}
	if inodeOf(&st) != inodeOf(expected) {
		return exchangedError{errors.New("something else has this name time and again")}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return c.directory(file, to, name, where)
	}
	copied, err := openBelow(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return failed("make", where, err)
	}
	defer copied.Close()
	if err := c.content(file, copied, st.Size); err != nil {
		return failed("copy", where, err)
	}
	if err := copyOwner(file, copied, &st); err != nil {
		return failed("copy", where, err)
	}
	return c.finish(to, name, where, &st)
}

// link gives a file that was copied already another name.
func (c *copier) link(first *place, to *os.File, name string, where *place) error {
	file, err := first.open(c.root)
	if err != nil {
		return failed("link", where, err)
	}
	defer file.Close()
	if err := unix.Linkat(int(file.Fd()), "", int(to.Fd()), name, unix.AT_EMPTY_PATH); err != nil {
		return failed("link", where, err)
	}
	c.done.Files++
	c.report(c.done)
	return nil
}

// special copies what cannot be opened: links, devices, FIFOs and sockets.
func (c *copier) special(from, to *os.File, name string, where *place, st *unix.Stat_t) error {
	dir := int(to.Fd())
	var err error
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target := make([]byte, unix.PathMax)
		n, readErr := unix.Readlinkat(int(from.Fd()), name, target)
		if errors.Is(readErr, unix.ENOENT) || errors.Is(readErr, unix.EINVAL) {
			return exchangedError{readErr}
		}
		if err = readErr; err == nil {
			err = unix.Symlinkat(string(target[:n]), dir, name)
		}
	} else if err = unix.Mknodat(dir, name, st.Mode&unix.S_IFMT|0o600, int(st.Rdev)); err == nil {
		// The name is new and nobody else gets at it: it is no link.
		err = unix.Fchmodat(dir, name, st.Mode&0o7777, 0)
	}
	if err == nil {
		err = unix.Fchownat(dir, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = copyAttributes(attributesAt(from, to, name))
	}
	if err != nil {
		return failed("copy", where, err)
	}
	return c.finish(to, name, where, st)
}
