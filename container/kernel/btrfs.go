package kernel

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of btrfs, see linux/btrfs.h. Their arguments are pages.
const (
	btrfsSnapDestroy       = 0x5000940f
	btrfsInoLookup         = 0xd0009412
	btrfsSnapCreateV2      = 0x50009417
	btrfsGetSubvolRootref  = 0xd000943d
	btrfsSubvolGetFlags    = 0x80089419
	btrfsSubvolSetFlags    = 0x4008941a
	btrfsSubvolReadOnly    = 1 << 1
	subvolumeInode         = 256 // of the top directory of every subvolume
	btrfsRootrefsPerCall   = 255
	errOverflow            = unix.EOVERFLOW // there are more of them
	subvolumeNameMax       = 4039
	subvolumeNameMaxLegacy = 4087
)

type snapshotArguments struct {
	fd             int64
	transid, flags uint64
	unused         [4]uint64
	name           [4040]byte
}

type volumeArguments struct {
	fd   int64
	name [4088]byte
}

type rootrefArguments struct {
	minTree uint64
	items   [btrfsRootrefsPerCall]struct{ tree, directory uint64 }
	count   uint8
	_       [7]byte
}

type lookupArguments struct {
	tree, object uint64
	name         [4080]byte
}

func request(file *os.File, number uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), number, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

// IsSubvolume reports whether an open directory is the top of a btrfs subvolume.
func IsSubvolume(directory *os.File) bool {
	var fs unix.Statfs_t
	var st unix.Stat_t
	return unix.Fstatfs(int(directory.Fd()), &fs) == nil && fs.Type == unix.BTRFS_SUPER_MAGIC &&
		unix.Fstat(int(directory.Fd()), &st) == nil && st.Ino == subvolumeInode
}

// Snapshot takes a snapshot of a subvolume, with the subvolumes below it, as name in the directory parent, which is on the same
// file system. Names of the top directory that skip takes stay out, if they are subvolumes.
func Snapshot(subvolume, parent *os.File, name string, skip func(string) bool) error {
	if len(name) > subvolumeNameMax {
		return failed("snapshot", name, unix.ENAMETOOLONG)
	}
	arguments := snapshotArguments{fd: int64(subvolume.Fd())}
	copy(arguments.name[:], name)
	err := request(parent, btrfsSnapCreateV2, unsafe.Pointer(&arguments))
	if errors.Is(err, unix.ENOTTY) {
		err = ErrOtherFileSystem // not even a btrfs
	}
	if err != nil {
		return failed("snapshot", subvolume.Name(), err)
	}
	directories, err := directoriesOfSubvolumes(subvolume)
	if err != nil || len(directories) == 0 {
		return err
	}
	snapshot, err := openAt(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	for _, where := range directories {
		if err := snapshotBelow(&Root{subvolume}, &Root{snapshot}, where, skip); err != nil {
			return err
		}
	}
	return nil
}

// snapshotBelow takes snapshots of the subvolumes in one directory of a subvolume. In the snapshot an empty directory is in
// their place.
func snapshotBelow(from, to *Root, where string, skip func(string) bool) error {
	source, err := from.OpenPlain(where, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, os.ErrNotExist) {
		return nil // moved in the meantime
	}
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := to.OpenPlain(where, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer target.Close()
	names, err := source.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, name := range names {
		if where == "/" && skip(name) {
			_ = unix.Unlinkat(int(target.Fd()), name, unix.AT_REMOVEDIR)
			continue
		}
		child, err := openAt(source, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
		if err != nil {
			continue // no directory
		}
		if IsSubvolume(child) {
			if err = unix.Unlinkat(int(target.Fd()), name, unix.AT_REMOVEDIR); err == nil {
				err = Snapshot(child, target, name, func(string) bool { return false })
			}
		}
		child.Close()
		if err != nil {
			return failed("snapshot", child.Name(), err)
		}
	}
	return copyTimes(source, target)
}

// copyTimes gives a directory the times of another: putting snapshots into it has changed them.
func copyTimes(from, to *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return failed("read", from.Name(), err)
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(int(to.Fd()), ".", times, 0); err != nil {
		return failed("set times of", to.Name(), err)
	}
	return nil
}

// directoriesOfSubvolumes returns the directories of a subvolume that have subvolumes in them.
func directoriesOfSubvolumes(subvolume *os.File) ([]string, error) {
	var found []string
	seen := make(map[uint64]bool)
	var arguments rootrefArguments
	for {
		arguments.count = 0
		err := request(subvolume, btrfsGetSubvolRootref, unsafe.Pointer(&arguments))
		if err != nil && !errors.Is(err, errOverflow) {
			return nil, failed("list subvolumes of", subvolume.Name(), err)
		}
		for _, item := range arguments.items[:arguments.count] {
			if seen[item.directory] {
				continue
			}
			seen[item.directory] = true
			lookup := lookupArguments{object: item.directory}
			if err := request(subvolume, btrfsInoLookup, unsafe.Pointer(&lookup)); err != nil {
				continue // removed in the meantime
			}
			found = append(found, "/"+unix.ByteSliceToString(lookup.name[:]))
		}
		if err == nil {
			return found, nil
		}
	}
}

// destroySubvolume removes the subvolume of that name, unless there are subvolumes below it.
func destroySubvolume(parent *os.File, name string) error {
	directory, err := openAt(parent, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	isSubvolume := IsSubvolume(directory)
	if isSubvolume {
		var writable uint64
		_ = request(directory, btrfsSubvolSetFlags, unsafe.Pointer(&writable))
	}
	directory.Close()
	if !isSubvolume || len(name) > subvolumeNameMaxLegacy {
		return unix.EINVAL
	}
	var arguments volumeArguments
	copy(arguments.name[:], name)
	return request(parent, btrfsSnapDestroy, unsafe.Pointer(&arguments))
}
