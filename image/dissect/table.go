package dissect

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// entry is a partition as its table has it, in bytes.
type entry struct {
	number       int // as in /dev/sda1
	offset, size int64
	kind         string // GPT: type UUID, 32 hexadecimal digits; MBR: type, two of them
	uuid         string // GPT
	label        string // GPT
	flags        uint64 // GPT: attributes; MBR: 0x80 if bootable
}

// partitionTable is a partition table: "gpt" or "dos".
type partitionTable struct {
	kind       string
	sectorSize int64
	entries    []entry
}

const (
	sector         = 512
	gptProtective  = 0xee
	maxLogical     = 128 // of an extended partition
	mbrEntries     = 446
	mbrBootable    = 0x80
	mbrLinux       = "83"
	mbrBootLoader  = "ea" // XBOOTLDR, see the Boot Loader Specification
	extendedTypes  = "05 0f 85"
	bytesPerMBRRow = 16
)

// readTable reads the partition table. No table is no error: then it is nil.
func readTable(r io.ReaderAt, size int64) (*partitionTable, error) {
	if size < sector {
		return nil, nil
	}
	boot, err := at(r, 0, sector)
	if err != nil {
		return nil, err
	}
	if boot[510] != 0x55 || boot[511] != 0xaa {
		return nil, nil
	}
	var table *partitionTable
	protective := false
	for i := range 4 {
		protective = protective || boot[mbrEntries+i*bytesPerMBRRow+4] == gptProtective
	}
	if protective {
		table, err = readGPT(r, size)
	} else {
		table, err = readMBR(r, boot)
	}
	if err != nil {
		return nil, err
	}
	return table, table.check(size)
}

// check makes sure that partitions are inside the image and apart from each other.
func (t *partitionTable) check(size int64) error {
	slices.SortStableFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.offset, b.offset) })
	for i, e := range t.entries {
		switch {
		case e.size <= 0 || e.offset < 0:
			return fmt.Errorf("partition %d has no valid size", e.number)
		case e.offset > size || e.size > size-e.offset:
			return fmt.Errorf("partition %d ends at byte %d, beyond the end of the image at %d: the image is truncated", e.number, uint64(e.offset)+uint64(e.size), size)
		case i > 0 && t.entries[i-1].offset+t.entries[i-1].size > e.offset:
			return fmt.Errorf("partitions %d and %d overlap", t.entries[i-1].number, e.number)
		}
	}
	slices.SortStableFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// readMBR reads the four primary partitions, and the chain of logical ones.
func readMBR(r io.ReaderAt, boot []byte) (*partitionTable, error) {
	table := &partitionTable{kind: "dos", sectorSize: sector}
	extended := int64(0)
	for i := range 4 {
		e, used := mbrRow(boot, i, 0)
		switch e.number = i + 1; {
		case !used:
		case hasWord(extendedTypes, e.kind):
			extended = e.offset
		default:
			table.entries = append(table.entries, e)
		}
	}
	number := 5
	for next := extended; next != 0; {
		if number == 5+maxLogical {
			return nil, fmt.Errorf("the extended partition has more than %d logical ones, or they are a circle", maxLogical)
		}
		link, err := at(r, next, sector)
		if err != nil {
			return nil, fmt.Errorf("read logical partition %d: %w", number, err)
		}
		if link[510] != 0x55 || link[511] != 0xaa {
			return nil, fmt.Errorf("logical partition %d is not valid", number)
		}
		e, used := mbrRow(link, 0, next)
		if e.number = number; used {
			table.entries = append(table.entries, e)
		}
		number++
		following, used := mbrRow(link, 1, extended)
		if next = following.offset; !used || !hasWord(extendedTypes, following.kind) {
			next = 0
		}
	}
	return table, nil
}

// mbrRow reads a row of a boot sector, whose places count from base on. Types and sizes of 0 are free rows.
func mbrRow(boot []byte, row int, base int64) (e entry, used bool) {
	data := boot[mbrEntries+row*bytesPerMBRRow:][:bytesPerMBRRow]
	e = entry{
		offset: base + int64(binary.LittleEndian.Uint32(data[8:]))*sector,
		size:   int64(binary.LittleEndian.Uint32(data[12:])) * sector,
		kind:   fmt.Sprintf("%02x", data[4]),
		flags:  uint64(data[0]),
	}
	return e, data[4] != 0 && e.size != 0
}
