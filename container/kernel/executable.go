package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// whyNotExecuted says what an error of execve(2) does not: empty, or text to come after it.
func whyNotExecuted(program string, err error) string {
	switch {
	case errors.Is(err, unix.EACCES):
		var st unix.Statfs_t
		if unix.Statfs(program, &st) == nil && st.Flags&unix.ST_NOEXEC != 0 {
			return ": the file system it is on is mounted noexec"
		}
	case errors.Is(err, unix.ENOEXEC):
		return wrongFormat(program, runtime.GOARCH)
	case errors.Is(err, unix.ENOENT):
		if interpreter := interpreterOf(readStart(program)); interpreter != "" {
			return fmt.Sprintf(": its interpreter %s is missing", asOneWord(interpreter))
		}
	}
	return ""
}

// wrongFormat says what a program is that the kernel does not take for one.
func wrongFormat(program, goarch string) string {
	start, it := readStart(program), "it"
	if interpreter := interpreterOf(start); interpreter != "" && bytes.HasPrefix(start, []byte("#!")) {
		start, it = readStart(interpreter), "its interpreter "+asOneWord(interpreter)
	}
	own, binary := architectureOf(goarch), architectureOfBinary(start)
	switch {
	case len(start) == 0:
		return fmt.Sprintf(": %s is empty", it)
	case binary == "":
		return fmt.Sprintf(": %s is neither a binary nor a script that begins with #!", it)
	case binary != own:
		return fmt.Sprintf(": %s is built for %s, but this machine is %s, and binfmt_misc has no emulator for it", it, binary, own)
	}
	return ""
}

// readStart returns the beginning of a regular file, nothing if there is none.
func readStart(path string) []byte {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would wait
	if err != nil {
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	start := make([]byte, 4096)
	n, _ := file.Read(start)
	return start[:n]
}

// architectureOf gives an architecture of Go the name that systemd has for it (ConditionArchitecture= in systemd.unit(5)).
func architectureOf(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	case "ppc64le":
		return "ppc64-le"
	case "loong64":
		return "loongarch64"
	}
	return goarch
}

// elfFile is what elf(5) says of a binary.
type elfFile struct {
	order   binary.ByteOrder
	is64    bool
	machine uint16
	start   []byte
}

func readELF(start []byte) (file elfFile, ok bool) {
	if len(start) < 64 || !bytes.HasPrefix(start, []byte("\x7fELF")) {
		return file, false
	}
	file = elfFile{order: binary.LittleEndian, is64: start[4] == 2, start: start}
	if start[5] == 2 {
		file.order = binary.BigEndian
	}
	file.machine = file.order.Uint16(start[18:])
	return file, true
}

// architectureOfBinary names what an ELF file is built for; empty: it is none.
func architectureOfBinary(start []byte) string {
	file, ok := readELF(start)
	if !ok {
		return ""
	}
	little := file.order == binary.LittleEndian
	pick := func(condition bool, yes, no string) string {
		if condition {
			return yes
		}
		return no
	}
	switch file.machine { // e_machine
	case 3:
		return "x86"
	case 8:
		return pick(file.is64, "mips64", "mips") + pick(little, "-le", "")
	case 20:
		return "ppc"
	case 21:
		return pick(little, "ppc64-le", "ppc64")
	case 22:
		return pick(file.is64, "s390x", "s390")
	case 40:
		return "arm"
	case 62:
		return pick(file.is64, "x86-64", "x32")
	case 183:
		return "arm64"
	case 243:
		return pick(file.is64, "riscv64", "riscv32")
	case 258:
		return "loongarch64"
	}
	return fmt.Sprintf("machine %d of elf(5)", file.machine)
}

// interpreterOf returns the program that starts a script or a dynamically linked binary; empty: there is none.
func interpreterOf(start []byte) string {
	if line, found := bytes.CutPrefix(start, []byte("#!")); found {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if words := strings.Fields(string(line)); len(words) > 0 {
			return words[0]
		}
		return ""
	}
	file, ok := readELF(start)
	if !ok {
		return ""
	}
	var offset uint64 // of the program headers
	var size, count int
	if file.is64 {
		offset = file.order.Uint64(start[32:])
		size, count = int(file.order.Uint16(start[54:])), int(file.order.Uint16(start[56:]))
	} else {
		offset = uint64(file.order.Uint32(start[28:]))
		size, count = int(file.order.Uint16(start[42:])), int(file.order.Uint16(start[44:]))
	}
	for i := range count {
		header := slice(start, offset+uint64(i)*uint64(size), 56)
		if header == nil {
			return ""
		}
		const interpreter = 3 // PT_INTERP
		if file.order.Uint32(header) != interpreter {
			continue
		}
		var from, length uint64
		if file.is64 {
			from, length = file.order.Uint64(header[8:]), file.order.Uint64(header[32:])
		} else {
			from, length = uint64(file.order.Uint32(header[4:])), uint64(file.order.Uint32(header[16:]))
		}
		return strings.TrimRight(string(slice(start, from, length)), "\x00")
	}
	return ""
}

// asOneWord quotes a name of the image that could pass for more than a name in a message.
func asOneWord(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsRune(name, ' ') {
		return quoted
	}
	return name
}

// slice returns part of data, nil if it has not that much.
func slice(data []byte, from, length uint64) []byte {
	if from > uint64(len(data)) || length > uint64(len(data))-from {
		return nil
	}
	return data[from : from+length]
}
