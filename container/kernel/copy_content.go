package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// chunk is what is copied between two looks at whether to go on.
const chunk = 16 << 20

// content copies the content of a file: by reference where the file system can, else its data without the holes.
func (c *copier) content(from, to *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	if unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) == nil {
		return nil
	}
	for offset := int64(0); offset < size; {
		start, err := unix.Seek(int(from.Fd()), offset, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // only a hole is left
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := c.data(from, to, start, min(end, size)); err != nil {
			return err
		}
		offset = end
	}
	return to.Truncate(size)
}

// data copies from start to end, in the kernel where it can.
func (c *copier) data(from, to *os.File, start, end int64) error {
	for start < end {
		if c.ctx.Err() != nil {
			return errors.New("interrupted")
		}
		in, out := start, start
		n, err := unix.CopyFileRange(int(from.Fd()), &in, int(to.Fd()), &out, int(min(chunk, end-start)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && n == 0:
			return nil // it has become shorter
		case errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP):
			var copied int64
			copied, err = io.Copy(io.NewOffsetWriter(to, start), io.NewSectionReader(from, start, min(chunk, end-start)))
			if n = int(copied); err == nil && n == 0 {
				return nil
			}
		}
		if err != nil {
			return err
		}
		start += int64(n)
		c.report(Copied{c.done.Files, c.done.Bytes + start})
	}
	return nil
}

// copyOwner copies owner, mode and extended attributes, in this order: a change of owner takes set-user-ID bits and
// capabilities away, and a change of mode changes an ACL.
func copyOwner(from, to *os.File, st *unix.Stat_t) error {
	if err := unix.Fchown(int(to.Fd()), int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Fchmod(int(to.Fd()), st.Mode&0o7777); err != nil {
		return err
	}
	return copyAttributes(attributes{
		list: func(buffer []byte) (int, error) { return unix.Flistxattr(int(from.Fd()), buffer) },
		get:  func(name string, buffer []byte) (int, error) { return unix.Fgetxattr(int(from.Fd()), name, buffer) },
		set:  func(name string, value []byte) error { return unix.Fsetxattr(int(to.Fd()), name, value, 0) },
	})
}

// attributes are how extended attributes are read of one file and set on another.
type attributes struct {
	list func([]byte) (int, error)
	get  func(string, []byte) (int, error)
	set  func(string, []byte) error
}

// attributesAt are those of names that cannot be opened, without following a link.
func attributesAt(from, to *os.File, name string) attributes {
	source, target := fmt.Sprintf("/proc/self/fd/%d/%s", from.Fd(), name), fmt.Sprintf("/proc/self/fd/%d/%s", to.Fd(), name)
	return attributes{
		list: func(buffer []byte) (int, error) { return unix.Llistxattr(source, buffer) },
		get:  func(name string, buffer []byte) (int, error) { return unix.Lgetxattr(source, name, buffer) },
		set:  func(name string, value []byte) error { return unix.Lsetxattr(target, name, value, 0) },
	}
}

// copyAttributes copies all extended attributes, with ACLs and capabilities among them.
func copyAttributes(a attributes) error {
	names, err := readGrowing(a.list)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(names), "\x00"), "\x00") {
		if name == "" || strings.HasPrefix(name, "trusted.SGI_ACL_") { // how XFS keeps ACLs, which have a name of their own
			continue
		}
		value, err := readGrowing(func(buffer []byte) (int, error) { return a.get(name, buffer) })
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err == nil {
			err = a.set(name, value)
		}
		if err != nil {
			return fmt.Errorf("extended attribute %s: %w", name, err)
		}
	}
	return nil
}

// readGrowing calls read with a larger buffer until the value fits.
func readGrowing(read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buffer := make([]byte, size)
		n, err := read(buffer)
		if errors.Is(err, unix.ERANGE) && size < 1<<20 {
			continue
		}
		return buffer[:max(n, 0)], err
	}
}
