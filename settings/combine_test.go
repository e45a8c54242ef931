package settings

import (
	"slices"
	"strings"
	"testing"
)

// unitLine is the command line of systemd-nspawn@.service.
const unitLine = "--quiet --keep-unit --boot --link-journal=try-guest --network-veth -U --settings=override"

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
		{"[Exec]\nPrivateUsers=managed\n", "Files.PrivateUsersOwnership", "auto"},
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

// What init gets is not passed on by it, so ambient capabilities go with a command only, and by name.
func TestAmbientCapabilities(t *testing.T) {
	for text, want := range map[string]string{
		"[Exec]\nBoot=yes\nAmbientCapability=CAP_KILL\n":   "/etc/systemd/nspawn/web.nspawn:3: error: AmbientCapability= has no meaning with Boot=yes",
		"[Exec]\nAmbientCapability=CAP_KILL\n\n":           "",
		"[Exec]\nAmbientCapability=CAP_KILL all\n":         "/etc/systemd/nspawn/web.nspawn:2: error: AmbientCapability=: all may not be given, name the capabilities",
		"[Exec]\nBoot=yes\nAmbientCapability=\nUser=bob\n": "",
	} {
		if _, problems := combined(t, text); joinProblems(problems) != want {
			t.Errorf("%q: %s, want %s", text, joinProblems(problems), want)
		}
	}
}
