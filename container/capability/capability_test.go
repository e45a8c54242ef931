package capability

import (
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		name   string
		number int
		ok     bool
	}{
		{"CAP_CHOWN", 0, true},
		{"cap_sys_admin", 21, true},
		{"Cap_Checkpoint_Restore", 40, true},
		{"21", 21, true},
		{"0x15", 21, true},
		{"41", 41, true}, // newer than this package
		{"62", 62, true},
		{"63", 0, false},
		{"70", 0, false},
		{"-1", 0, false},
		{"1_0", 0, false},
		{"", 0, false},
		{"CAP_", 0, false},
		{"CAP_5", 0, false},
		{"CAP_FOO", 0, false},
		{"SYS_ADMIN", 0, false},
		{" CAP_CHOWN", 0, false},
		{"all", 0, false},
	}
	for _, test := range tests {
		if number, ok := Number(test.name); number != test.number || ok != test.ok {
			t.Errorf("Number(%q) = %d, %t; want %d, %t", test.name, number, ok, test.number, test.ok)
		}
	}
}

func TestNameIsUnderstoodByNumber(t *testing.T) {
	for number := 0; number <= Limit; number++ {
		if got, ok := Number(Name(number)); !ok || got != number {
			t.Errorf("Number(Name(%d)) = %d, %t", number, got, ok)
		}
	}
	if got := Name(LastKnown); got != "CAP_CHECKPOINT_RESTORE" {
		t.Errorf("Name(LastKnown) = %q", got)
	}
	if got := Name(-1); got != "0x-1" {
		t.Errorf("Name(-1) = %q", got)
	}
}

func TestSet(t *testing.T) {
	set := Of(CHOWN, SYS_ADMIN).With(KILL, 41).Without(CHOWN, MKNOD)
	if got, want := set.String(), "CAP_KILL CAP_SYS_ADMIN 0x29"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if !set.Has(SYS_ADMIN) || set.Has(CHOWN) {
		t.Errorf("%v holds the wrong capabilities", set)
	}
	if got := All(40); got != 0x1ffffffffff {
		t.Errorf("All(40) = %#x", uint64(got))
	}
	if got := Set(0).String(); got != "" {
		t.Errorf("empty set: %q", got)
	}
}

func TestRetained(t *testing.T) {
	all := All(40)
	tests := []struct {
		name    string
		options Options
		want    Set
	}{
		{"default", Options{}, Default},
		{"private network", Options{PrivateNetwork: true}, Default.With(NET_ADMIN)},
		{"shifted users on the host's network", Options{ShiftedUsers: true}, Default.Without(NET_BIND_SERVICE)},
		{"shifted users, asked for", Options{ShiftedUsers: true, Add: []string{"CAP_NET_BIND_SERVICE"}}, Default.Without(NET_BIND_SERVICE)},
		{"shifted users, private network", Options{ShiftedUsers: true, PrivateNetwork: true}, Default.With(NET_ADMIN)},
		{"add", Options{Add: []string{"CAP_SYS_TIME", "cap_syslog"}}, Default.With(SYS_TIME, SYSLOG)},
		{"add all", Options{Add: []string{"all"}}, all},
		{"drop", Options{Drop: []string{"CAP_SYS_ADMIN", "CAP_SYS_TIME"}}, Default.Without(SYS_ADMIN)},
		{"drop wins over private network", Options{PrivateNetwork: true, Drop: []string{"CAP_NET_ADMIN"}}, Default},
		{"drop wins over add", Options{Add: []string{"CAP_BPF"}, Drop: []string{"CAP_BPF"}}, Default},
		{"drop all", Options{PrivateNetwork: true, Add: []string{"all"}, Drop: []string{"all"}}, 0},
		{"add all but one", Options{Add: []string{"all"}, Drop: []string{"CAP_SYS_MODULE"}}, all.Without(SYS_MODULE)},
		{"not in this kernel", Options{Add: []string{"41"}}, Default},
		{"old kernel", Options{Add: []string{"all"}, Last: 36}, All(36)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.options.Last == 0 {
				test.options.Last = 40
			}
			got, err := Retained(test.options)
			if err != nil || got != test.want {
				t.Errorf("Retained = %v, %v\nwant %v", got, err, test.want)
			}
		})
	}
}

func TestRetainedErrors(t *testing.T) {
	tests := []struct {
		options Options
		want    string
	}{
		{Options{Last: 40, Add: []string{"CAP_CHOWN", "CHOWN"}}, `Capability=: "CHOWN" is not a capability`},
		{Options{Last: 40, Drop: []string{"ALL"}}, `DropCapability=: "ALL" is not a capability`},
		{Options{Last: 63}, "63 is not between"},
		{Options{Last: -1}, "-1 is not between"},
	}
	for _, test := range tests {
		set, err := Retained(test.options)
		if set != 0 || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Retained(%+v) = %v, %v; want an error with %q", test.options, set, err, test.want)
		}
	}
}

// TestDefaultIsTheManualsList keeps Default equal to the list of systemd-nspawn(1), --capability=.
func TestDefaultIsTheManualsList(t *testing.T) {
	const manual = `CAP_AUDIT_CONTROL CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER
		CAP_FSETID CAP_IPC_OWNER CAP_KILL CAP_LEASE CAP_LINUX_IMMUTABLE CAP_MKNOD CAP_NET_BIND_SERVICE
		CAP_NET_BROADCAST CAP_NET_RAW CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_ADMIN CAP_SYS_BOOT
		CAP_SYS_CHROOT CAP_SYS_NICE CAP_SYS_PTRACE CAP_SYS_RESOURCE CAP_SYS_TTY_CONFIG`
	want, err := Parse(strings.Fields(manual))
	if err != nil || Default != want {
		t.Errorf("Default = %v, %v\nwant %v", Default, err, want)
	}
}
