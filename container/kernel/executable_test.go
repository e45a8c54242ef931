package kernel

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// elfFor makes the beginning of an ELF file, with an interpreter unless that is empty.
func elfFor(machine uint16, order binary.ByteOrder, is64 bool, interpreter string) string {
	data := make([]byte, 200)
	copy(data, "\x7fELF\x01\x01\x01")
	if order == binary.BigEndian {
		data[5] = 2
	}
	order.PutUint16(data[18:], machine)
	if is64 {
		data[4] = 2
		order.PutUint64(data[32:], 64)
		order.PutUint16(data[54:], 56)
		order.PutUint64(data[64+8:], 150)
		order.PutUint64(data[64+32:], uint64(len(interpreter)+1))
		order.PutUint32(data[64:], 3)
	} else {
		order.PutUint32(data[28:], 64)
		order.PutUint16(data[42:], 32)
		order.PutUint32(data[64+4:], 150)
		order.PutUint32(data[64+16:], uint32(len(interpreter)+1))
		order.PutUint32(data[64:], 3)
	}
	if interpreter != "" {
		data[56], data[44] = 1, 1
		if order == binary.BigEndian {
			data[56], data[57], data[44], data[45] = 0, 1, 0, 1
		}
	}
	copy(data[150:], interpreter)
	return string(data)
}

func TestWrongFormat(t *testing.T) {
	little, big := binary.LittleEndian, binary.BigEndian
	interpreter := filepath.Join(t.TempDir(), "shell")
	if err := os.WriteFile(interpreter, []byte(elfFor(40, little, false, "")), 0o755); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		elfFor(183, little, true, ""):  ": it is built for arm64, but this machine is x86-64, and binfmt_misc has no emulator for it",
		elfFor(62, little, false, ""):  "x32",
		elfFor(8, little, true, ""):    "for mips64-le,",
		elfFor(21, big, true, ""):      "for ppc64,",
		elfFor(21, little, true, ""):   "for ppc64-le,",
		elfFor(22, big, true, ""):      "for s390x,",
		elfFor(243, little, true, ""):  "for riscv64,",
		elfFor(9999, little, true, ""): "for machine 9999 of elf(5),",
		elfFor(62, little, true, ""):   "",
		"":                             ": it is empty",
		"echo hello\n":                 ": it is neither a binary nor a script that begins with #!",
		"#!" + interpreter + " -e\n":   ": its interpreter " + interpreter + " is built for arm,",
		"#!/nothing/there\n":           "its interpreter /nothing/there is empty",
	} {
		program := filepath.Join(t.TempDir(), "init")
		if err := os.WriteFile(program, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := wrongFormat(program, "amd64"); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%.30q: %q, want %q", content, got, want)
		}
	}
}

func TestInterpreterOf(t *testing.T) {
	const loader = "/lib64/ld-linux.so.2"
	for name, test := range map[string][2]string{
		"64 bits":             {elfFor(62, binary.LittleEndian, true, loader), loader},
		"64 bits, big endian": {elfFor(22, binary.BigEndian, true, loader), loader},
		"32 bits":             {elfFor(3, binary.LittleEndian, false, loader), loader},
		"32 bits, big endian": {elfFor(20, binary.BigEndian, false, loader), loader},
		"static":              {elfFor(62, binary.LittleEndian, true, ""), ""},
		"script":              {"#! /bin/sh -e\n", "/bin/sh"},
		"no interpreter":      {"#!\n", ""},
		"text":                {"hello", ""},
	} {
		if got := interpreterOf([]byte(test[0])); got != test[1] {
			t.Errorf("%s: %q, want %q", name, got, test[1])
		}
	}
}

// What an image calls its interpreter neither drives a terminal nor looks like a message of its own.
func TestInterpreterIsQuoted(t *testing.T) {
	for interpreter, want := range map[string]string{
		"/lib/ld.so":                 ": its interpreter /lib/ld.so is missing",
		"/x\n<3>init: started":       `: its interpreter "/x\n<3>init: started" is missing`,
		"/\x1b[2J":                   `: its interpreter "/\x1b[2J" is missing`,
		"/\u202e\xff":                `: its interpreter "/\u202e\xff" is missing`,
		"/x is fine, no interpreter": `: its interpreter "/x is fine, no interpreter" is missing`,
	} {
		program := filepath.Join(t.TempDir(), "init")
		if err := os.WriteFile(program, []byte(elfFor(62, binary.LittleEndian, true, interpreter)), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := whyNotExecuted(program, unix.ENOENT); got != want {
			t.Errorf("%q: %q, want %q", interpreter, got, want)
		}
	}
}

func FuzzInterpreterOf(f *testing.F) {
	f.Add([]byte(elfFor(62, binary.LittleEndian, true, "/lib/ld.so")))
	f.Add([]byte(elfFor(20, binary.BigEndian, false, "/lib/ld.so")))
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		interpreterOf(data)
		architectureOfBinary(data)
	})
}
