package seccomp

import "slices"

// The instructions used here, from linux/bpf_common.h. They are the ones that the kernel can follow to see that a call
// is always allowed, and then it does not run the filter for that call at all (kernel/seccomp.c, since 5.11).
const (
	loadAbsolute     = 0x20 // BPF_LD | BPF_W | BPF_ABS
	jumpAlways       = 0x05 // BPF_JMP | BPF_JA
	jumpEqual        = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpGreaterEqual = 0x35 // BPF_JMP | BPF_JGE | BPF_K
	jumpBitsSet      = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	returnConstant   = 0x06 // BPF_RET | BPF_K
)

// The fields of struct seccomp_data (linux/seccomp.h). Of the arguments only the lower half counts: the kernel takes
// them as int. All architectures here are little-endian.
const (
	offsetNumber       = 0
	offsetArchitecture = 4
	offsetFirst        = 16 // lower half of args[0]
	offsetSecond       = 24
	offsetThird        = 32
)

// What a filter may return (linux/seccomp.h), and the numbers it needs, which all architectures here share.
const (
	returnAllow = 0x7fff0000 // SECCOMP_RET_ALLOW
	returnErrno = 0x00050000 // SECCOMP_RET_ERRNO, the error number in the lower half

	eperm        = 1
	einval       = 22
	enosys       = 38
	eafnosupport = 97

	afNetlink    = 16
	netlinkAudit = 9
)

// action is what happens to a system call.
type action uint8

const (
	failUnknown    action = iota // ENOSYS
	failPermission               // EPERM
	allow
	checkSocket     // see [assembler.socket]
	checkSocketCall // see [assembler.socketCall]
	checkOpen       // see [withoutSync]
	checkOpenAt
	succeedOnFile
	succeed
)

// label names an instruction by the number of instructions from it to the end of the program, itself included.
type label int

// assembler builds a program from its end: jumps go forward only, so their targets are there before them.
type assembler struct {
	reversed []Instruction
	returns  map[uint32]label // where a verdict was returned last
	families families
}

func (a *assembler) emit(code uint16, k uint32) label {
	a.reversed = append(a.reversed, Instruction{Code: code, K: k})
	return label(len(a.reversed))
}

// skips returns how many instructions a jump emitted now has to skip to reach the label.
func (a *assembler) skips(to label) int { return len(a.reversed) - int(to) }

// farthest is how far a conditional jump may have to go: 255, less the instruction that [assembler.near] may add for
// its other target.
const farthest = 254

// near returns a label within reach of a conditional jump that leads to the given one.
func (a *assembler) near(to label) label {
	if skips := a.skips(to); skips > farthest {
		return a.emit(jumpAlways, uint32(skips))
	}
	return to
}

// branch goes on at yes if the condition on the accumulator and k holds, otherwise at no.
func (a *assembler) branch(condition uint16, k uint32, yes, no label) label {
	yes, no = a.near(yes), a.near(no)
	skipYes, skipNo := a.skips(yes), a.skips(no)
	here := a.emit(condition, k)
	a.reversed[here-1].JT, a.reversed[here-1].JF = uint8(skipYes), uint8(skipNo)
	return here
}

// ret ends the program with the verdict, sharing the instruction with earlier ones within reach.
func (a *assembler) ret(verdict uint32) label {
	here, ok := a.returns[verdict]
	if !ok || a.skips(here) > farthest {
		here = a.emit(returnConstant, verdict)
		a.returns[verdict] = here
	}
	return here
}

// end ends the program with the action.
func (a *assembler) end(action action) label {
	switch action {
	case allow:
		return a.ret(returnAllow)
	case failPermission:
		return a.ret(returnErrno | eperm)
	case checkSocket:
		return a.socket()
	case checkSocketCall:
		return a.socketCall()
	case checkOpen:
		return a.openFlags(offsetSecond)
	case checkOpenAt:
		return a.openFlags(offsetThird)
	case succeedOnFile:
		return a.fileOnly()
	case succeed:
		return a.ret(returnErrno) // of error 0
	}
	return a.ret(returnErrno | enosys)
}

// search finds the span of the number in the accumulator, as a balanced binary tree, and ends with its action.
// With more than one span the tree's root is the instruction emitted last.
func (a *assembler) search(spans []span) label {
	if len(spans) == 1 {
		return a.end(spans[0].action)
	}
	middle := len(spans) / 2
	above, below := a.search(spans[middle:]), a.search(spans[:middle])
	return a.branch(jumpGreaterEqual, spans[middle].first, above, below)
}

// program returns what was built, in the kernel's order.
func (a *assembler) program() []Instruction {
	slices.Reverse(a.reversed)
	return a.reversed
}
