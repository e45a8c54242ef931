package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BlockDevice is an open block device that was made of an image. It goes with its last user: who has it open, or mounted.
type BlockDevice struct{ file *os.File }

// Path returns the name of the device on the host.
func (d *BlockDevice) Path() string { return d.file.Name() }

// File returns the device, open for reading.
func (d *BlockDevice) File() *os.File { return d.file }

// Close gives the device back.
func (d *BlockDevice) Close() error { return d.file.Close() }

// Size returns the size in bytes.
func (d *BlockDevice) Size() (int64, error) {
	var size uint64
	if err := request(d.file, unix.BLKGETSIZE64, unsafe.Pointer(&size)); err != nil {
		return 0, fmt.Errorf("get size of %s: %w", d.Path(), err)
	}
	return int64(size), nil
}

// OpenImage opens a disk image, a regular file or a block device, and returns its size in bytes. What is read-only by itself is
// opened so, whatever was asked for. A block device that is in use is not opened for writing.
func OpenImage(path string, readOnly bool) (file *os.File, size int64, isReadOnly bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, false, err
	}
	isDevice := info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0
	if !isDevice && !info.Mode().IsRegular() {
		return nil, 0, false, fmt.Errorf("open %s: neither a regular file nor a block device", path)
	}
	const flags = unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	if !readOnly {
		exclusive := 0
		if isDevice {
			exclusive = unix.O_EXCL
		}
		file, err = os.OpenFile(path, unix.O_RDWR|flags|exclusive, 0)
		readOnly = errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
		if err == nil && isDevice && isReadOnlyDevice(file) { // the kernel only refuses to write
			readOnly = true
			file.Close()
		}
	}
	if readOnly {
		file, err = os.OpenFile(path, unix.O_RDONLY|flags, 0)
	}
	if err != nil {
		return nil, 0, false, err
	}
	if opened, err := file.Stat(); err != nil || opened.Mode().Type() != info.Mode().Type() {
		file.Close()
		return nil, 0, false, fmt.Errorf("open %s: it was exchanged", path)
	}
	if size = info.Size(); isDevice {
		if size, err = (&BlockDevice{file}).Size(); err != nil {
			file.Close()
		}
	}
	return file, size, readOnly, err
}

func isReadOnlyDevice(device *os.File) bool {
	state, err := unix.IoctlGetInt(int(device.Fd()), unix.BLKROGET)
	return err == nil && state != 0
}

// loopGetFree is LOOP_CTL_GET_FREE of linux/loop.h.
const loopGetFree = 0x4c82

// AttachLoop makes a block device of size bytes of an open image from offset on, with LO_FLAGS_AUTOCLEAR: it goes with its last
// user, however that ends.
func AttachLoop(image *os.File, offset, size, sectorSize int64, readOnly bool) (*BlockDevice, error) {
	control, err := os.OpenFile("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("disk images need loop devices: %w", err)
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(image.Fd()), Size: uint32(sectorSize)}
	config.Info.Offset, config.Info.Sizelimit, config.Info.Flags = uint64(offset), uint64(size), unix.LO_FLAGS_AUTOCLEAR
	copy(config.Info.File_name[:unix.LO_NAME_SIZE-1], image.Name())
	access := unix.O_RDWR
	if readOnly {
		config.Info.Flags |= unix.LO_FLAGS_READ_ONLY
		access = unix.O_RDONLY
	}
	for range 1000 {
		number, err := unix.IoctlRetInt(int(control.Fd()), loopGetFree)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), access|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("disk images need loop devices: %w", err)
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return &BlockDevice{device}, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else took it first
			return nil, fmt.Errorf("attach %s to %s: %w", image.Name(), device.Name(), err)
		}
	}
	return nil, errors.New("find a free loop device: others are always faster")
}

// WaitDetached waits until no loop device that goes by itself has the file at a path of the host as its image, and can be
// written to: what writes to it, of a container that was killed, is done then.
func WaitDetached(path string, patience time.Duration) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		device := writableLoopOf(path)
		if device == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is attached to /dev/%s, from which it may be written to: is it mounted?", path, device)
		}
	}
}

func writableLoopOf(path string) string {
	directories, _ := filepath.Glob("/sys/block/loop*/loop")
	for _, directory := range directories {
		read := func(name string) string {
			data, _ := os.ReadFile(filepath.Join(directory, name))
			return strings.TrimSuffix(string(data), "\n")
		}
		if read("backing_file") == path && read("autoclear") == "1" && read("../ro") == "0" {
			return filepath.Base(filepath.Dir(directory))
		}
	}
	return ""
}

// MountDevice mounts the file system of a type on a block device, detached.
func MountDevice(device *BlockDevice, fstype string, readOnly bool, attributes uint64, options ...Option) (Tree, error) {
	if readOnly {
		attributes |= ReadOnly
		options = append(options, Option{Name: "ro"})
	}
	tree, err := newFileSystem(fstype, device.Path(), attributes, options)
	switch {
	case errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("the kernel has no file system %s: %w", fstype, err)
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EUCLEAN): // which can be anything
		err = fmt.Errorf("%w; the kernel's log (dmesg) says why", err)
	}
	return tree, err
}

// Requests to change the size of a file system, see linux/ext4.h, linux/btrfs.h and xfs_fs.h.
const (
	ext4Resize  = 0x40086610
	btrfsResize = 0x50009403
	xfsGrow     = 0x4010586e
)

// GrowFileSystem makes the mounted file system of a type as large as its device; types that cannot grow are left alone.
func GrowFileSystem(tree Tree, fstype string, device *BlockDevice) error {
	size, err := device.Size()
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(tree.file.Fd()), &fs); err != nil {
		return err
	}
	root, err := openAt(tree.file, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer root.Close()
	blocks := uint64(size) / uint64(fs.Bsize)
	switch fstype {
	case "ext4":
		err = request(root, ext4Resize, unsafe.Pointer(&blocks))
	case "btrfs":
		var arguments volumeArguments
		copy(arguments.name[:], "max")
		err = request(root, btrfsResize, unsafe.Pointer(&arguments))
	case "xfs":
		var arguments [16]byte // blocks, and a percentage for inodes that stays
		binary.NativeEndian.PutUint64(arguments[:], blocks)
		binary.NativeEndian.PutUint32(arguments[8:], 25)
		err = request(root, xfsGrow, unsafe.Pointer(&arguments))
	}
	if err != nil {
		return fmt.Errorf("grow file system %s to %d bytes: %w", fstype, size, err)
	}
	return nil
}

// PrivateMounts are a mount namespace of the main thread, into which mounts of the host come and out of which none go. It ends
// with the process that has it open.
type PrivateMounts struct {
	Own, Host, Directory File // the namespace, that of the host, and the working directory there
	inside               bool
}

// EnterPrivateMounts makes the namespace and gives it to the thread. Only the main thread, which all steps run on, must do so; see
// [OnHost] for what the host is to see.
func EnterPrivateMounts() (*PrivateMounts, error) {
	m := &PrivateMounts{}
	var problems [3]error
	m.Host.File, problems[0] = os.Open(ownMounts)
	m.Directory.File, problems[1] = os.OpenFile(".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err := errors.Join(problems[:]...); err != nil {
		return nil, err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("make mount namespace: %w", err)
	}
	m.inside = true
	m.Own.File, problems[2] = os.Open(ownMounts)
	return m, errors.Join(problems[2], LeaveHostMounts())
}

// ownMounts is the mount namespace of the thread that opens it.
const ownMounts = "/proc/thread-self/ns/mnt"

// Enter brings the main thread into the namespace, if it is not there.
func (m *PrivateMounts) Enter() error {
	if m.inside {
		return nil
	}
	err := unix.Unshare(unix.CLONE_FS) // a condition of setns(2)
	if err == nil {
		err = unix.Setns(int(m.Own.Fd()), unix.CLONE_NEWNS)
	}
	if err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	m.inside = true
	return nil
}

// Leave brings the thread back to the mounts of the host and its working directory.
func (m *PrivateMounts) Leave() error {
	if err := unix.Setns(int(m.Host.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("return to the mount namespace of the host: %w", err)
	}
	m.inside = false
	if err := unix.Fchdir(int(m.Directory.Fd())); err != nil {
		return fmt.Errorf("return to the working directory: %w", err)
	}
	return nil
}

// Close ends the namespace, and its mounts go with it, when nobody is inside.
func (m *PrivateMounts) Close() error {
	return errors.Join(m.Own.Close(), m.Host.Close(), m.Directory.Close())
}

// OnHost calls do on another thread than the main one: where that has mounts of its own, what do mounts is nevertheless on the
// host.
func OnHost(do func() error) error {
	result := make(chan error)
	go func() { result <- do() }()
	return <-result
}

// AttachTo puts the tree onto a directory of this mount namespace.
func (t Tree) AttachTo(directory string) error { return t.attachAt(directory) }

// MarkedReadOnly reports whether a directory or a disk image is marked as one that nothing is written to, as machinectl(1)
// read-only does it.
func MarkedReadOnly(path string) bool {
	if errors.Is(unix.Access(path, unix.W_OK), unix.EROFS) {
		return true
	}
	file, err := os.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return false
	case info.Mode().IsRegular():
		return info.Mode()&0o222 == 0
	case !info.IsDir():
		return false
	}
	var flags uint64
	if IsSubvolume(file) && request(file, btrfsSubvolGetFlags, unsafe.Pointer(&flags)) == nil && flags&btrfsSubvolReadOnly != 0 {
		return true
	}
	attributes, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	return err == nil && attributes&unix.STATX_ATTR_IMMUTABLE != 0 // the same bit in both interfaces
}

// Attribute returns the value of an extended attribute of a file, nothing if it has none or cannot have one.
func Attribute(path, name string) (string, error) {
	value, err := readGrowing(func(buffer []byte) (int, error) { return unix.Getxattr(path, name, buffer) })
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
		return "", nil
	}
	return string(value), err
}

// CopyImage returns a copy of an open image in a file without a name, beside the one at path, which so goes with its last user.
func CopyImage(ctx context.Context, image *os.File, size int64, path string, report func(Copied)) (*os.File, error) {
	directory := filepath.Dir(path)
	file, err := os.OpenFile(directory, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a file without name in %s: %w", directory, err)
	}
	if err := (&copier{ctx: ctx, report: report}).content(image, file, size); err != nil {
		file.Close()
		return nil, fmt.Errorf("copy %s: %w", path, err)
	}
	return file, nil
}
