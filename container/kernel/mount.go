package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Tree is a detached mount (open_tree(2), fsmount(2)): it is nowhere in the file system until [Tree.Attach], so nobody can
// exchange a path below it in the meantime.
type Tree struct{ file *os.File }

// TreeFromFile takes over a detached mount that came through a socket.
func TreeFromFile(file *os.File) Tree { return Tree{file} }

// File returns the descriptor, to be passed on.
func (t Tree) File() *os.File { return t.file }

// Root returns the tree as a directory that paths are resolved inside of. It is closed with the tree.
func (t Tree) Root() *Root { return &Root{t.file} }

// Close drops the tree; a tree that was attached stays where it is.
func (t Tree) Close() error { return t.file.Close() }

// CloneTree copies the mount at path, with everything mounted below it if recursive, as bind mounts do.
func CloneTree(path string, recursive bool) (Tree, error) {
	return cloneTreeAt(unix.AT_FDCWD, path, path, recursive, 0)
}

// CloneTreeOf copies the mount that an open file is on, from that file on.
func CloneTreeOf(file *os.File, recursive bool) (Tree, error) {
	return cloneTreeAt(int(file.Fd()), "", file.Name(), recursive, unix.AT_EMPTY_PATH)
}

func cloneTreeAt(dir int, path, name string, recursive bool, flags uint) (Tree, error) {
	flags |= unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(dir, path, flags)
	if err != nil {
		return Tree{}, fmt.Errorf("clone mount %s: %w", name, err)
	}
	tree := Tree{os.NewFile(uintptr(fd), name)}
	// A copy is in the peer group of its original: without this, what the container mounts below would appear on the host.
	if err := tree.setattr("stop propagation from", unix.MountAttr{Propagation: unix.MS_SLAVE}, true); err != nil {
		tree.Close()
		return Tree{}, err
	}
	return tree, nil
}

// Option is one option of a file system, "size=10%" or a flag without value.
type Option struct{ Name, Value string }

// ParseOption reads an option as mount(8) has it, "NAME=VALUE" or "NAME".
func ParseOption(text string) Option {
	name, value, _ := strings.Cut(text, "=")
	return Option{name, value}
}

// NewFileSystem makes a new instance of a file system type (fsopen(2)) with the mount attributes MOUNT_ATTR_*.
func NewFileSystem(fstype string, attributes uint64, options ...Option) (Tree, error) {
	return newFileSystem(fstype, fstype, attributes, options)
}

func newFileSystem(fstype, source string, attributes uint64, options []Option) (Tree, error) {
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return Tree{}, fmt.Errorf("open file system %s: %w", fstype, err)
	}
	defer unix.Close(fd)
	for _, option := range append(options, Option{"source", source}) {
		if option.Value == "" {
			err = unix.FsconfigSetFlag(fd, option.Name)
		} else {
			err = unix.FsconfigSetString(fd, option.Name, option.Value)
		}
		if err != nil {
			return Tree{}, fmt.Errorf("set option %s=%s of file system %s: %w", option.Name, option.Value, fstype, explained(fd, err))
		}
	}
	if err := unix.FsconfigCreate(fd); err != nil {
		return Tree{}, fmt.Errorf("create file system %s: %w", fstype, explained(fd, err))
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, int(attributes))
	if err != nil {
		return Tree{}, fmt.Errorf("mount file system %s: %w", fstype, err)
	}
	return Tree{os.NewFile(uintptr(mount), fstype)}, nil
}

// explained adds what the file system says of an error, which it keeps for the reader of its context.
func explained(context int, err error) error {
	message := make([]byte, 1024)
	n, readErr := unix.Read(context, message)
	if text, isError := strings.CutPrefix(string(message[:max(n, 0)]), "e "); readErr == nil && isError {
		return fmt.Errorf("%w (%s)", err, strings.TrimSpace(text))
	}
	return err
}

// Mount attributes, see mount_setattr(2).
const (
	ReadOnly         = unix.MOUNT_ATTR_RDONLY
	NoSUID           = unix.MOUNT_ATTR_NOSUID
	NoDev            = unix.MOUNT_ATTR_NODEV
	NoExec           = unix.MOUNT_ATTR_NOEXEC
	StrictAccessTime = unix.MOUNT_ATTR_STRICTATIME
	NoSymlinkFollow  = unix.MOUNT_ATTR_NOSYMFOLLOW
)

// SetAttributes adds mount attributes to the tree, with everything mounted below it if recursive.
func (t Tree) SetAttributes(attributes uint64, recursive bool) error {
	return t.setattr("set mount attributes of", unix.MountAttr{Attr_set: attributes}, recursive)
}

// MapIDs makes the tree an id-mapped mount: an owner N on disk appears as the user that N is mapped to in the user namespace.
// The error names the file system when it cannot be id-mapped.
func (t Tree) MapIDs(userns *os.File, recursive bool) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns.Fd())}
	err := t.setattr("id-map", attr, recursive)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return t.findUnmappable(userns, recursive, err)
	}
	return err
}

// findUnmappable names the mount that cannot be id-mapped: the tree, or one below the place that it is a copy of.
func (t Tree) findUnmappable(userns *os.File, recursive bool, err error) error {
	whole := UnmappableError{t.file.Name(), fileSystemName(t.file), err}
	if !recursive {
		return whole
	}
	places, listErr := mountsBelow(t.file.Name())
	if listErr != nil {
		return whole
	}
	for _, place := range places {
		copied, cloneErr := CloneTree(place, false)
		if cloneErr != nil {
			continue
		}
		unmappable := UnmappableError{}
		found := errors.As(copied.MapIDs(userns, false), &unmappable)
		copied.Close()
		if found {
			return unmappable
		}
	}
	return whole
}

// mountsBelow lists the mount points of this mount namespace at a path or below it.
func mountsBelow(path string) (places []string, err error) {
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	for line := range strings.Lines(string(table)) {
		place := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(strings.Fields(line)[4])
		if place == path || strings.HasPrefix(place, strings.TrimSuffix(path, "/")+"/") {
			places = append(places, place)
		}
	}
	return places, err
}

// CheckMapping returns an [UnmappableError] if the file system of a place in this mount namespace cannot be id-mapped. It is tried
// on a copy of the mount; kernels before 6.15 copy none of a detached tree.
func CheckMapping(place *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(place.Fd()), &st); err != nil {
		return &os.PathError{Op: "statfs", Path: place.Name(), Err: err}
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC:
		return nil // in all kernels that we run on: no need to try, which takes a process
	}
	users, err := NewIDMap(0, 1, 1)
	if err != nil {
		return err
	}
	defer users.Close()
	tree, err := CloneTreeOf(place, false)
	if err != nil {
		return err
	}
	defer tree.Close()
	return tree.MapIDs(users, false)
}

// UnmappableError says that the file system of a tree, or one mounted below it, cannot be id-mapped.
type UnmappableError struct {
	Path, FileSystem string
	Err              error
}

func (e UnmappableError) Error() string {
	if errors.Is(e.Err, unix.EPERM) {
		return fmt.Sprintf("%s (file system %s) is id-mapped already, or cannot be", e.Path, e.FileSystem)
	}
	return fmt.Sprintf("the kernel cannot id-map %s (file system %s)", e.Path, e.FileSystem)
}

func (e UnmappableError) Unwrap() error { return e.Err }

func (t Tree) setattr(step string, attr unix.MountAttr, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	if err := unix.MountSetattr(int(t.file.Fd()), "", flags, &attr); err != nil {
		return fmt.Errorf("%s %s: %w", step, t.file.Name(), err)
	}
	return nil
}

// Attach puts the tree onto the open directory or file target.
func (t Tree) Attach(target *os.File) error {
	err := unix.MoveMount(int(t.file.Fd()), "", int(target.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", t.file.Name(), target.Name(), err)
	}
	return nil
}

// SetPropagation changes how mounts below "/" propagate: unix.MS_SLAVE or unix.MS_SHARED.
func setPropagation(flag uintptr) error {
	if err := unix.Mount("", "/", "", flag|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("change mount propagation of /: %w", err)
	}
	return nil
}

// LeaveHostMounts stops mounts of this mount namespace from reaching the host, while unmounts of the host still arrive.
func LeaveHostMounts() error { return setPropagation(unix.MS_SLAVE) }

// ShareMounts makes mounts propagate to mount namespaces that the payload's services create.
func ShareMounts() error { return setPropagation(unix.MS_SHARED) }

// MakeSlave lets a mount get what is mounted below it outside, and pass nothing on. What appears there can be moved elsewhere,
// which the kernel permits of mounts below one that is not shared only.
func MakeSlave(path string) error {
	if err := unix.Mount("", path, "", unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("change propagation of %s: %w", path, err)
	}
	return nil
}

// PivotRoot makes the tree the root of this mount namespace and drops all mounts of the host from it, see pivot_root(2).
func PivotRoot(tree Tree) error {
	// Any directory will do to hang the tree on: the whole tree around it is dropped below. /run is there on every host.
	place, err := os.OpenFile("/run", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer place.Close()
	if err := tree.Attach(place); err != nil {
		return err
	}
	if err := unix.Fchdir(int(tree.file.Fd())); err != nil {
		return fmt.Errorf("change directory to %s: %w", tree.file.Name(), err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root to %s: %w", tree.file.Name(), err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the host's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("change directory to /: %w", err)
	}
	return nil
}

// UnmountAll takes away everything that is mounted at a path, however often; nothing is no error.
func UnmountAll(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
}

// SetRootReadOnly makes the root mount of this mount namespace read-only, but none of the mounts below it.
func SetRootReadOnly() error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &attr); err != nil {
		return fmt.Errorf("make / read-only: %w", err)
	}
	return nil
}

// fileSystemName names the file system a file is on, as far as the common ones go.
func fileSystemName(file *os.File) string {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &st); err != nil {
		return "unknown"
	}
	names := map[int64]string{
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs", unix.TMPFS_MAGIC: "tmpfs",
		unix.EXT4_SUPER_MAGIC: "ext4", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.XFS_SUPER_MAGIC: "xfs",
		unix.FUSE_SUPER_MAGIC: "fuse", unix.SQUASHFS_MAGIC: "squashfs", unix.RAMFS_MAGIC: "ramfs",
		unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.CGROUP2_SUPER_MAGIC: "cgroup2", unix.DEVPTS_SUPER_MAGIC: "devpts",
		unix.V9FS_MAGIC: "9p", unix.SMB2_SUPER_MAGIC: "cifs", unix.CEPH_SUPER_MAGIC: "ceph", unix.F2FS_SUPER_MAGIC: "f2fs",
		unix.MSDOS_SUPER_MAGIC: "vfat", unix.EXFAT_SUPER_MAGIC: "exfat", unix.EROFS_SUPER_MAGIC_V1: "erofs", 0x2fc12fc1: "zfs", 0x19800202: "mqueue",
	}
	if name, ok := names[int64(st.Type)]; ok {
		return name
	}
	return fmt.Sprintf("with magic number %#x", st.Type)
}
