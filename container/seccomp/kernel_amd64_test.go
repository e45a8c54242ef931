package seccomp

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"nspawnkit/container/capability"
)

// TestKernel loads the filter and makes system calls in each of the ways that an x86-64 kernel offers.
func TestKernel(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("NSPAWNKIT_KERNEL_TESTS=1 is not set")
	}
	tests := []struct {
		abi       string
		call      uint32
		arguments [3]uint32
		want      syscall.Errno // 0: the call succeeds
	}{
		{"x86-64", 165, [3]uint32{}, syscall.EFAULT}, // mount: reaches the kernel
		{"x86-64", 250, [3]uint32{}, syscall.EPERM},  // keyctl
		{"x86-64", 321, [3]uint32{}, syscall.EPERM},  // bpf
		{"x86-64", 180, [3]uint32{}, syscall.ENOSYS}, // nfsservctl
		{"x86-64", 1000, [3]uint32{}, syscall.ENOSYS},
		{"x86-64", 41, [3]uint32{unix.AF_UNIX, unix.SOCK_STREAM, 0}, 0},
		{"x86-64", 41, [3]uint32{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, 0},
		{"x86-64", 41, [3]uint32{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}, syscall.EAFNOSUPPORT},
		{"x32", x32Bit | 250, [3]uint32{}, syscall.EPERM},
		{"x32", x32Bit | 41, [3]uint32{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}, syscall.EAFNOSUPPORT},
		{"i386", 20, [3]uint32{}, 0},                // getpid
		{"i386", 21, [3]uint32{}, syscall.EFAULT},   // mount
		{"i386", 288, [3]uint32{}, syscall.EPERM},   // keyctl
		{"i386", 102, [3]uint32{1}, syscall.EFAULT}, // socketcall(SYS_SOCKET, NULL)
		{"i386", 359, [3]uint32{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}, syscall.EAFNOSUPPORT},
		{"i386", 1000, [3]uint32{}, syscall.ENOSYS},
	}
	program, err := Program(Policy{Capabilities: capability.Default, Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		if got := probe(t, program, test.abi, test.call, test.arguments); got != test.want {
			t.Errorf("%s %d%v: %q, want %q", test.abi, test.call, test.arguments, got, test.want)
		}
	}
}

// TestKernelFamilies makes sockets in each of the ways that an x86-64 kernel offers, under a list of families.
func TestKernelFamilies(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("NSPAWNKIT_KERNEL_TESTS=1 is not set")
	}
	for _, list := range [][]string{{"AF_UNIX"}, {"~AF_INET"}} {
		program, err := Program(Policy{Architecture: runtime.GOARCH, AddressFamilies: list})
		if err != nil {
			t.Fatal(err)
		}
		for abi, socket := range map[string]uint32{"x86-64": 41, "i386": 359} {
			if got := probe(t, program, abi, socket, [3]uint32{unix.AF_UNIX, unix.SOCK_STREAM, 0}); got != 0 {
				t.Errorf("%v, %s: AF_UNIX: %v", list, abi, got)
			}
			if got := probe(t, program, abi, socket, [3]uint32{unix.AF_INET, unix.SOCK_STREAM, 0}); got != syscall.EAFNOSUPPORT {
				t.Errorf("%v, %s: AF_INET: %v", list, abi, got)
			}
		}
		if got := probe(t, program, "i386", 102, [3]uint32{1}); got != syscall.EAFNOSUPPORT { // socketcall(SYS_SOCKET, NULL)
			t.Errorf("%v: socketcall: %v", list, got)
		}
		if got := probe(t, program, "i386", 102, [3]uint32{2}); got != syscall.EFAULT { // SYS_BIND reaches the kernel
			t.Errorf("%v: socketcall: %v", list, got)
		}
	}
}

// TestKernelTakesLongProgram loads a program whose conditional jumps do not reach their targets without help.
func TestKernelTakesLongProgram(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("NSPAWNKIT_KERNEL_TESTS=1 is not set")
	}
	policy := Policy{Filter: alternating(), Architecture: runtime.GOARCH}
	program, err := Program(policy)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]syscall.Errno{"allow": 0, "EPERM": syscall.EPERM}
	for _, call := range []string{"getpid", "getppid", "getuid", "geteuid", "getgid", "getegid"} {
		verdict := verdictOn(t, policy, call)
		number, _ := abis()[0].number(t, call)
		if got := probe(t, program, "x86-64", number, [3]uint32{}); got != want[verdict] {
			t.Errorf("%s: %q, want %s", call, got, verdict)
		}
	}
}

// probe makes one system call under the filter, in a process of its own, and returns its error.
func probe(t *testing.T, program []Instruction, abi string, call uint32, arguments [3]uint32) syscall.Errno {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(path, executable(code(abi, call, arguments)), 0o755); err != nil {
		t.Fatal(err)
	}
	filter, err := json.Marshal(program)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "NSPAWNKIT_TEST_PROBE="+path)
	child.Stdin = bytes.NewReader(filter)
	output, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(output) > 0 || !exit.Exited()) {
		t.Fatalf("%s %d: %v\n%s", abi, call, err, output)
	}
	return syscall.Errno(child.ProcessState.ExitCode())
}

// TestChild is the child of probe: it loads the filter on its standard input and becomes the program.
func TestChild(t *testing.T) {
	path := os.Getenv("NSPAWNKIT_TEST_PROBE")
	if path == "" {
		t.Skip("only runs as the child of TestKernel")
	}
	var program []Instruction
	if err := json.NewDecoder(os.Stdin).Decode(&program); err != nil {
		t.Fatal(err)
	}
	arguments, err := syscall.SlicePtrFromStrings([]string{path, ""})
	if err != nil {
		t.Fatal(err)
	}
	arguments[1] = nil
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	// Only this thread gets the filter, and Go's runtime gets no chance in between: it needs calls that a test may deny.
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter)))
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_EXECVE,
			uintptr(unsafe.Pointer(arguments[0])), uintptr(unsafe.Pointer(&arguments[0])), 0)
	}
	t.Fatalf("seccomp or execve: %v", errno)
}

// code returns machine code that makes the call and exits with the number of its error, or 0.
func code(abi string, call uint32, arguments [3]uint32) []byte {
	var b bytes.Buffer
	move := func(opcode byte, value uint32) { // mov REGISTER, value
		b.WriteByte(opcode)
		b.Write(binary.LittleEndian.AppendUint32(nil, value))
	}
	move(0xb8, call) // eax
	if abi == "i386" {
		move(0xbb, arguments[0]) // ebx
		move(0xb9, arguments[1]) // ecx
		move(0xba, arguments[2]) // edx
		b.Write([]byte{
			0xcd, 0x80, // int $0x80
			0x89, 0xc3, // mov ebx, eax
			0xf7, 0xdb, // neg ebx
			0x79, 0x02, // jns over the next
			0x31, 0xdb, // xor ebx, ebx
		})
		move(0xb8, 1) // exit
		b.Write([]byte{0xcd, 0x80})
		return b.Bytes()
	}
	move(0xbf, arguments[0]) // edi
	move(0xbe, arguments[1]) // esi
	move(0xba, arguments[2]) // edx
	b.Write([]byte{
		0x0f, 0x05, // syscall
		0x89, 0xc7, // mov edi, eax
		0xf7, 0xdf, // neg edi
		0x79, 0x02, // jns over the next
		0x31, 0xff, // xor edi, edi
	})
	move(0xb8, 60) // exit
	b.Write([]byte{0x0f, 0x05})
	return b.Bytes()
}

// executable returns an ELF file (elf(5)) for x86-64 with one segment, that runs the code. The code may use int $0x80: that
// is how a 64-bit program reaches the calls of i386.
func executable(code []byte) []byte {
	const address, headers = 0x400000, 64 + 56
	size := uint64(headers + len(code))
	var b bytes.Buffer
	for _, field := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little-endian, version 1
		uint16(2), uint16(62), uint32(1),       // ET_EXEC, EM_X86_64, version 1
		uint64(address + headers), uint64(64), uint64(0), // entry, program headers, section headers
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(64), uint16(0), uint16(0), // flags, sizes and counts
		uint32(1), uint32(5), // PT_LOAD, PF_R | PF_X
		uint64(0), uint64(address), uint64(address), size, size, uint64(0x1000), // offset, addresses, sizes, alignment
		code,
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	return b.Bytes()
}
