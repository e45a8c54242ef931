package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// idMask is the part of a user or group that stays when a file goes from one range of users to another.
const idMask = 0xFFFF

// pendingAttribute has what a change of owner takes from a file, mode and capabilities, while that is done: who is killed in
// between leaves it to the next run.
const pendingAttribute = "trusted.nspawnkit.chown"

// chowner gives a tree to another range of users.
type chowner struct {
	ctx    context.Context
	start  uint32
	report func(Copied)
	done   Copied
}

// ChownTree gives all files of a detached tree to the range of 65536 users from start on: owners, groups, and the users and
// groups in access control lists and capabilities keep their lower 16 bits. Modes stay. No link is followed, no other mount
// entered. While it works the tree's root belongs to the range busy; the range start it gets last, so that whoever is killed, this
// or systemd-nspawn, can go on later. report is called after each file.
func ChownTree(ctx context.Context, tree Tree, start, busy uint32, report func(Copied)) error {
	root, err := openAt(tree.file, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer root.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		return failed("read", "/", err)
	}
	if err := unix.Fchown(int(root.Fd()), int(busy|st.Uid&idMask), int(busy|st.Gid&idMask)); err != nil {
		return failed("mark", "/", readOnlyError(tree, err))
	}
	c := &chowner{ctx: ctx, start: start, report: report}
	return c.directory(root, "/")
}

// readOnlyError names the file system that cannot be written to.
func readOnlyError(tree Tree, err error) error {
	if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w (file system %s)", err, fileSystemName(tree.file))
	}
	return err
}

// directory changes what is in an open directory, and then that itself.
func (c *chowner) directory(directory *os.File, where string) error {
	for {
		names, err := directory.Readdirnames(1000)
		for _, name := range names {
			if err := c.entry(directory, name, path.Join(where, name)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return c.change(int(directory.Fd()), where)
		}
		if err != nil {
			return failed("read", where, err)
		}
	}
}

func (c *chowner) entry(directory *os.File, name, where string) error {
	if c.ctx.Err() != nil {
		return errors.New("interrupted")
	}
	fd, err := unix.Openat(int(directory.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("open", where, err)
	}
	place := os.NewFile(uintptr(fd), where)
	defer place.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return failed("read", where, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return c.change(fd, where)
	}
	opened, err := openAt(place, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return failed("open", where, err)
	}
	defer opened.Close()
	return c.directory(opened, where)
}

// change changes one file, through a descriptor that may be of O_PATH.
func (c *chowner) change(fd int, where string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return failed("read", where, err)
	}
	f := chownedFile{fd: fd, link: fmt.Sprintf("/proc/self/fd/%d", fd), mode: st.Mode}
	if err := f.shift(&st, c.start); err != nil {
		return failed("change owner of", where, err)
	}
	c.done.Files++
	c.report(c.done)
	return nil
}

// chownedFile is a file whose owner changes. The link of /proc is the file itself, also where that is a link.
type chownedFile struct {
	fd   int
	link string
	mode uint32
}

func (f chownedFile) shift(st *unix.Stat_t, start uint32) error {
	attributes, err := f.attributes()
	if err != nil {
		return err
	}
	if st.Uid&^idMask != start || st.Gid&^idMask != start || attributes[pendingAttribute] != nil {
		if err := f.chown(int(start|st.Uid&idMask), int(start|st.Gid&idMask), attributes); err != nil {
			return err
		}
	}
	for name, value := range attributes {
		shifted := value
		switch name {
		case "system.posix_acl_access", "system.posix_acl_default":
			shifted = ShiftACL(value, start)
		case capabilityAttribute:
			shifted = ShiftCapability(value, start)
		}
		if string(shifted) != string(value) {
			if err := unix.Setxattr(f.link, name, shifted, 0); err != nil {
				return fmt.Errorf("extended attribute %s: %w", name, err)
			}
		}
	}
	if attributes[pendingAttribute] != nil {
		return unix.Removexattr(f.link, pendingAttribute)
	}
	return nil
}

const capabilityAttribute = "security.capability"

// chown changes owner and group, which takes set-user-ID bits and capabilities from a file, and gives those back.
func (f chownedFile) chown(uid, gid int, attributes map[string][]byte) error {
	mode, kept := f.mode, attributes[capabilityAttribute]
	if pending := attributes[pendingAttribute]; len(pending) >= 4 {
		mode, kept = binary.LittleEndian.Uint32(pending), pending[4:]
	} else if loses := mode&unix.S_IFMT == unix.S_IFREG && (mode&(unix.S_ISUID|unix.S_ISGID) != 0 || kept != nil); loses {
		pending = append(binary.LittleEndian.AppendUint32(nil, mode), kept...)
		switch err := unix.Setxattr(f.link, pendingAttribute, pending, 0); {
		case err == nil:
			attributes[pendingAttribute] = pending
		case !errors.Is(err, unix.EOPNOTSUPP):
			return err
		}
	}
	if err := unix.Fchownat(f.fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if mode&unix.S_IFMT != unix.S_IFLNK && mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		if err := unix.Chmod(f.link, mode&0o7777); err != nil {
			return err
		}
	}
	if len(kept) == 0 {
		return nil
	}
	attributes[capabilityAttribute] = kept
	return unix.Setxattr(f.link, capabilityAttribute, kept, 0)
}

// attributes returns the extended attributes that have users in them.
func (f chownedFile) attributes() (map[string][]byte, error) {
	if f.mode&unix.S_IFMT == unix.S_IFLNK {
		return nil, nil
	}
	list, err := readGrowing(func(buffer []byte) (int, error) { return unix.Listxattr(f.link, buffer) })
	if errors.Is(err, unix.EOPNOTSUPP) || len(list) == 0 && err == nil {
		return map[string][]byte{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	values := make(map[string][]byte)
	for _, name := range strings.Split(strings.TrimRight(string(list), "\x00"), "\x00") {
		switch name {
		case "system.posix_acl_access", "system.posix_acl_default", capabilityAttribute, pendingAttribute:
			value, err := readGrowing(func(buffer []byte) (int, error) { return unix.Getxattr(f.link, name, buffer) })
			if err != nil {
				return nil, fmt.Errorf("extended attribute %s: %w", name, err)
			}
			values[name] = value
		}
	}
	return values, nil
}
