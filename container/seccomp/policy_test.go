package seccomp

import (
	"slices"
	"strings"
	"testing"

	"nspawnkit/container/capability"
)

// verdictOn returns what an x86-64 program sees.
func verdictOn(t *testing.T, p Policy, call string) string {
	t.Helper()
	p.Architecture = "amd64"
	number, _ := abis()[0].number(t, call)
	return newVM(t, p).run(t, data{architecture: abis()[0].machine, number: number})
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		capability int
		calls      string
	}{
		{capability.BPF, "bpf"},
		{capability.IPC_LOCK, "mlock mlockall"},
		{capability.SYSLOG, "syslog"},
		{capability.SYS_BOOT, "reboot"},
		{capability.SYS_MODULE, "init_module finit_module delete_module"},
		{capability.SYS_PACCT, "acct"},
		{capability.SYS_PTRACE, "ptrace"},
		{capability.SYS_RAWIO, "ioperm iopl"},
		{capability.SYS_TIME, "settimeofday clock_settime adjtimex"},
		{capability.SYS_TTY_CONFIG, "vhangup"},
	}
	all := capability.All(capability.LastKnown)
	for _, test := range tests {
		for call := range strings.FieldsSeq(test.calls) {
			if got := verdictOn(t, Policy{Capabilities: all.Without(test.capability)}, call); got != "EPERM" {
				t.Errorf("%s without %s: %s", call, capability.Name(test.capability), got)
			}
			if got := verdictOn(t, Policy{Capabilities: capability.Of(test.capability)}, call); got != "allow" {
				t.Errorf("%s with %s: %s", call, capability.Name(test.capability), got)
			}
		}
	}
	if got := verdictOn(t, Policy{Capabilities: all}, "keyctl"); got != "EPERM" {
		t.Errorf("keyctl with every capability: %s", got)
	}
	if got := verdictOn(t, Policy{Keyring: true}, "keyctl"); got != "allow" {
		t.Errorf("keyctl with Keyring: %s", got)
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		filter []string
		call   string
		want   string
	}{
		{nil, "keyctl", "EPERM"},
		{[]string{"keyctl"}, "keyctl", "allow"},
		{[]string{" bpf   keyctl\t"}, "keyctl", "allow"},
		{[]string{"@keyring"}, "add_key", "allow"},
		{[]string{"~mount"}, "mount", "EPERM"},
		{[]string{"~@mount"}, "mount", "EPERM"},
		{[]string{"~ pivot_root mount"}, "mount", "EPERM"},
		{[]string{"~@mount"}, "openat", "allow"},
		{[]string{"@keyring", "~keyctl"}, "keyctl", "EPERM"},
		{[]string{"~keyctl", "@keyring"}, "keyctl", "EPERM"}, // the negative list wins
		{[]string{"~@keyring", "keyctl"}, "keyctl", "EPERM"},
		{[]string{"~socket"}, "socket", "EPERM"},
		{[]string{"~@known"}, "read", "EPERM"},
		{[]string{"nfsservctl"}, "nfsservctl", "allow"}, // not in @known, but has a number
		{[]string{"no_such_call", "keyctl"}, "keyctl", "allow"},
		{[]string{"~no_such_call"}, "keyctl", "EPERM"},
		{[]string{"", "~"}, "mount", "allow"},
	}
	for _, test := range tests {
		if got := verdictOn(t, Policy{Filter: test.filter}, test.call); got != test.want {
			t.Errorf("%s with %q: %s, want %s", test.call, test.filter, got, test.want)
		}
	}
}

func TestUnknown(t *testing.T) {
	got := Unknown([]string{"read nosuch @mount", "~@nosuch", "~~read", "READ s390_runtime_instr", ""})
	if want := []string{"nosuch", "@nosuch", "~read", "READ"}; !slices.Equal(got, want) {
		t.Errorf("Unknown = %q, want %q", got, want)
	}
}

func TestProgramErrors(t *testing.T) {
	tests := []struct {
		policy Policy
		want   string
	}{
		{Policy{}, `system call filter: no table of system calls for architecture ""`},
		{Policy{Architecture: "riscv64"}, `architecture "riscv64"`},
		{Policy{Architecture: "amd64", Filter: []string{"~@moutn"}},
			`system call filter: SystemCallFilter=~@moutn: no group of system calls is called "@moutn"`},
	}
	for _, test := range tests {
		program, err := Program(test.policy)
		if program != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %d instructions, %v; want an error with %q", test.policy, len(program), err, test.want)
		}
	}
}

// FuzzFilter checks that a line never crashes, that adding never forbids, and that taking away never allows.
func FuzzFilter(f *testing.F) {
	f.Add("keyctl @clock")
	f.Add("~@mount socket")
	f.Add("~@nosuch")
	f.Add("~~\t@")
	f.Fuzz(func(t *testing.T, line string) {
		base := Policy{Capabilities: capability.Default, Architecture: "amd64"}
		changed := base
		changed.Filter = []string{line}
		if _, err := Program(changed); err != nil {
			if takesAway, _ := split(line); !takesAway || len(Unknown(changed.Filter)) == 0 {
				t.Fatal(err)
			}
			return
		}
		before, _ := base.decide(families{})
		after, _ := changed.decide(families{})
		takesAway, _ := split(line)
		for i := range calls {
			was, is := before[i] >= allow, after[i] >= allow
			if takesAway && is && !was || !takesAway && was && !is {
				t.Errorf("%q changed %s from %d to %d", line, calls[i].name, before[i], after[i])
			}
		}
	})
}
