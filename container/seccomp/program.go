package seccomp

import (
	"cmp"
	"fmt"
	"slices"
)

// Instruction is a classic BPF instruction, laid out as struct sock_filter (linux/filter.h).
type Instruction struct {
	Code   uint16
	JT, JF uint8 // instructions to skip if the condition is true or false
	K      uint32
}

// maxInstructions is BPF_MAXINSNS of linux/bpf_common.h.
const maxInstructions = 4096

// The columns of the table of system calls.
const (
	x8664 = iota
	i386
	x32
	arm64
	arm
	columns
)

// x32Bit is set in the numbers of x32 calls, which share AUDIT_ARCH_X86_64 (__X32_SYSCALL_BIT of asm/unistd.h).
const x32Bit = 0x40000000

// machine is one value of seccomp_data.arch and the calls that come with it.
type machine struct {
	audit  uint32 // AUDIT_ARCH_* of linux/audit.h
	tables []table
}

// table is a column of the table of system calls and what the kernel adds to its numbers.
type table struct {
	column int
	bit    uint32
}

// machines returns what a kernel of the architecture runs, the most frequent first.
func machines(architecture string) ([]machine, error) {
	switch architecture {
	case "amd64":
		return []machine{
			{0xc000003e, []table{{x8664, 0}, {x32, x32Bit}}},
			{0x40000003, []table{{i386, 0}}},
		}, nil
	case "arm64":
		return []machine{
			{0xc00000b7, []table{{arm64, 0}}},
			{0x40000028, []table{{arm, 0}}},
		}, nil
	}
	return nil, fmt.Errorf("no table of system calls for architecture %q", architecture)
}

// Program returns the filter for the policy. The errors are an architecture without a table, a group to take away that
// does not exist (see [Unknown] for other unknown words), an unknown address family, and a program too long for the kernel.
func Program(p Policy) ([]Instruction, error) {
	machines, err := machines(p.Architecture)
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	families, err := p.families()
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	actions, err := p.decide(families)
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	return assemble(machines, actions, families)
}

// Only returns a filter that permits the calls of these names, by the architecture's own ABI. All others fail.
func Only(architecture string, names ...string) ([]Instruction, error) {
	machines, err := machines(architecture)
	if err != nil {
		return nil, fmt.Errorf("system call filter: %w", err)
	}
	var permitted selection
	for _, name := range names {
		if err := permitted.add(name); err != nil {
			return nil, fmt.Errorf("system call filter: %w", err)
		}
	}
	var actions [len(calls)]action
	for i := range calls {
		if permitted.has(i) {
			actions[i] = allow
		}
	}
	own := machine{machines[0].audit, machines[0].tables[:1]}
	return assemble([]machine{own}, &actions, families{})
}

func assemble(machines []machine, actions *[len(calls)]action, families families) ([]Instruction, error) {
	a := assembler{returns: map[uint32]label{}, families: families}
	next := a.end(failUnknown) // an architecture that we do not know
	for _, machine := range slices.Backward(machines) {
		a.search(spans(machine.tables, actions)) // the next instruction goes on here
		calls := a.emit(loadAbsolute, offsetNumber)
		next = a.branch(jumpEqual, machine.audit, calls, next)
	}
	a.emit(loadAbsolute, offsetArchitecture)
	program := a.program()
	if len(program) > maxInstructions {
		return nil, fmt.Errorf("system call filter: %d instructions, the kernel takes %d", len(program), maxInstructions)
	}
	return program, nil
}

// span is a run of numbers with the same action, up to the next span.
type span struct {
	first  uint32
	action action
}

// spans returns what happens to each number from 0 to the highest, in rising order. There are always more than one.
func spans(tables []table, actions *[len(calls)]action) []span {
	var numbered []span
	for _, table := range tables {
		for i := range calls {
			if number := calls[i].numbers[table.column]; number >= 0 {
				numbered = append(numbered, span{uint32(number) | table.bit, actions[i]})
			}
		}
	}
	slices.SortFunc(numbered, func(a, b span) int { return cmp.Compare(a.first, b.first) })

	all := []span{{0, failUnknown}}
	add := func(s span) {
		last := &all[len(all)-1]
		switch {
		case last.first == s.first:
			last.action = s.action
		case last.action != s.action:
			all = append(all, s)
		}
	}
	for i, s := range numbered {
		add(s)
		if i+1 == len(numbered) || numbered[i+1].first > s.first+1 {
			add(span{s.first + 1, failUnknown})
		}
	}
	return all
}
