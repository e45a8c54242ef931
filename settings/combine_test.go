package settings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// unitLine is the command line of systemd-nspawn@.service.
const unitLine = "--quiet --keep-unit --boot --link-journal=try-guest --network-veth -U --settings=override"

// describe says what the tables of this file compare.
func describe(s Settings) string {
	n, e := s.Network, s.Exec
	var parts []string
	add := func(format string, a ...any) { parts = append(parts, fmt.Sprintf(format, a...)) }
	switch {
	case !n.Private:
		add("host")
	case n.Zone != "":
		add("zone=%s", n.Zone)
	case n.Bridge != "":
		add("bridge=%s", n.Bridge)
	case n.VirtualEthernet:
		add("veth")
	default:
		add("private")
	}
	if len(n.VirtualEthernetExtra) > 0 {
		add("extra=%d", len(n.VirtualEthernetExtra))
	}
	if len(n.Ports) > 0 {
		add("ports=%d", len(n.Ports))
	}
	add("users=%s/%s", e.PrivateUsers.Mode, e.PrivateUsers.Ownership)
	if e.Boot {
		add("boot")
	}
	if e.Parameters != nil {
		add("%q", e.Parameters)
	}
	return strings.Join(parts, " ")
}

// TestCombine is the truth table of file and command line. Rows without a note were tried on systemd-nspawn 252.
func TestCombine(t *testing.T) {
	for _, test := range []struct{ file, args, want string }{
		// Links: one link key of the winner replaces all links of the other.
		{"", "-n", "veth users=no/off"},
		{"", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nPort=80", unitLine, "veth ports=1 users=pick/auto boot"},
		{"[Network]\nPrivate=yes", unitLine, "private users=pick/auto boot"},
		{"[Network]\nPrivate=no", unitLine, "host users=pick/auto boot"},
		{"[Network]\nVirtualEthernet=no", unitLine, "host users=pick/auto boot"},
		{"[Network]\nVirtualEthernet=yes", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nVirtualEthernet=", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nVirtualEthernet=no\nVirtualEthernet=", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nBridge=", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nVirtualEthernet=yes\nPrivate=no", unitLine, "veth users=pick/auto boot"},
		{"[Network]\nZone=app", unitLine, "zone=app users=pick/auto boot"},
		{"[Network]\nBridge=br0", unitLine, "bridge=br0 users=pick/auto boot"},
		{"[Network]\nVirtualEthernetExtra=a", unitLine, "private extra=1 users=pick/auto boot"},
		{"[Network]\nPrivate=no", "--private-network", "private users=no/off"},
		{"[Network]\nVirtualEthernet=yes", "--private-network", "private users=no/off"},
		{"[Network]\nZone=app", "", "zone=app users=no/off"},
		{"[Network]\nZone=app", "-n", "veth users=no/off"},
		{"[Network]\nZone=app\nPort=80", "-n -p 81 -p 82", "veth ports=2 users=no/off"},
		{"[Network]\nPort=80", "--settings=override -n -p 81 -p 82", "veth ports=1 users=no/off"},
		{"[Network]\nZone=app", "--settings=no -n", "veth users=no/off"},

		// User namespaces. Ownership alone keeps the mode; systemd-nspawn turns user namespaces off.
		{"[Exec]\nPrivateUsers=no", unitLine, "veth users=no/off boot"},
		{"[Exec]\nPrivateUsers=131072", unitLine, "veth users=fixed/off boot"},
		{"[Exec]\nPrivateUsers=pick", unitLine, "veth users=pick/auto boot"},
		{"[Exec]\nPrivateUsers=identity\n[Files]\nPrivateUsersOwnership=map", unitLine, "veth users=identity/map boot"},
		{"[Files]\nPrivateUsersOwnership=map", unitLine, "veth users=pick/map boot"},
		{"[Exec]\nPrivateUsers=no", "-U", "host users=pick/auto"},

		// What runs. Parameters= alone is used; systemd-nspawn ignores it without Boot=.
		{"[Exec]\nBoot=no\nParameters=a b", unitLine, `veth users=pick/auto ["a" "b"]`},
		{"[Exec]\nBoot=yes", unitLine + " 3", "veth users=pick/auto boot"},
		{"[Exec]\nParameters=a b", unitLine, `veth users=pick/auto boot ["a" "b"]`},
		{"[Exec]\nBoot=yes\nParameters=a", "ls", `host users=no/off ["ls"]`},
		{"[Exec]\nBoot=yes\nParameters=a", "-b 3", `host users=no/off boot ["3"]`},
		{"[Exec]\nBoot=yes\nParameters=a", "", `host users=no/off boot ["a"]`},
		{"[Exec]\nParameters=a", "-b", "host users=no/off boot"},
		{"", "-b 3", `host users=no/off boot ["3"]`},
	} {
		s, problems := combined(t, test.file+"\n", strings.Fields(test.args)...)
		if len(problems) > 0 {
			t.Errorf("%q %s: %s", test.file, test.args, joinProblems(problems))
		}
		if got := describe(s); got != test.want {
			t.Errorf("%q %s: got %s, want %s", test.file, test.args, got, test.want)
		}
	}
}

func TestCombineLists(t *testing.T) {
	for _, test := range []struct{ file, args, want string }{
		{"[Exec]\nEnvironment=A=1", "--setenv=B=2", "env=[B=2]"},
		{"[Exec]\nEnvironment=A=1", "--setenv=B=2 --settings=override", "env=[A=1]"},
		{"[Exec]\nEnvironment=A=1\nEnvironment=", "--setenv=B=2 --settings=override", "env=[B=2]"},
		{"[Exec]\nCapability=CAP_KILL", "--drop-capability=CAP_CHOWN", "env=[] -CAP_CHOWN"},
		{"[Exec]\nCapability=CAP_KILL", "--drop-capability=CAP_CHOWN --settings=override", "env=[] +CAP_KILL -CAP_CHOWN"},
		{"[Files]\nBind=/a", "--tmpfs=/b", "env=[] tmpfs /b"},
		{"[Files]\nBind=/a", "--tmpfs=/b --settings=override", "env=[] bind /a"},
		{"[Exec]\nLimitCPU=1\nLimitNOFILE=1", "--rlimit=CPU=2", "env=[] CPU=2 NOFILE=1"},
		{"[Exec]\nSystemCallFilter=~a", "--system-call-filter=b --settings=override", "env=[] ~a"},
	} {
		s, _ := combined(t, test.file+"\n", strings.Fields(test.args)...)
		got := fmt.Sprintf("env=%v", s.Exec.Environment)
		for _, name := range s.Exec.Capability {
			got += " +" + name
		}
		for _, name := range s.Exec.DropCapability {
			got += " -" + name
		}
		for _, b := range s.Files.Binds {
			got += " bind " + b.Source
		}
		for _, m := range s.Files.TemporaryFileSystem {
			got += " tmpfs " + m.Path
		}
		for _, name := range []string{"CPU", "NOFILE"} {
			if l, ok := s.Exec.Limits[name]; ok {
				got += fmt.Sprintf(" %s=%d", name, l.Hard)
			}
		}
		for _, name := range s.Exec.SystemCallFilter {
			got += " " + name
		}
		if got != test.want {
			t.Errorf("%q %s: got %s, want %s", test.file, test.args, got, test.want)
		}
	}
}

func TestCombineOrigins(t *testing.T) {
	s, _ := combined(t, "[Network]\nZone=a\n", strings.Fields(unitLine)...)
	for key, want := range map[string]string{
		"Network.Zone": "/etc/systemd/nspawn/web.nspawn:2", "Exec.Boot": "--boot", "Exec.PrivateUsers": "-U", "Exec.Hostname": "default",
		"Network.VirtualEthernet": "default",
	} {
		if got := s.Origin(key).String(); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if s.Exec.KillSignal != signalRTMin+3 {
		t.Errorf("KillSignal is %d", s.Exec.KillSignal)
	}
	if _, problems := Combine(CommandLine{Directory: "/"}, nil); len(problems) != 1 || problems[0].Severity != Error {
		t.Errorf("no name: %v", problems)
	}
}

func TestEffective(t *testing.T) {
	c, err := ParseCommandLine(strings.Fields(unitLine + " --machine=web"))
	if err != nil {
		t.Fatal(err)
	}
	file, _ := Parse("web.nspawn", "web", []byte("[Network]\nPort=80\nZone=a\n[Exec]\nHostname=x\nHostname=y\n"+
		"Environment=A=1\nEnvironment=A=1\n[Files]\nReadOnly=yes\nReadOnly=yes\nBind=/a\nBindReadOnly=/b\nBind=/c\n"))
	var got []string
	for _, line := range Effective(c, file) {
		got = append(got, line.Key+"="+line.Value+" "+line.Origin.String())
	}
	want := []string{
		"Exec.Boot=yes --boot", "Exec.LinkJournal=try-guest --link-journal", "Exec.PrivateUsers=pick -U", "Files.PrivateUsersOwnership=auto -U",
		"Network.Port=80 web.nspawn:2", "Network.Zone=a web.nspawn:3", "Exec.Hostname=y web.nspawn:6",
		"Exec.Environment=A=1 web.nspawn:7", "Exec.Environment=A=1 web.nspawn:8", "Files.ReadOnly=yes web.nspawn:11",
		"Files.Bind=/a web.nspawn:12", "Files.BindReadOnly=/b web.nspawn:13", "Files.Bind=/c web.nspawn:14",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestImplied(t *testing.T) {
	for _, test := range []struct{ file, key, want string }{
		{"[Network]\nZone=a\n", "Network.Private", "yes"},
		{"[Network]\nZone=a\n", "Network.VirtualEthernet", "yes"},
		{"[Network]\nVirtualEthernetExtra=a\n", "Network.VirtualEthernet", ""},
		{"[Network]\nPrivate=no\n", "Network.Private", ""},
		{"[Exec]\nPrivateUsers=pick\n", "Files.PrivateUsersOwnership", "auto"},
		{"[Exec]\nPrivateUsers=no\n", "Files.PrivateUsersOwnership", ""},
		{"", "Exec.KillSignal", ""},
		{"[Exec]\nBoot=yes\n", "Exec.KillSignal", "SIGRTMIN+3"},
		{"", "Exec.Hostname", "web"},
		{"", "Exec.Boot", ""},
	} {
		s, problems := combined(t, test.file)
		if got, ok := s.Implied(test.key); got != test.want || ok != (test.want != "") || len(problems) > 0 {
			t.Errorf("%q %s: got %q, %v", test.file, test.key, got, problems)
		}
	}
}

// FuzzCombine checks that nothing a file says crashes the program or brings a hostile name into the settings.
func FuzzCombine(f *testing.F) {
	addExamples(f)
	f.Add([]byte("[Network]\nZone=../x\n[Files]\nBind=/a\\:b:/c\\\n[Install]\nAlias=a@web.service"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _ := combined(t, string(data), "--settings=override")
		n := s.Network
		for _, name := range []string{n.Bridge, n.Zone} {
			if strings.ContainsAny(name, "/\"' %\\\n") || strings.Contains(name, "..") || len(name) > 15 {
				t.Errorf("interface name %q", name)
			}
		}
		for _, b := range s.Files.Binds {
			if hasControl(b.Source+b.Destination) || !strings.HasPrefix(b.Destination, "/") || b.Destination == "/" {
				t.Errorf("bind %+v", b)
			}
		}
		for _, lines := range [][]Assignment{s.Unit, s.Service, s.Install} {
			for _, l := range lines {
				if strings.ContainsAny(l.Key+l.Value, "\n\r\x00") || endsInBackslash(l.Value) || l.Key == "ExecStart" {
					t.Errorf("line for the unit %+v", l)
				}
			}
		}
		if s.Exec.Hostname != "" && !ValidMachineName(s.Exec.Hostname) {
			t.Errorf("host name %q", s.Exec.Hostname)
		}
	})
}

// FuzzCommandLine checks that no command line crashes the program and that what it accepts combines.
func FuzzCommandLine(f *testing.F) {
	f.Add(strings.ReplaceAll(unitLine+" --machine=web", " ", "\n"))
	f.Add("-bD\n/srv/x\n-p80\n--bind=/a\\:b:/c\n--\nls")
	f.Add("--priv")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseCommandLine(strings.Split(line, "\n"), "HOME=/root")
		if err != nil {
			return
		}
		if s, problems := Combine(c, nil); len(problems) == 0 && !ValidMachineName(s.Machine) {
			t.Errorf("machine %q", s.Machine)
		}
	})
}
