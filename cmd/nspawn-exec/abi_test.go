package main_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// program386 is an executable of i386 (elf(5)) that makes system calls, each by number and three arguments, and exits with 0. "DATA"
// stands for the address of the data.
func program386(data string, calls ...[4]uint32) []byte {
	const base, headers = 0x8048000, 52 + 32
	var code bytes.Buffer
	length := uint32(len(calls)*22 + 9)
	for _, call := range append(calls, [4]uint32{1}) { // exit
		for i, opcode := range []byte{0xb8, 0xbb, 0xb9, 0xba} { // mov eax, ebx, ecx, edx
			if call[0] == 1 && i > 1 {
				break
			}
			value := call[i]
			if value == dataAddress {
				value = base + headers + length + 3
			}
			code.WriteByte(opcode)
			code.Write(binary.LittleEndian.AppendUint32(nil, value))
		}
		code.Write([]byte{0xcd, 0x80}) // int $0x80
	}
	code.Write(make([]byte, int(length)+3-code.Len()))
	code.WriteString(data)
	size := uint32(headers + code.Len())
	var b bytes.Buffer
	for _, field := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, uint16(2), uint16(3), uint32(1), // 32 bits, little-endian; ET_EXEC, EM_386
		uint32(base + headers), uint32(52), uint32(0), uint32(0), uint16(52), uint16(32), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), size, size, uint32(7), uint32(0x1000), // PT_LOAD, rwx
		code.Bytes(),
	} {
		_ = binary.Write(&b, binary.LittleEndian, field) // a bytes.Buffer takes everything
	}
	return b.Bytes()
}

const dataAddress = 0xdadadada

// Programs of every architecture that the machine runs work under the filter.
func TestProgram386(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("for x86-64")
	}
	root := newRoot(t, "web")
	must(t, os.WriteFile(root+"/bin/hello", program386("hello from i386\n", [4]uint32{4, 1, dataAddress, 16}), 0o755))
	for _, options := range [][]string{nil, {"--private-users=no"}, {"--personality=x86"}, {"--no-new-privileges=yes"}} {
		if r := run(t, root, append(options, "/bin/hello")...); r.status != 0 || r.stdout != "hello from i386\n" {
			t.Errorf("%q: %+v", options, r)
		}
	}
}

// --personality= as systemd-nspawn has it.
func TestPersonality(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("for x86-64")
	}
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	for option, text := range map[string]string{
		"--personality=x86": "i686 00000008", "--personality=x86-64": "x86_64 00000000", "--quiet": "x86_64 00000000",
	} {
		const script = "echo $(busybox uname -m) $(cat /proc/self/personality)"
		if want := finish(t, oracle(t, root, option, "/bin/sh", "-c", script)); strings.TrimSpace(want.stdout) != text {
			t.Errorf("systemd-nspawn: %+v", want)
		}
		if got := shell(t, root, script, option); got != text {
			t.Errorf("%s: %q", option, got)
		}
	}
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	refused(t, run(t, root, "--personality=arm64", "/bin/echo", "payload runs"), "--personality=arm64: not one of x86-64, x86")
	writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Exec]\nPersonality=arm64\n")
	defer os.Remove("/run/systemd/nspawn/web.nspawn")
	if r := run(t, root, "/bin/busybox", "uname", "-m"); r.stdout != "x86_64\n" || !strings.Contains(r.stderr, "web.nspawn:2: warning: Personality=arm64") {
		t.Errorf("%+v", r)
	}
}

// --restrict-address-families= on the command line and in a file. systemd-nspawn has it since 261.
func TestAddressFamilies(t *testing.T) {
	root := newRoot(t, "web")
	const script = "for family in 1 2 10 16 17; do payload socket $family; done" // unix, inet, inet6, netlink, packet
	for options, text := range map[string]string{
		"": "0 0 0 0 0", "AF_INET": "97 0 97 97 97", "none": "97 97 97 97 97", "~AF_INET": "0 97 0 0 0", "AF_INET AF_INET6": "97 0 0 97 97",
		"AF_UNIX|AF_INET": "0 0 97 97 97", "none|AF_INET": "97 0 97 97 97", "AF_INET|none": "97 97 97 97 97", "AF_INET|": "0 0 0 0 0",
		"~AF_INET|AF_INET": "97 97 97 97 97", "AF_INET|~AF_INET": "97 97 97 97 97", "~AF_PACKET|AF_INET": "97 0 97 97 97", "af_netlink": "97 97 97 0 97",
	} {
		var arguments []string
		var file strings.Builder
		for _, list := range strings.Split(options, "|") {
			arguments = append(arguments, "--restrict-address-families="+list)
			file.WriteString("RestrictAddressFamilies=" + list + "\n")
		}
		if got := shell(t, root, script, arguments...); got != text {
			t.Errorf("%q: %s, want %s", arguments, got, text)
		}
		writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Exec]\n"+file.String())
		if got := shell(t, root, script); got != text {
			t.Errorf("%q: %s, want %s", file.String(), got, text)
		}
		if got := shell(t, root, script, "--restrict-address-families="); got != "0 0 0 0 0" {
			t.Errorf("%q, and nothing on the command line: %s", file.String(), got)
		}
	}
	must(t, os.Remove("/run/systemd/nspawn/web.nspawn"))
	refused(t, run(t, root, "--restrict-address-families=AF_X", "/bin/echo", "payload runs"), "--restrict-address-families=AF_X: AF_X is not an address family")
	clean(t, root)
}

// --suppress-sync= as systemd-nspawn has it.
func TestSuppressSync(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	for option, text := range map[string]string{
		"--suppress-sync=yes": "0 <nil> bad file descriptor invalid argument invalid argument <nil>",
		"--suppress-sync=no":  "22 <nil> bad file descriptor <nil> <nil> <nil>",
	} {
		want := finish(t, oracle(t, root, option, "/bin/payload", "sync"))
		// 252 says success of no file, too.
		if got := strings.TrimSpace(want.stdout); got != text && got != strings.Replace(text, "bad file descriptor", "<nil>", 1) {
			t.Errorf("systemd-nspawn: %+v, want %s", want, text)
		}
		if got := shell(t, root, "payload sync", option); got != text {
			t.Errorf("%s: %s, want %s", option, got, text)
		}
	}
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	// Of a file that is not trusted, too: nobody else's data is at risk.
	writeFile(t, filepath.Dir(root)+"/web.nspawn", "[Exec]\nSuppressSync=yes\n")
	if got := shell(t, root, "payload sync"); !strings.HasPrefix(got, "0 ") {
		t.Errorf("a file: %s", got)
	}
}
