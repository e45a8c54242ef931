package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/bpf"
)

// data is struct seccomp_data, as far as the filter looks at it.
type data struct {
	architecture, number uint32
	arguments            [6]uint64
}

// vm runs filters, checked by somebody else's understanding of BPF.
type vm struct{ *bpf.VM }

func newVM(t testing.TB, p Policy) vm {
	t.Helper()
	program, err := Program(p)
	if err != nil {
		t.Fatal(err)
	}
	return vmOf(t, program)
}

func vmOf(t testing.TB, program []Instruction) vm {
	t.Helper()
	var instructions []bpf.Instruction
	for _, in := range program {
		instructions = append(instructions, bpf.RawInstruction{Op: in.Code, Jt: in.JT, Jf: in.JF, K: in.K}.Disassemble())
	}
	machine, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatalf("the program is not valid: %v", err)
	}
	return vm{machine}
}

// run returns the verdict on a system call: "allow", or the name of the error.
func (v vm) run(t testing.TB, d data) string {
	t.Helper()
	// bpf.VM reads words of packets, so in network order, where the kernel uses the machine's.
	var packet [64]byte
	binary.BigEndian.PutUint32(packet[0:], d.number)
	binary.BigEndian.PutUint32(packet[4:], d.architecture)
	for i, argument := range d.arguments {
		binary.BigEndian.PutUint32(packet[16+8*i:], uint32(argument))
		binary.BigEndian.PutUint32(packet[20+8*i:], uint32(argument>>32))
	}
	verdict, err := v.Run(packet[:])
	if err != nil {
		t.Fatal(err)
	}
	switch uint32(verdict) {
	case 0x7fff0000:
		return "allow"
	case 0x00050000:
		return "success"
	case 0x00050001:
		return "EPERM"
	case 0x00050000 | 22:
		return "EINVAL"
	case 0x00050000 | 38:
		return "ENOSYS"
	case 0x00050000 | 97:
		return "EAFNOSUPPORT"
	}
	return fmt.Sprintf("%#x", verdict)
}

// abi is one way to make system calls.
type abi struct {
	name    string
	host    string // as Policy.Architecture
	machine uint32
	table   table
}

func abis() []abi {
	return []abi{
		{"x86-64", "amd64", 0xc000003e, table{x8664, 0}},
		{"i386", "amd64", 0x40000003, table{i386, 0}},
		{"x32", "amd64", 0xc000003e, table{x32, x32Bit}},
		{"arm64", "arm64", 0xc00000b7, table{arm64, 0}},
		{"arm", "arm64", 0x40000028, table{arm, 0}},
	}
}

// number returns the number of a call as the program sees it.
func (a abi) number(t testing.TB, name string) (uint32, bool) {
	t.Helper()
	for _, call := range calls {
		if call.name == name {
			return uint32(call.numbers[a.table.column]) | a.table.bit, call.numbers[a.table.column] >= 0
		}
	}
	t.Fatalf("no call is named %q", name)
	return 0, false
}
