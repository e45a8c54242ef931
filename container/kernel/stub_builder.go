package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// stubCode returns the machine code that runs the records; what follows it in this program comes with it.
func stubCode() *[stubCodeSize]byte

const stubCodeSize = 512

// Where the executable has its parts in memory. The machine code knows where the records are.
const (
	stubText    = 0x400000
	stubRecords = 0x600000
	stubMore    = stubRecords + 0x4000 // what the records point to
)

// The kinds of records. The words of one are: its kind, and what the kind needs.
const (
	stubCall     = iota // makes a system call: its number and five arguments. What it returns is the result
	stubEqual           // goes on elsewhere if the result is a value: the value, the address of a record
	stubPositive        // goes on elsewhere if the result is above zero: the address of a record
	stubStore           // writes the result: an address
	stubLoad            // makes an int32 the result: its address
	stubJump            // goes on elsewhere: the address of a record

	stubWords = 8
)

// stubBuilder puts the list and what it points to together.
type stubBuilder struct {
	records   [][stubWords]uint64
	more      []byte
	addresses map[string]uint64 // of records, and of words in them
	missing   []stubReference
	sockets   uint64 // that the stage has before its own descriptors
	numbered  int    // words that hold the number of process 2
}

// stubReference is a word that is to be the address of that name.
type stubReference struct {
	record, word int
	name         string
}

func (b *stubBuilder) add(words ...uint64) {
	var record [stubWords]uint64
	copy(record[:], words)
	b.records = append(b.records, record)
}

// word returns the address of a word of the next record.
func (b *stubBuilder) word(number int) uint64 {
	return stubRecords + uint64(len(b.records)*stubWords+number)*8
}

// refer makes a word of the next record an address.
func (b *stubBuilder) refer(word int, name string) {
	b.missing = append(b.missing, stubReference{len(b.records), word, name})
}

// mark names the next record.
func (b *stubBuilder) mark(name string) { b.addresses[name] = b.word(0) }

func (b *stubBuilder) call(number uint64, arguments ...uint64) {
	b.add(append([]uint64{stubCall, number}, arguments...)...)
}

func (b *stubBuilder) exit(status uint64) { b.call(unix.SYS_EXIT_GROUP, status) }

func (b *stubBuilder) equal(value uint64, to string) {
	b.refer(2, to)
	b.add(stubEqual, value)
}

func (b *stubBuilder) positive(to string) {
	b.refer(1, to)
	b.add(stubPositive)
}

func (b *stubBuilder) jump(to string) {
	b.refer(1, to)
	b.add(stubJump)
}

func (b *stubBuilder) store(to string) {
	b.refer(1, to)
	b.add(stubStore)
}

func (b *stubBuilder) load(address uint64) { b.add(stubLoad, address) }

// stubNumbers is how many words hold the number of process 2.
const stubNumbers = 9

// storePID writes the result, the number of process 2, where it is needed.
func (b *stubBuilder) storePID() {
	for number := range stubNumbers {
		b.store(fmt.Sprint("process 2, ", number))
	}
}

// hold makes a word of the next record the number of process 2.
func (b *stubBuilder) hold(word int) {
	b.addresses[fmt.Sprint("process 2, ", b.numbered)] = b.word(word)
	b.numbered++
}

func (b *stubBuilder) equalPID(to string) {
	b.hold(1)
	b.equal(0, to)
}

func (b *stubBuilder) killPID(signal uint64) {
	b.hold(2)
	b.call(unix.SYS_KILL, 0, signal)
}

// execute executes the program that is a descriptor, which that does not get.
func (b *stubBuilder) execute(program uint64, arguments, environment []string) {
	b.call(unix.SYS_FCNTL, program, unix.F_SETFD, unix.FD_CLOEXEC)
	b.call(unix.SYS_EXECVEAT, program, b.putText(""), b.putTexts(arguments), b.putTexts(environment), unix.AT_EMPTY_PATH)
	b.exit(1)
}

// information returns the address of the siginfo_t that is said of the process that ended last.
func (b *stubBuilder) information() uint64 {
	if b.addresses["information"] == 0 {
		b.addresses["information"] = b.put(make([]byte, 128))
	}
	return b.addresses["information"]
}

// put keeps data of a fixed size and returns their address.
func (b *stubBuilder) put(data any) uint64 {
	b.more = append(b.more, make([]byte, -len(b.more)&15)...)
	address := stubMore + uint64(len(b.more))
	b.more, _ = binary.Append(b.more, binary.NativeEndian, data)
	return address
}

func (b *stubBuilder) putText(text string) uint64 { return b.put(append([]byte(text), 0)) }

// putTexts puts a list as execve(2) takes it.
func (b *stubBuilder) putTexts(texts []string) uint64 {
	var list []uint64
	for _, text := range texts {
		list = append(list, b.putText(text))
	}
	return b.put(append(list, 0))
}

func (b *stubBuilder) putSignals(signals []unix.Signal) uint64 {
	var set uint64
	for _, signal := range signals {
		set |= 1 << (signal - 1)
	}
	return b.put(set)
}

// executable returns the file, see elf(5): code that cannot be written to, and data that cannot be executed.
func (b *stubBuilder) executable() ([]byte, error) {
	for _, reference := range b.missing {
		address, ok := b.addresses[reference.name]
		if !ok {
			return nil, fmt.Errorf("stub init: nothing is called %s", reference.name)
		}
		b.records[reference.record][reference.word] = address
	}
	if stubRecords+len(b.records)*stubWords*8 > stubMore {
		return nil, errors.New("stub init: the list is too long")
	}
	const headers, page = 64 + 2*56, 0x10000 // the largest page
	const readable, writable, executable = 4, 2, 1
	machine := map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH]
	size := uint64(stubMore - stubRecords + len(b.more))
	var file bytes.Buffer
	for _, field := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, uint16(2), machine, uint32(1), // 64 bits, little-endian, an executable
		uint64(stubText + headers), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(2), uint16(64), uint16(0), uint16(0),
		uint32(1), uint32(readable | executable), uint64(0), uint64(stubText), uint64(stubText),
		uint64(headers + stubCodeSize), uint64(headers + stubCodeSize), uint64(page),
		uint32(1), uint32(readable | writable), uint64(page), uint64(stubRecords), uint64(stubRecords), size, size, uint64(page),
		stubCode(),
	} {
		_ = binary.Write(&file, binary.NativeEndian, field) // of fixed sizes
	}
	file.Write(make([]byte, page-file.Len()))
	_ = binary.Write(&file, binary.NativeEndian, b.records)
	file.Write(make([]byte, page+stubMore-stubRecords-file.Len()))
	file.Write(b.more)
	return file.Bytes(), nil
}
