package settings

import (
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
)

//go:embed testdata/untrusted.nspawn
var untrustedFile []byte

// untrustedLines returns the line of testdata/untrusted.nspawn for each key; none may be missing.
func untrustedLines(t *testing.T) map[string]string {
	t.Helper()
	statements, _, err := Statements("untrusted.nspawn", untrustedFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]string)
	for _, st := range statements {
		lines[st.Section+"."+st.Key] = "[" + st.Section + "]\n" + st.Key + "=" + st.Value + "\n"
	}
	for _, k := range Keys() {
		if lines[k.String()] == "" {
			t.Errorf("testdata/untrusted.nspawn has no %s", &k)
		}
	}
	return lines
}

// TestUntrusted puts every key and section beside an image: only what takes rights away may apply, and each other line gives a
// warning.
func TestUntrusted(t *testing.T) {
	lines := untrustedLines(t)
	fsys := fstest.MapFS{"var/lib/machines/web.nspawn": {Data: untrustedFile}}
	file, problems := Load(fsys, "web", "/var/lib/machines")
	for _, line := range []string{"Requires= in section [Unit]", "ExecStartPre= in section [Service]", "MemoryMax= in section [Service]", "WantedBy= in section [Install]"} {
		if !strings.Contains(joinProblems(problems), " warning: "+line+" is ignored, the file is not trusted") {
			t.Errorf("no warning for %s: %s", line, joinProblems(problems))
		}
	}
	c, err := ParseCommandLine(append(strings.Fields(unitLine), "--machine=web"))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := Combine(c, file)
	for _, k := range Keys() {
		if isSet := s.Origin(k.String()).File != ""; isSet == k.Privileged {
			t.Errorf("%s: set by the file: %v", &k, isSet)
		}
	}
	if len(s.Unit)+len(s.Service)+len(s.Install) > 0 {
		t.Errorf("lines for the unit: %v %v %v", s.Unit, s.Service, s.Install)
	}
	for _, k := range Keys() { // each alone, on what systemd-nspawn@.service says
		fsys["var/lib/machines/web.nspawn"] = text(lines[k.String()])
		file, problems := Load(fsys, "web", "/var/lib/machines")
		if warned := strings.Contains(joinProblems(problems), ":2: warning: "+k.Name+"= is ignored, the file is not trusted"); warned != k.Privileged {
			t.Errorf("%s: got %s", &k, joinProblems(problems))
		}
		without, _ := Combine(c, nil)
		with, _ := Combine(c, file)
		if changed := fmt.Sprintf("%+v", with) != fmt.Sprintf("%+v", without); changed == k.Privileged {
			t.Errorf("%s: changes something: %v", &k, changed)
		}
	}
	fsys["var/lib/machines/web.nspawn"] = text("[Exec]\nSystemCallFilter=~@mount\n[Service]\nTasksMax=1\n")
	if file, problems := LoadTrusted(fsys, "web", "/var/lib/machines"); len(problems) > 0 || !file.Trusted || len(file.Service) != 1 {
		t.Errorf("trusted: %v %+v", problems, file)
	}
	if file, _ := Load(fsys, "web", "/var/lib/machines"); len(file.assignments) != 1 || file.Trusted {
		t.Errorf("a filter that only forbids: %+v", file)
	}
}

// letThrough are the privileged keys that some systemd-nspawn takes from a file beside the image. 233 to 259 take the first three
// (CVE-2026-40226), which of them depends on the distribution's patches: Debian's 252.39 takes PivotRoot= only. 262 takes the last
// two: one grants ranges of users to PrivateUsers=managed, the other only forbids by itself, but with --settings=override it would
// replace a stricter list of the administrator's.
const letThrough = "Ephemeral PivotRoot BindUser PrivateUsersDelegate RestrictAddressFamilies"

// TestUntrustedOracle compares which keys are ignored beside the image with systemd-nspawn.
func TestUntrustedOracle(t *testing.T) {
	o := newOracle(t)
	lines := untrustedLines(t)
	compared := 0
	for _, k := range Keys() {
		write(t, o.root+fileSuffix, lines[k.String()])
		output, err := exec.Command(o.program, "--register=no", "--keep-unit", "-D", o.root).CombinedOutput()
		if err == nil {
			t.Fatal("systemd-nspawn started something")
		}
		said := string(output)
		if strings.Contains(said, ":2: Unknown key") {
			continue // a newer one
		}
		compared++
		if ignored := strings.Contains(said, "is not trusted"); ignored != k.Privileged && !hasWord(letThrough, k.Name) {
			t.Errorf("%s: systemd-nspawn ignores it: %v, we: %v: %s", &k, ignored, k.Privileged, said)
		}
	}
	if compared < 50 {
		t.Errorf("systemd-nspawn knows %d keys", compared)
	}
}
