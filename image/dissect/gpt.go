package dissect

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"unicode/utf16"
)

// Attributes of GPT partitions, see the Discoverable Partitions Specification and UEFI, "GPT Partition Entry Array".
const (
	flagNoBlockIO = 1 << 1
	flagGrowFS    = 1 << 59
	flagReadOnly  = 1 << 60
	flagNoAuto    = 1 << 63
)

const (
	gptSignature = "EFI PART"
	gptHeader    = 92  // bytes that every header has
	gptEntry     = 128 // bytes that every entry has
	maxEntrySize = 4096
	maxEntries   = 4096
)

// readGPT reads the partition table of UEFI, "GUID Partition Table (GPT) Disk Layout": the first, or, where that is damaged,
// the one at the end.
func readGPT(r io.ReaderAt, size int64) (*partitionTable, error) {
	sectorSize, err := gptSectorSize(r, size)
	if err != nil {
		return nil, err
	}
	table, firstErr := readGPTAt(r, size, sectorSize, 1)
	if firstErr == nil {
		return table, nil
	}
	if last := size/sectorSize - 1; last > 1 {
		if table, err := readGPTAt(r, size, sectorSize, last); err == nil {
			return table, nil
		}
	}
	return nil, fmt.Errorf("partition table (GPT): %w, and there is no valid one at the end", firstErr)
}

// gptSectorSize finds out for which size of sectors the table was made: its header is in the second one.
func gptSectorSize(r io.ReaderAt, size int64) (int64, error) {
	found := int64(0)
	for candidate := int64(512); candidate <= 4096; candidate *= 2 {
		if 2*candidate > size {
			break
		}
		signature, err := at(r, candidate, len(gptSignature))
		if err != nil {
			return 0, err
		}
		if string(signature) != gptSignature {
			continue
		}
		if found != 0 {
			return 0, fmt.Errorf("partition table (GPT): two headers, for sectors of %d and of %d bytes", found, candidate)
		}
		found = candidate
	}
	return max(found, sector), nil
}

func readGPTAt(r io.ReaderAt, size, sectorSize, where int64) (*partitionTable, error) {
	header, err := at(r, where*sectorSize, int(sectorSize))
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	u32 := func(offset int) uint32 { return binary.LittleEndian.Uint32(header[offset:]) }
	u64 := func(offset int) uint64 { return binary.LittleEndian.Uint64(header[offset:]) }
	if string(header[:8]) != gptSignature {
		return nil, errors.New("no header")
	}
	length := u32(12)
	if length < gptHeader || int64(length) > sectorSize {
		return nil, fmt.Errorf("header of %d bytes", length)
	}
	checked := bytes.Clone(header[:length])
	clear(checked[16:20])
	if crc32.ChecksumIEEE(checked) != u32(16) {
		return nil, errors.New("checksum of the header does not match")
	}
	if u64(24) != uint64(where) {
		return nil, fmt.Errorf("header says that it is in sector %d", u64(24))
	}
	count, entrySize := u32(80), u32(84)
	if entrySize < gptEntry || entrySize > maxEntrySize || entrySize&(entrySize-1) != 0 || count == 0 || count > maxEntries {
		return nil, fmt.Errorf("%d entries of %d bytes", count, entrySize)
	}
	if u64(72) > uint64(size/sectorSize) {
		return nil, fmt.Errorf("entries in sector %d, beyond the end of the image", u64(72))
	}
	entries, err := at(r, int64(u64(72))*sectorSize, int(count*entrySize))
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	if crc32.ChecksumIEEE(entries) != u32(88) {
		return nil, errors.New("checksum of the entries does not match")
	}
	table := &partitionTable{kind: "gpt", sectorSize: sectorSize}
	for i := range int(count) {
		if err := table.add(i+1, entries[i*int(entrySize):][:gptEntry], u64(40), u64(48)); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// add reads an entry; first and last are the sectors that partitions may have.
func (t *partitionTable) add(number int, data []byte, first, last uint64) error {
	kind := guid(data)
	if kind == "00000000000000000000000000000000" {
		return nil
	}
	from, to := binary.LittleEndian.Uint64(data[32:]), binary.LittleEndian.Uint64(data[40:])
	if from < first || to > last || from > to || to >= uint64(math.MaxInt64/t.sectorSize) {
		return fmt.Errorf("partition %d is from sector %d to %d, the table has %d to %d", number, from, to, first, last)
	}
	var label []uint16
	for i := 56; i < gptEntry; i += 2 {
		unit := binary.LittleEndian.Uint16(data[i:])
		if unit == 0 {
			break
		}
		label = append(label, unit)
	}
	t.entries = append(t.entries, entry{
		number: number, offset: int64(from) * t.sectorSize, size: int64(to-from+1) * t.sectorSize, kind: kind, uuid: guid(data[16:]),
		label: string(utf16.Decode(label)), flags: binary.LittleEndian.Uint64(data[48:]),
	})
	return nil
}

// guid returns the 32 hexadecimal digits of a GUID, whose first three fields are little-endian on disk.
func guid(data []byte) string {
	return hex.EncodeToString([]byte{
		data[3], data[2], data[1], data[0], data[5], data[4], data[7], data[6],
		data[8], data[9], data[10], data[11], data[12], data[13], data[14], data[15],
	})
}
