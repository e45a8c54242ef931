package dissect

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"testing"
	"unicode/utf16"
)

// part is a partition of an image that a test makes.
type part struct {
	kind       string // designator and architecture, "root/x86-64", or a type in hexadecimal digits
	label      string
	uuid       string // empty: of its own
	flags      uint64
	content    string // the file system, or nothing
	raw        []byte
	start, end uint64 // sectors; 0: after the one before
}

const partSectors = 256

// buildGPT makes an image with a partition table as sfdisk(8) does.
func buildGPT(t testing.TB, sectorSize int, parts ...part) []byte {
	t.Helper()
	total := 64 + partSectors*len(parts) + 64
	image := make([]byte, total*sectorSize)
	image[510], image[511], image[446+4] = 0x55, 0xaa, 0xee
	entries := make([]byte, 128*gptEntry)
	for i, p := range parts {
		e := entries[i*gptEntry:]
		putGUID(e, typeUUID(t, p.kind))
		if p.uuid == "" {
			p.uuid = hex.EncodeToString([]byte("partition number"))[:30] + hex.EncodeToString([]byte{byte(i)})
		}
		putGUID(e[16:], p.uuid)
		if p.start == 0 {
			p.start = uint64(64 + partSectors*i)
			p.end = p.start + partSectors - 1
		}
		binary.LittleEndian.PutUint64(e[32:], p.start)
		binary.LittleEndian.PutUint64(e[40:], p.end)
		binary.LittleEndian.PutUint64(e[48:], p.flags)
		for n, unit := range utf16.Encode([]rune(p.label)) {
			binary.LittleEndian.PutUint16(e[56+2*n:], unit)
		}
		if place := int(p.start) * sectorSize; place < len(image) {
			putFileSystem(t, image[place:], p.content)
			copy(image[place:], p.raw)
		}
	}
	entrySectors := len(entries) / sectorSize
	last := total - 1
	copy(image[2*sectorSize:], entries)
	copy(image[(last-entrySectors)*sectorSize:], entries)
	putHeader(image, sectorSize, 1, last, 2, entries)
	putHeader(image, sectorSize, last, 1, last-entrySectors, entries)
	return image
}

func putHeader(image []byte, sectorSize, where, other, entriesAt int, entries []byte) {
	h := image[where*sectorSize:]
	copy(h, gptSignature)
	binary.LittleEndian.PutUint32(h[8:], 0x10000)
	binary.LittleEndian.PutUint32(h[12:], gptHeader)
	binary.LittleEndian.PutUint64(h[24:], uint64(where))
	binary.LittleEndian.PutUint64(h[32:], uint64(other))
	binary.LittleEndian.PutUint64(h[40:], 34)
	binary.LittleEndian.PutUint64(h[48:], uint64(len(image)/sectorSize-34))
	binary.LittleEndian.PutUint64(h[72:], uint64(entriesAt))
	binary.LittleEndian.PutUint32(h[80:], 128)
	binary.LittleEndian.PutUint32(h[84:], gptEntry)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	sealHeader(h)
}

func sealHeader(h []byte) {
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:gptHeader]))
}

func typeUUID(t testing.TB, kind string) string {
	for _, known := range types {
		if kind == known.designator+"/"+known.architecture || kind == known.designator && known.architecture == "" || kind == known.uuid {
			return known.uuid
		}
	}
	if len(kind) != 32 {
		t.Fatalf("no partition type %s", kind)
	}
	return kind
}

func putGUID(data []byte, digits string) {
	id, _ := hex.DecodeString(digits)
	copy(data, []byte{id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6]})
	copy(data[8:], id[8:])
}

// putFileSystem puts the magic number of a file system where it belongs.
func putFileSystem(t testing.TB, place []byte, name string) {
	t.Helper()
	if name == "" {
		return
	}
	if name == "vfat" {
		copy(place[82:], "FAT32   ")
		place[510], place[511], place[12], place[13], place[16] = 0x55, 0xaa, 2, 1, 2
		return
	}
	for _, m := range magics {
		if m.name == name {
			copy(place[m.offset:], m.text)
			if name == "ext4" {
				binary.LittleEndian.PutUint32(place[1024+96:], 0x2c2) // extents, 64bit, flex_bg, filetype
			}
			return
		}
	}
	t.Fatalf("no magic number of %s", name)
}

// buildMBR makes an image with four rows: type, bootable, first sector, number of sectors.
func buildMBR(t testing.TB, content string, rows ...[4]int) []byte {
	t.Helper()
	image := make([]byte, 1024*sector)
	image[510], image[511] = 0x55, 0xaa
	for i, row := range rows {
		putRow(image, i, row)
		if place := row[2] * sector; place >= 0 && place < len(image)-70000 && row[0] != 5 {
			putFileSystem(t, image[place:], content)
		}
	}
	return image
}

func putRow(boot []byte, i int, row [4]int) {
	r := boot[mbrEntries+i*bytesPerMBRRow:]
	r[0], r[4] = byte(row[1]), byte(row[0])
	binary.LittleEndian.PutUint32(r[8:], uint32(row[2]))
	binary.LittleEndian.PutUint32(r[12:], uint32(row[3]))
}
