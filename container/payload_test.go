package container

import (
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
)

func TestPayload(t *testing.T) {
	const login = "/root"
	inits := []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"}
	for name, test := range map[string]struct {
		boot                  bool
		parameters            []string
		directory             string
		candidates, arguments []string
		wantDirectory         string
	}{
		"path":            {false, []string{"/bin/true", "-x"}, "", []string{"/bin/true"}, []string{"/bin/true", "-x"}, ""},
		"shell":           {false, nil, "", []string{"/bin/bash", "/bin/sh"}, []string{"-bash"}, login},
		"shell elsewhere": {false, nil, "/srv", []string{"/bin/bash", "/bin/sh"}, []string{"-bash"}, "/srv"},
		"boot":            {true, nil, "", inits, inits[:1], ""},
		"boot with words": {true, []string{"quiet", "systemd.unit=rescue.target"}, "", inits, []string{inits[0], "quiet", "systemd.unit=rescue.target"}, ""},
		// As the kernel splits its command line, and systemd-nspawn since 262.
		"boot with variables": {true, []string{"LANG-UAGE=de", "systemd.unit=x", "=y", "--unit=z"}, "", inits, []string{inits[0], "systemd.unit=x", "=y"}, ""},
		"name": {false, []string{"true"}, "", []string{
			"/usr/local/sbin/true", "/usr/local/bin/true", "/usr/sbin/true", "/usr/bin/true", "/sbin/true", "/bin/true",
		}, []string{"true"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) {
				s.Exec.Boot, s.Exec.Parameters, s.Exec.WorkingDirectory = test.boot, test.parameters, test.directory
			})
			in := plan.Inside
			if !slices.Equal(in.Candidates, test.candidates) || !slices.Equal(in.Arguments, test.arguments) || in.WorkingDirectory != test.wantDirectory {
				t.Errorf("got %q %q in %q", in.Candidates, in.Arguments, in.WorkingDirectory)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	for name, change := range map[string]func(*settings.Settings, *Options, *Host){
		"program": nil,
		"boot":    func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.Boot, s.Exec.Parameters = true, nil },
		"no-term": func(_ *settings.Settings, _ *Options, h *Host) { h.Terminal.Variables, h.OSRelease = nil, nil },
		"colors": func(_ *settings.Settings, _ *Options, h *Host) {
			h.Terminal.Variables = map[string]string{"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1", "SYSTEMD_COLORS": "1"}
		},
		"pipe": func(_ *settings.Settings, o *Options, h *Host) {
			o.Console, h.Terminal.Variables = "pipe", map[string]string{"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}
		},
		"boot-with-variables": func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.Boot, s.Exec.Parameters, s.Exec.Environment = true, []string{"quiet", "LANG-UAGE=de", "A=parameter"}, []string{"A=1"}
		},
		"own": func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.Environment = []string{"PATH=/opt", "A=first", "EMPTY=", "A=second", "container=other", "AB=x=y"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, change)
			plan.Identify(plan.UUID)
			golden(t, "environment-"+name+".golden", strings.Join(plan.Inside.Environment, "\n")+"\n")
		})
	}
}

func TestParseOSRelease(t *testing.T) {
	got := ParseOSRelease([]byte("# ID=comment\nID=debian\nNAME='Debian GNU'\nVERSION_ID=\"13\"\n\nBROKEN\nA==b\n  SPACE=1  \n"))
	for name, want := range map[string]string{"ID": "debian", "NAME": "Debian GNU", "VERSION_ID": "13", "A": "=b", "SPACE": "1"} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	if _, ok := got["BROKEN"]; ok {
		t.Error("a line without = is no field")
	}
}

func FuzzParseOSRelease(f *testing.F) {
	f.Add([]byte("ID=debian\nVERSION_ID=\"13\"\n"))
	f.Add([]byte("=\n'=\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, value := range ParseOSRelease(data) {
			if strings.ContainsAny(name+value, "\n") {
				t.Errorf("%q=%q has more than one line", name, value)
			}
		}
	})
}

func TestParseMachineID(t *testing.T) {
	for text, want := range map[string]string{
		testGuestID + "\n":                       testGuestID,
		testGuestID:                              testGuestID,
		strings.ToUpper(testGuestID) + "\n":      testGuestID,
		"01234567-89ab-cdef-0123-456789abcdef\n": "", // systemd-nspawn refuses it
		"":                                       "",
		"uninitialized\n":                        "",
		strings.Repeat("0", 32):                  "",
		testGuestID[1:]:                          "",
		testGuestID + "0":                        "",
		testGuestID + testGuestID:                "",
		"x" + testGuestID[1:]:                    "",
		testGuestID + "\nmore\n":                 "",
	} {
		if got := parseMachineID([]byte(text)); got != want {
			t.Errorf("parseMachineID(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzParseMachineID(f *testing.F) {
	f.Add([]byte(testGuestID + "\n"))
	f.Add([]byte("uninitialized\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		id := parseMachineID(data)
		if id != "" && (len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || parseMachineID([]byte(id)) != id) {
			t.Errorf("parseMachineID(%q) = %q", data, id)
		}
	})
}

func TestRandomID(t *testing.T) {
	one, other := RandomID(), RandomID()
	if one == other || parseMachineID([]byte(one)) != one || one[12] != '4' || !strings.ContainsRune("89ab", rune(one[16])) {
		t.Errorf("%s, %s: not random UUIDs of version 4", one, other)
	}
}

// The defaults that come with the options of the command line.
func TestPlanOfCommandLine(t *testing.T) {
	cmd, err := settings.ParseCommandLine([]string{"-D", "/var/lib/machines/web", "-b", "-U", "--network-zone=app"})
	if err != nil {
		t.Fatal(err)
	}
	s, problems := settings.Combine(cmd, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	plan, err := Decide(s, Options{Register: cmd.Register, Console: cmd.Console}, testHost())
	if err != nil {
		t.Fatal(err)
	}
	if signal := plan.Settings.Exec.KillSignal; signal != 37 {
		t.Errorf("kill signal %d, want SIGRTMIN+3", signal)
	}
	if plan.Users.Start != HashedRange("web") || !plan.Users.mapped() || !plan.Inside.PrivateNetwork || plan.Machine.Links[0].Bridge != "vz-app" {
		t.Errorf("users %+v, machine %+v", plan.Users, plan.Machine)
	}
}
