package kernel

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Node is a file to be made in a new file system. Parents come before children.
type Node struct {
	Path         string
	Mode         uint32 // with the file type of mknod(2), [Directory], [Character], …
	Major, Minor uint32
	Link         string // target, for [Link]
	Data         string // content, for [Regular]
	Optional     bool   // leave it out where the device policy of the unit does not permit it
}

// File types of mknod(2).
const (
	Socket    = unix.S_IFSOCK
	Link      = unix.S_IFLNK
	Regular   = unix.S_IFREG
	Block     = unix.S_IFBLK
	Directory = unix.S_IFDIR
	Character = unix.S_IFCHR
	FIFO      = unix.S_IFIFO
)

// MakeNodes makes files in a tree that nobody else can reach yet, owned by uid and gid. A directory may be asked for again.
func (t Tree) MakeNodes(nodes []Node, uid, gid int) error {
	defer unix.Umask(unix.Umask(0))
	for _, node := range nodes {
		err := t.makeNode(node, uid, gid)
		if node.Optional && errors.Is(err, unix.EPERM) {
			continue
		}
		if err != nil {
			return fmt.Errorf("make %s in %s: %w", node.Path, t.file.Name(), err)
		}
	}
	return nil
}

func (t Tree) makeNode(node Node, uid, gid int) error {
	dir := int(t.file.Fd())
	switch node.Mode & unix.S_IFMT {
	case Link:
		if err := unix.Symlinkat(node.Link, dir, node.Path); err != nil {
			return err
		}
		return unix.Fchownat(dir, node.Path, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	case Directory:
		if err := unix.Mkdirat(dir, node.Path, node.Mode&^unix.S_IFMT); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	default:
		device := int(unix.Mkdev(node.Major, node.Minor))
		if err := unix.Mknodat(dir, node.Path, node.Mode, device); err != nil {
			return err
		}
	}
	if err := t.writeNode(node); err != nil {
		return err
	}
	return unix.Fchownat(dir, node.Path, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (t Tree) writeNode(node Node) error {
	if node.Data == "" {
		return nil
	}
	fd, err := unix.Openat(int(t.file.Fd()), node.Path, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), node.Path)
	_, err = file.WriteString(node.Data)
	return errors.Join(err, file.Close())
}
