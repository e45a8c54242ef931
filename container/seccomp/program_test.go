package seccomp

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nspawnkit/container/capability"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// alternating takes away every second call of the table, which makes a long program; a process can still start,
// be interrupted and end.
func alternating() []string {
	filter := []string{"@known", "~"}
	for i := 0; i < len(calls); i += 2 {
		if name := calls[i].name; !slices.Contains([]string{"execve", "rt_sigreturn", "exit"}, name) {
			filter[1] += " " + name
		}
	}
	return filter
}

// TestEveryNumber compares what the program does with what was decided, for every number in and around the tables.
func TestEveryNumber(t *testing.T) {
	policies := []Policy{
		{},
		{Capabilities: capability.Default},
		{Capabilities: capability.All(capability.LastKnown), Keyring: true},
		{Filter: []string{"~@known"}},
		{Filter: alternating()},
	}
	names := map[action]string{allow: "allow", checkSocket: "allow", failPermission: "EPERM", failUnknown: "ENOSYS"}
	for i, policy := range policies {
		for _, abi := range abis() {
			policy.Architecture = abi.host
			vm := newVM(t, policy)
			actions, err := policy.decide(families{})
			if err != nil {
				t.Fatal(err)
			}
			want := map[uint32]string{}
			for i := range calls {
				if number := calls[i].numbers[abi.table.column]; number >= 0 {
					want[uint32(number)] = names[actions[i]]
				}
			}
			for _, number := range numbersToTry() {
				if want[number] == "" {
					want[number] = "ENOSYS"
				}
				if got := vm.run(t, data{architecture: abi.machine, number: number | abi.table.bit}); got != want[number] {
					t.Errorf("policy %d, %s %d: %s, want %s", i, abi.name, number, got, want[number])
				}
			}
		}
	}
}

// numbersToTry returns numbers in and around the tables, with arm's private calls.
func numbersToTry() []uint32 {
	numbers := []uint32{0x0effff, 0x0f0000, 0x3fffffff}
	for number := range uint32(1024) {
		numbers = append(numbers, number)
	}
	for number := range uint32(16) {
		numbers = append(numbers, 0x0f0000+number)
	}
	return numbers
}

func TestVerdicts(t *testing.T) {
	const netlink, inet = 16, 2
	tests := []struct {
		abi, call string
		arguments [6]uint64
		want      string
	}{
		{"x86-64", "mount", [6]uint64{}, "allow"},
		{"x86-64", "keyctl", [6]uint64{}, "EPERM"},
		{"x86-64", "bpf", [6]uint64{}, "EPERM"},
		{"x86-64", "kexec_load", [6]uint64{}, "EPERM"},
		{"x86-64", "open_by_handle_at", [6]uint64{}, "EPERM"},
		{"x86-64", "seccomp", [6]uint64{}, "allow"},
		{"x86-64", "clone3", [6]uint64{}, "allow"},
		{"x86-64", "uselib", [6]uint64{}, "EPERM"},
		{"x86-64", "nfsservctl", [6]uint64{}, "ENOSYS"}, // systemd knows it no longer
		{"x86-64", "socket", [6]uint64{inet, 1, 0}, "allow"},
		{"x86-64", "socket", [6]uint64{netlink, 3, 0}, "allow"},
		{"x86-64", "socket", [6]uint64{inet, 3, 9}, "allow"},
		{"x86-64", "socket", [6]uint64{netlink, 3, 9}, "EAFNOSUPPORT"},
		{"x86-64", "socket", [6]uint64{1<<32 | netlink, 3, 1<<32 | 9}, "EAFNOSUPPORT"}, // the kernel takes int
		{"x32", "socket", [6]uint64{netlink, 3, 9}, "EAFNOSUPPORT"},
		{"i386", "socket", [6]uint64{netlink, 3, 9}, "EAFNOSUPPORT"},
		{"i386", "socketcall", [6]uint64{1}, "allow"},
		{"i386", "ipc", [6]uint64{}, "allow"},
		{"i386", "umount", [6]uint64{}, "allow"},
		{"i386", "keyctl", [6]uint64{}, "EPERM"},
		{"i386", "vm86", [6]uint64{}, "EPERM"},
		{"x32", "mount", [6]uint64{}, "allow"},
		{"x32", "keyctl", [6]uint64{}, "EPERM"},
		{"arm64", "mount", [6]uint64{}, "allow"},
		{"arm64", "socket", [6]uint64{netlink, 3, 9}, "EAFNOSUPPORT"},
		{"arm64", "keyctl", [6]uint64{}, "EPERM"},
		{"arm", "set_tls", [6]uint64{}, "allow"},
		{"arm", "cacheflush", [6]uint64{}, "allow"},
		{"arm", "sync_file_range2", [6]uint64{}, "allow"},
		{"arm", "arm_fadvise64_64", [6]uint64{}, "allow"},
		{"arm", "socket", [6]uint64{netlink, 3, 9}, "EAFNOSUPPORT"},
	}
	byName := map[string]abi{}
	for _, abi := range abis() {
		byName[abi.name] = abi
	}
	for _, test := range tests {
		abi := byName[test.abi]
		number, ok := abi.number(t, test.call)
		if !ok {
			t.Errorf("%s has no %s", test.abi, test.call)
			continue
		}
		vm := newVM(t, Policy{Capabilities: capability.Default, Architecture: abi.host})
		if got := vm.run(t, data{abi.machine, number, test.arguments}); got != test.want {
			t.Errorf("%s %s%v: %s, want %s", test.abi, test.call, test.arguments, got, test.want)
		}
	}
}

// TestFamilies tries every family by every ABI under several lists.
func TestFamilies(t *testing.T) {
	const unix, inet, inet6, netlink, packet = 1, 2, 10, 16, 17
	for _, test := range []struct {
		list    string
		allowed []uint64 // of unix, inet, inet6, netlink, packet and 99, -1
	}{
		{"none", nil},
		{"AF_INET", []uint64{inet}},
		{"AF_INET6 AF_INET AF_INET", []uint64{inet, inet6}},
		{"AF_LOCAL AF_ROUTE", []uint64{unix, netlink}},
		{"~AF_INET", []uint64{unix, inet6, netlink, packet, 99, 1<<32 - 1}},
		{"~AF_NETLINK ~AF_PACKET", []uint64{unix, inet, inet6, 99, 1<<32 - 1}},
		{"AF_INET ~AF_INET", nil},
		{"~AF_PACKET AF_INET", []uint64{inet}},
		{"none AF_UNIX", []uint64{unix}},
		{"AF_NETLINK", []uint64{netlink}},
	} {
		for _, abi := range abis() {
			vm := newVM(t, Policy{Architecture: abi.host, AddressFamilies: strings.Fields(test.list)})
			verdict := func(call string, arguments ...uint64) string {
				d := data{architecture: abi.machine}
				d.number, _ = abi.number(t, call)
				copy(d.arguments[:], arguments)
				return vm.run(t, d)
			}
			for _, family := range []uint64{unix, inet, inet6, netlink, packet, 99, 1<<32 - 1} {
				want := map[bool]string{true: "allow", false: "EAFNOSUPPORT"}[slices.Contains(test.allowed, family)]
				if got := verdict("socket", 1<<32|family, 3, 0); got != want {
					t.Errorf("%s, %s, family %d: %s, want %s", test.list, abi.name, family, got, want)
				}
			}
			if got := verdict("socket", netlink, 3, 9); got != "EAFNOSUPPORT" {
				t.Errorf("%s, %s: audit socket: %s", test.list, abi.name, got)
			}
			if got := verdict("socketpair", unix, 1, 0); got != "allow" {
				t.Errorf("%s, %s: socketpair: %s", test.list, abi.name, got)
			}
			if abi.name != "i386" {
				continue
			}
			if bad, good := verdict("socketcall", 1), verdict("socketcall", 2); bad != "EAFNOSUPPORT" || good != "allow" {
				t.Errorf("%s: socketcall: socket %s, bind %s", test.list, bad, good)
			}
		}
	}
	if _, err := Program(Policy{Architecture: "amd64", AddressFamilies: []string{"AF_X"}}); err == nil {
		t.Error("AF_X is a family")
	}
}

// TestOnly permits two calls by the architecture's own ABI, and nothing else.
func TestOnly(t *testing.T) {
	for _, abi := range abis() {
		program, err := Only(abi.host, "kill", "reboot")
		if err != nil {
			t.Fatal(err)
		}
		vm := vmOf(t, program)
		for call, want := range map[string]string{"kill": "allow", "reboot": "allow", "execve": "ENOSYS", "socket": "ENOSYS", "ptrace": "ENOSYS"} {
			if abi.name != "x86-64" && abi.name != "arm64" {
				want = "ENOSYS"
			}
			number, _ := abi.number(t, call)
			if got := vm.run(t, data{architecture: abi.machine, number: number}); got != want {
				t.Errorf("%s: %s: %s, want %s", abi.name, call, got, want)
			}
		}
	}
	if _, err := Only("amd64", "no_such_call"); err == nil {
		t.Error("an unknown call is permitted")
	}
	if _, err := Only("mips", "kill"); err == nil {
		t.Error("an architecture without a table")
	}
}

// TestSync tries every call that writes to disk by every ABI.
func TestSync(t *testing.T) {
	const negative, sync, dsync, create = 1<<32 - 1, 0o4010000, 0o10000, 0o100
	for _, test := range []struct {
		call      string
		arguments [6]uint64
		want      string
	}{
		{"sync", [6]uint64{}, "success"}, {"msync", [6]uint64{}, "success"}, {"fsync", [6]uint64{3}, "success"}, {"fsync", [6]uint64{negative}, "allow"},
		{"fdatasync", [6]uint64{1<<32 - 1<<31 - 1}, "success"}, {"syncfs", [6]uint64{0}, "success"}, {"syncfs", [6]uint64{1<<32 - 1<<31}, "allow"},
		{"sync_file_range", [6]uint64{5}, "success"}, {"sync_file_range2", [6]uint64{5}, "success"},
		{"open", [6]uint64{0, sync}, "EINVAL"}, {"open", [6]uint64{0, dsync | create}, "EINVAL"}, {"open", [6]uint64{dsync, create, dsync}, "allow"},
		{"openat", [6]uint64{0, dsync, sync}, "EINVAL"}, {"openat", [6]uint64{dsync, dsync, create, dsync}, "allow"}, {"openat2", [6]uint64{}, "allow"},
		{"write", [6]uint64{}, "allow"}, {"keyctl", [6]uint64{}, "EPERM"},
	} {
		for _, abi := range abis() {
			number, ok := abi.number(t, test.call)
			if !ok {
				continue
			}
			policy := Policy{Architecture: abi.host, SuppressSync: true}
			if got := newVM(t, policy).run(t, data{abi.machine, number, test.arguments}); got != test.want {
				t.Errorf("%s: %s%v: %s, want %s", abi.name, test.call, test.arguments, got, test.want)
			}
			if policy.Filter = []string{"~" + test.call}; newVM(t, policy).run(t, data{abi.machine, number, test.arguments}) != "EPERM" {
				t.Errorf("%s: %s is not prohibited", abi.name, test.call)
			}
		}
	}
}

// TestOutsideTheTables tries what no program of the architecture does.
func TestOutsideTheTables(t *testing.T) {
	amd64 := newVM(t, Policy{Architecture: "amd64"})
	for _, d := range []data{
		{architecture: 0xc000003e, number: 0xffffffff},
		{architecture: 0xc000003e, number: 1000},
		{architecture: 0xc000003e, number: 512}, // an x32 number without its bit
		{architecture: 0x40000003, number: x32Bit | 1},
		{architecture: 0xc00000b7, number: 1},
		{architecture: 0, number: 0},
	} {
		if got := amd64.run(t, d); got != "ENOSYS" {
			t.Errorf("%#x %#x: %s, want ENOSYS", d.architecture, d.number, got)
		}
	}
}

func TestProgramLength(t *testing.T) {
	for _, architecture := range []string{"amd64", "arm64"} {
		usual, err := Program(Policy{Capabilities: capability.Default, Architecture: architecture})
		if err != nil || len(usual) > 400 {
			t.Errorf("%s: %d instructions, %v", architecture, len(usual), err)
		}
		longest, err := Program(Policy{Filter: alternating(), Architecture: architecture})
		if err != nil || len(longest) < 2*len(usual) {
			t.Errorf("%s, alternating: %d instructions, %v", architecture, len(longest), err)
		}
	}
}

// TestGolden shows what the default policy does with each range of numbers. The files for amd64 were compared with the
// programs that systemd-nspawn 262.1 loads: number by number the same, but for @keyring (see [Policy.Keyring]) and for
// audit sockets of i386, which systemd-nspawn lets through.
func TestGolden(t *testing.T) {
	for _, abi := range abis() {
		t.Run(abi.name, func(t *testing.T) {
			vm := newVM(t, Policy{Capabilities: capability.Default, Architecture: abi.host})
			got := listing(t, abi, vm)
			path := filepath.Join("testdata", abi.name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the default policy changed; see the difference after go test -update\n%s", got)
			}
		})
	}
}

// listing returns a line for each range of numbers with the same verdict; calls that fail are named.
func listing(t *testing.T, abi abi, vm vm) []byte {
	names := map[uint32]string{}
	for _, call := range calls {
		names[uint32(call.numbers[abi.table.column])] = call.name
	}
	var b bytes.Buffer
	numbers := numbersToTry()
	slices.Sort(numbers)
	for i := 0; i < len(numbers); {
		first, verdict := numbers[i], vm.run(t, data{architecture: abi.machine, number: numbers[i] | abi.table.bit})
		var failing []string
		last := first
		for ; i < len(numbers); i++ {
			if vm.run(t, data{architecture: abi.machine, number: numbers[i] | abi.table.bit}) != verdict {
				break
			}
			if last = numbers[i]; verdict != "allow" && names[last] != "" {
				failing = append(failing, names[last])
			}
		}
		line := fmt.Sprintf("%6d %6d  %-6s  %s", first, last, verdict, strings.Join(failing, " "))
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	return b.Bytes()
}

func TestTable(t *testing.T) {
	if !slices.IsSortedFunc(calls[:], func(a, b call) int { return strings.Compare(a.name, b.name) }) {
		t.Error("calls is not sorted by name")
	}
	for column := range columns {
		seen := map[int32]string{}
		for _, call := range calls {
			number := call.numbers[column]
			if other := seen[number]; number >= 0 && other != "" {
				t.Errorf("column %d: %s and %s are both %d", column, other, call.name, number)
			}
			seen[number] = call.name
		}
	}
	if len(groupNames) > 32 || groupNames[len(groupNames)-1] != "@known" || groupKnown != 1<<(len(groupNames)-1) {
		t.Error("names and bits of groups differ")
	}
}

func BenchmarkProgram(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Program(Policy{Capabilities: capability.Default, Architecture: "amd64"}); err != nil {
			b.Fatal(err)
		}
	}
}
