package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestPassThrough(t *testing.T) {
	for _, test := range []struct{ line, problem string }{
		{"[Service]\nMemoryMax=256M", ""},
		{"[Service]\nMemoryMax=50%", ""},
		{"[Service]\nMemoryMax=infinity", ""},
		{"[Service]\nMemoryMax=", ""},
		{"[Service]\nMemorySwapMax=0", ""},
		{"[Service]\nCPUQuota=150%", ""},
		{"[Service]\nCPUWeight=idle", ""},
		{"[Service]\nTasksMax=100", ""},
		{"[Service]\nAllowedCPUs=0-3,5 7", ""},
		{"[Service]\nIODeviceWeight=/dev/sda 10", ""},
		{"[Service]\nIOReadBandwidthMax=/dev/sda 5M", ""},
		{"[Service]\nDeviceAllow=/dev/fuse rw", ""},
		{"[Service]\nDeviceAllow=char-drm rw", ""},
		{"[Service]\nDeviceAllow=/dev/%i rw", ""},
		{"[Service]\nIODeviceWeight=%t/x 10", ""},
		{"[Service]\nSomethingNew=x", ""},
		{"[Service]\nExecStartPre=-/bin/echo \"%i\" $x", ""},
		{"[Service]\nExecStopPost=/bin/true", ""},
		{"[Unit]\nAfter=db.nspawn", ""},
		{"[Unit]\nConditionSomethingNew=x", ""},
		{"[Unit]\nSomethingNew=x", ""},
		{"[Service]\nStartLimitBurst=5", ""},
		{"[Service]\nTemporaryFileSystem=/x", ""},
		{"[Install]\nAlias=www@web.service www@%i.service", ""},

		{"[Service]\nMemoryMax=banana", "error: MemoryMax=banana: not a size"},
		{"[Service]\nMemoryMax=0", "error: MemoryMax=0: limit must be more than zero"},
		{"[Service]\nMemoryMax=0%", "error: MemoryMax=0%: limit must be more than zero"},
		{"[Service]\nMemoryHigh=101%", "error: MemoryHigh=101%: more than 100%"},
		{"[Service]\nMemoryMin=-1", "error: MemoryMin=-1: not a size"},
		{"[Service]\nCPUQuota=0%", "error: CPUQuota=0%: quota must be more than 0%"},
		{"[Service]\nCPUQuota=1.5", "error: CPUQuota=1.5: not a percentage"},
		{"[Service]\nCPUWeight=0", "error: CPUWeight=0: not between 1 and 10000"},
		{"[Service]\nCPUShares=1", "error: CPUShares=1: not between 2 and 262144"},
		{"[Service]\nIOWeight=10001", "error: IOWeight=10001: not between 1 and 10000"},
		{"[Service]\nTasksMax=0", "error: TasksMax=0: not between 1 and 18446744073709551614"},
		{"[Service]\nAllowedCPUs=3-1", "error: AllowedCPUs=3-1: 3-1 is not an index or a range"},
		{"[Service]\nIODeviceWeight=/dev/sda", "error: IODeviceWeight=/dev/sda: not a path and a value"},
		{"[Service]\nIOWriteIOPSMax=/dev/sda 0", "error: IOWriteIOPSMax=/dev/sda 0: limit must be more than zero"},
		{"[Service]\nMemoryMax=5%i", "error: MemoryMax=5%i: not a size"},
		{"[Service]\nDevicePolicy=open", "error: DevicePolicy=open: not one of auto, closed, strict"},
		{"[Service]\nDeviceAllow=/etc/x rw", "error: DeviceAllow=/etc/x rw: /etc/x is not below /dev, char-CLASS or block-CLASS"},
		{"[Service]\nDeviceAllow=/dev/x rwx", "error: DeviceAllow=/dev/x rwx: rwx is not an access of r, w and m"},
		{"[Service]\nLimitNOFILE=x", "error: LimitNOFILE=x: not a number"},
		{"[Service]\nType=simple", "error: Type=simple: cannot be set, nspawnkit sets it"},
		{"[Service]\nUser=", "error: User=: cannot be set, nspawnkit sets it"},
		{"[Service]\nExecStart=/bin/sh", "error: ExecStart=/bin/sh: cannot be set, nspawnkit sets it"},
		{"[Service]\nExecStartPre=", "error: ExecStartPre=: the commands of the unit cannot be reset"},
		{"[Service]\nExecStopPost=", "error: ExecStopPost=: the commands of the unit cannot be reset"},
		{"[Service]\nEnvironment=A=\v", `error: Environment="A=\v": control characters are not allowed`},
		{"[Service]\nEnvironment=A=\\ ", `error: Environment=A=\: backslash at the end`},
		{"[Service]\nLimitNOFILE=1:2", "warning: LimitNOFILE= in section [Service] limits nspawn-exec, the container's limit is LimitNOFILE= in section [Exec]"},
		{"[Service]\nRestatr=always", "warning: key Restatr= in section [Service] is not known here, did you mean Restart=?"},
		{"[Unit]\nRequries=db.nspawn", "warning: key Requries= in section [Unit] is not known here, did you mean Requires=?"},
		{"[Unit]\nrequires=db.nspawn", "warning: key requires= in section [Unit] is not known here, did you mean Requires=?"},
		{"[Unit]\nLimitNOFILE=5", "warning: unknown key LimitNOFILE= in section [Unit], it belongs in section [Exec], ignored"},
		{"[Unit]\nRestart=always", "warning: unknown key Restart= in section [Unit], it belongs in section [Service], ignored"},
		{"[Unit]\nWantedBy=machines.target", "warning: unknown key WantedBy= in section [Unit], it belongs in section [Install], ignored"},
		{"[Service]\nAfter=db.nspawn", "warning: unknown key After= in section [Service], it belongs in section [Unit], ignored"},
		{"[Service]\nConditionPathExists=/x", "warning: unknown key ConditionPathExists= in section [Service], it belongs in section [Unit], ignored"},
		{"[Service]\nVirtualEthernet=no", "warning: unknown key VirtualEthernet= in section [Service], it belongs in section [Network], ignored"},
		{"[Network]\nCPUQuota=10%", "warning: unknown key CPUQuota= in section [Network], it belongs in section [Service], ignored"},
		{"[Exec]\nRestart=always", "warning: unknown key Restart= in section [Exec], it belongs in section [Service], ignored"},
		{"[Files]\nRequires=db.nspawn", "warning: unknown key Requires= in section [Files], it belongs in section [Unit], ignored"},
		{"[Install]\nAfter=db.nspawn", "warning: unknown key After= in section [Install], it belongs in section [Unit], ignored"},
		{"[Service]\nMemryMax=1G", "warning: key MemryMax= in section [Service] is not known here, did you mean MemoryMax=?"},
		{"[Service]\nA B=1", "warning: A B is not the name of a key, line ignored"},
		{"[Unit]\nMemoryMax=1G", "warning: unknown key MemoryMax= in section [Unit], it belongs in section [Service], ignored"},
		{"[Exec]\nMemoryMax=1G", "warning: unknown key MemoryMax= in section [Exec], it belongs in section [Service], ignored"},
		{"[Files]\nZone=a", "warning: unknown key Zone= in section [Files], it belongs in section [Network], ignored"},
		{"[Network]\nVirtualEthernett=yes", "warning: unknown key VirtualEthernett= in section [Network], did you mean VirtualEthernet=?"},
		{"[Exec]\nboot=yes", "warning: unknown key boot= in section [Exec], did you mean Boot=?"},
		{"[Exec]\nFrobnicate=yes", "warning: unknown key Frobnicate= in section [Exec], ignored; see nspawnkit.nspawn(5)"},
		{"[Exec]\nX-Mine=yes", ""},
		{"[X-Mine]\nAny=yes", ""},
		{"[Netwrok]\nAny=yes\nOther=yes", "warning: unknown section [Netwrok], did you mean [Network]?"},
		{"[Something]\nAny=yes", "warning: unknown section [Something], ignored; see nspawnkit.nspawn(5)"},
		{"[Install]\nAlso=x", "warning: Also= has no meaning here, ignored"},
		{"[Install]\nWantdBy=x", "warning: unknown key WantdBy= in section [Install], did you mean WantedBy=?"},
		{"[Install]\nAlias=web.service", "error: Alias=web.service: web.service is not OTHER@web.service, systemd refuses other aliases"},
		{"[Install]\nAlias=www@db.service", "error: Alias=www@db.service: www@db.service is not OTHER@web.service, systemd refuses other aliases"},
	} {
		s, problems := combined(t, test.line+"\n")
		got := ""
		if len(problems) > 0 {
			got = strings.TrimPrefix(joinProblems(problems), "/etc/systemd/nspawn/web.nspawn:2: ")
		}
		if got != test.problem {
			t.Errorf("%q: got %q, want %q", test.line, got, test.problem)
		}
		passed := len(s.Unit)+len(s.Service)+len(s.Install) == 1
		section := test.line[1:strings.Index(test.line, "]")]
		accepted := isPassThrough(section) && (test.problem == "" || strings.Contains(test.problem, "not known here") || strings.Contains(test.problem, "limits nspawn-exec"))
		if passed != accepted {
			t.Errorf("%q: passed on: %v", test.line, passed)
		}
	}
}

func TestPassThroughKeepsSpecifiers(t *testing.T) {
	s, problems := combined(t, "[Service]\nExecStartPre=/bin/echo %i %% %n\nMemoryMax=1G\n")
	if len(problems) > 0 || len(s.Service) != 2 || s.Service[0].Value != "/bin/echo %i %% %n" || s.Service[0].Origin.Line != 2 {
		t.Errorf("%v %+v", problems, s.Service)
	}
}

// TestOwnKeys checks every key that is ours, and every list of commands: it can be added to, but not reset.
func TestOwnKeys(t *testing.T) {
	const own = "Type ExecStart ExecStop KillMode Delegate NotifyAccess User Group RootDirectory RootImage"
	const lists = "ExecStartPre ExecStartPost ExecStopPost ExecCondition ExecReload"
	for _, test := range []struct {
		keys, value string
		refused     bool
	}{
		{own, "x", true}, {own, "", true}, {ownService, "x", true}, {lists, "", true}, {lists, "/bin/true", false},
	} {
		for key := range strings.FieldsSeq(test.keys) {
			s, problems := combined(t, "[Service]\n"+key+"="+test.value+"\n")
			refused := len(problems) == 1 && problems[0].Severity == Error && problems[0].Origin.Line == 2
			if refused != test.refused || refused == (len(s.Service) == 1) {
				t.Errorf("%s=%s: refused %v, passed on %v", key, test.value, problems, s.Service)
			}
		}
	}
}

// TestUnitKeys checks that the keys that are ours are refused and not taken for unknown ones, and that no list has a key twice.
func TestUnitKeys(t *testing.T) {
	for word := range strings.FieldsSeq(ownService + " " + execLists) {
		if !isServiceKey(word) {
			t.Errorf("%s= is not known as a key of [Service]", word)
		}
	}
	for _, key := range serviceKeys {
		if checkerOf(key) != nil {
			t.Errorf("%s= is among resources, too", key)
		}
	}
	for _, list := range [][]string{unitKeys[:], serviceKeys[:]} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list) {
			t.Errorf("not sorted, or a key twice: %v", list)
		}
	}
}
