package dissect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Names of what is no file system but may be in its place, as of blkid(8).
const (
	LUKS       = "crypto_LUKS"
	VerityHash = "DM_verity_hash"
)

// magic is what is found at a fixed place of a file system.
type magic struct {
	name   string
	offset int64
	text   string
}

// magics are those of the file systems that are mounted, and of what users are told by name that it is not.
var magics = [...]magic{
	{"btrfs", 0x10040, "_BHRfS_M"},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0"},
	{"ext4", 1080, "\x53\xef"},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"squashfs", 0, "hsqs"},
	{"xfs", 0, "XFSB"},
	{LUKS, 0, "LUKS\xba\xbe"},
	{VerityHash, 0, "verity\x00\x00"},
	{"iso9660", 0x8001, "CD001"},
	{"swap", 4086, "SWAPSPACE2"},
	{"swap", 4086, "SWAP-SPACE"},
	{"LVM2_member", 0x218, "LVM2 001"},
	{"ntfs", 3, "NTFS    "},
	{"BitLocker", 3, "-FVE-FS-"},
}

// FileSystem returns the type of what is in size bytes from offset on, as mount(8) calls it, or nothing if it is none that is
// known. The magic numbers of two types at once are an error, as for blkid(8): each reader would see something else.
func FileSystem(r io.ReaderAt, offset, size int64) (string, error) {
	var found []string
	for _, m := range magics {
		if m.offset+int64(len(m.text)) > size {
			continue
		}
		data, err := at(r, offset+m.offset, len(m.text))
		if err != nil {
			return "", fmt.Errorf("look for file system %s: %w", m.name, err)
		}
		if string(data) == m.text {
			found = append(found, m.name)
		}
	}
	if isFAT(r, offset, size) {
		found = append(found, "vfat")
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		if found[0] == "ext4" {
			return extVersion(r, offset)
		}
		return found[0], nil
	}
	return "", fmt.Errorf("it looks like %s at once: remove what is left of the others with wipefs(8)", strings.Join(found, " and "))
}

// extVersion tells ext4 from its elders by the features, as blkid(8) does.
func extVersion(r io.ReaderAt, offset int64) (string, error) {
	const (
		hasJournal     = 0x4
		olderIncompat  = 0x2 | 0x4 | 0x10 // filetype, recover, meta_bg
		olderReadOnly  = 0x1 | 0x2 | 0x4  // sparse_super, large_file, btree_dir
		journalDevice  = 0x8
		superblock     = 1024
		featuresOffset = 92
	)
	data, err := at(r, offset+superblock+featuresOffset, 12)
	if err != nil {
		return "", fmt.Errorf("read ext4 superblock: %w", err)
	}
	compat, incompat, readOnly := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:]), binary.LittleEndian.Uint32(data[8:])
	switch {
	case incompat&journalDevice != 0:
		return "jbd", nil
	case incompat&^olderIncompat != 0 || readOnly&^olderReadOnly != 0:
		return "ext4", nil
	case compat&hasJournal != 0:
		return "ext3", nil
	}
	return "ext2", nil
}

// isFAT reports whether there is a FAT file system: the boot sector has no magic number that others do not have, too.
func isFAT(r io.ReaderAt, offset, size int64) bool {
	if size < 512 {
		return false
	}
	sector, err := at(r, offset, 512)
	if err != nil || sector[510] != 0x55 || sector[511] != 0xaa {
		return false
	}
	if !bytes.Equal(sector[82:87], []byte("FAT32")) && !bytes.Equal(sector[54:57], []byte("FAT")) {
		return false
	}
	bytesPerSector, perCluster, tables := binary.LittleEndian.Uint16(sector[11:]), sector[13], sector[16]
	return bytesPerSector >= 512 && bytesPerSector <= 4096 && bytesPerSector&(bytesPerSector-1) == 0 &&
		perCluster != 0 && perCluster&(perCluster-1) == 0 && (tables == 1 || tables == 2)
}

// mountable are the file systems that an image may have, as of systemd.image-policy(7): those whose drivers are maintained
// well enough for data that somebody else made.
const mountable = "btrfs erofs ext4 f2fs squashfs vfat xfs"

// checkMountable refuses what is not mounted, by name.
func checkMountable(fileSystem string) error {
	switch {
	case fileSystem == "":
		return errors.New("no file system that is known: not one of " + mountable)
	case !hasWord(mountable, fileSystem):
		return fmt.Errorf("file system %s is not mounted from images, only %s", fileSystem, mountable)
	}
	return nil
}

func hasWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}

// AlwaysReadOnly reports whether nothing can be written to file systems of the type.
func AlwaysReadOnly(fileSystem string) bool { return hasWord("erofs squashfs", fileSystem) }
