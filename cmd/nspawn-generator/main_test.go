package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nspawnkit/settings"
	"nspawnkit/units/generator"
)

// TestMain lets the test binary stand in for nspawn-generator, as systemd calls it.
func TestMain(m *testing.M) {
	if os.Getenv("NSPAWNKIT_TEST_MAIN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// newRoot makes a root directory with one good and one bad file.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "etc/systemd/nspawn")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"web.nspawn": "[Network]\nZone=app\n[Service]\nMemoryMax=256M\n[Install]\nWantedBy=machines.target\n",
		"bad.nspawn": "[Service]\nMemoryMax=banana\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestVerbs(t *testing.T) {
	root := newRoot(t)
	host := generator.Host{Root: os.DirFS(root), Kit: "/usr/lib/nspawnkit"}
	const banana = "/etc/systemd/nspawn/bad.nspawn:2: error: MemoryMax=banana: "
	for _, test := range []struct {
		args           string
		status         int
		stdout, stderr string // parts, or nothing at all
	}{
		{"", 1, "", "--dry-run"},
		{"--help", 0, "NSPAWNKIT_ROOT", ""},
		{"--version", 0, "nspawn-generator unknown\n", ""},
		{"--no-such", 1, "", `unknown verb "--no-such"`},
		{"diff web", 0, "web: /etc/systemd/nspawn/web.nspawn:4: MemoryMax=: nothing → 256M: daemon-reload: systemd goes by it at the next start\n", ""},
		{"diff web", 0, "\n\nsystemctl daemon-reload\n", ""},
		{"diff", 0, "bad: the next start would fail: " + banana, ""},
		{"diff --json web", 0, `"old": null`, ""},
		{"diff nobody", 1, "", "nobody: error: "},
		{"diff ../web", 1, "", "names of containers"},
		{"--dry-run web", 0, "==> generator/systemd-nspawn@web.service.d/05-web.nspawn.conf\n# Written by nspawn-generator from /etc/systemd/nspawn/web.nspawn.\n", ""},
		{"--dry-run", 1, "==> generator.late/machines.target -> /usr/lib/nspawnkit/machines.target\n", banana},
		{"--dry-run nobody", 1, "", "nobody: error: "},
		{"verify", 1, banana, ""},
		{"verify " + root + "/etc/systemd/nspawn/web.nspawn", 0, "", ""},
		{"show web", 0, "Service.MemoryMax=256M", ""},
		{"show bad", 1, "Exec.Boot=yes", banana},
		{"show", 1, "", "name of one container"},
		{"show ../web", 1, "", "name of one container"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(host, strings.Fields(test.args), &stdout, &stderr)
		if status != test.status {
			t.Errorf("%q: status %d, want %d", test.args, status, test.status)
		}
		for _, stream := range []struct{ got, want string }{{stdout.String(), test.stdout}, {stderr.String(), test.stderr}} {
			if !strings.Contains(stream.got, stream.want) || stream.want == "" && stream.got != "" {
				t.Errorf("%q: output %q, want %q", test.args, stream.got, stream.want)
			}
		}
	}
}

// TestColors asks for them, as the answer is not printed on a terminal.
func TestColors(t *testing.T) {
	t.Setenv("SYSTEMD_COLORS", "1")
	host := generator.Host{Root: os.DirFS(newRoot(t)), Kit: "/usr/lib/nspawnkit"}
	for verb, want := range map[string]string{
		"verify": "\x1b[0;1;31m/etc/systemd/nspawn/bad.nspawn:2: error: ", "--help": "\x1b[0;4mVerbs\x1b[0m:\n", "no": "\x1b[0;1;31mnspawn-generator: unknown verb",
	} {
		var output bytes.Buffer
		run(host, []string{verb}, &output, &output)
		if !strings.Contains(output.String(), want) {
			t.Errorf("%s: %q", verb, output.String())
		}
	}
}

func TestShowJSON(t *testing.T) {
	var stdout bytes.Buffer
	host := generator.Host{Root: os.DirFS(newRoot(t)), Kit: "/usr/lib/nspawnkit"}
	if status := run(host, []string{"show", "--json", "web"}, &stdout, io.Discard); status != 0 {
		t.Fatal(status)
	}
	var values []generator.Value
	if err := json.Unmarshal(stdout.Bytes(), &values); err != nil {
		t.Fatal(err)
	}
	found := map[string]generator.Value{}
	for _, v := range values {
		found[v.Key] = v
	}
	if v := found["Network.Zone"]; v.Value != "app" || v.Origin != "/etc/systemd/nspawn/web.nspawn:2" {
		t.Errorf("Network.Zone: %v", v)
	}
	if v := found["Network.VirtualEthernet"]; v.Value != "yes" || v.Origin != "implied" {
		t.Errorf("the zone replaces the links of the unit, but there is %v", v)
	}
	if v := found["Files.ReadOnly"]; v.Value != "no" || v.Origin != "default" {
		t.Errorf("Files.ReadOnly: %v", v)
	}
	for _, key := range settings.Keys() {
		if _, ok := found[key.String()]; !ok {
			t.Errorf("%s is missing", &key)
		}
	}
	if v := found["Exec.PrivateUsers"]; v.Origin != "-U" {
		t.Errorf("Exec.PrivateUsers: %v", v)
	}
}

// TestGeneratorCall runs the program as systemd does. It may log to the kernel's log buffer, which the test does not read.
func TestGeneratorCall(t *testing.T) {
	root := newRoot(t)
	out := t.TempDir()
	call := func(environ []string, folders ...string) int {
		cmd := exec.Command(os.Args[0], folders...)
		cmd.Env = append([]string{"NSPAWNKIT_TEST_MAIN=1", "NSPAWNKIT_ROOT=" + root}, environ...)
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
	normal, early, late := out+"/normal", out+"/early", out+"/late"
	if status := call([]string{"SYSTEMD_IN_INITRD=1"}, normal, early, late); status != 0 {
		t.Errorf("in the initrd: status %d", status)
	}
	if _, err := os.Stat(normal); err == nil {
		t.Error("something was written in the initrd")
	}
	if status := call([]string{"SYSTEMD_IN_INITRD=0"}, normal, early, late); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, name := range []string{normal + "/systemd-nspawn@web.service.d/05-web.nspawn.conf", late + "/systemd-nspawn@.service"} {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(early); err == nil {
		t.Error("the early folder is none of ours")
	}
	if status := call(nil, out+"/single"); status != 0 {
		t.Errorf("one folder: status %d", status)
	}
	if _, err := os.Lstat(out + "/single/systemd-nspawn@.service"); err != nil {
		t.Error(err)
	}
	blocked := out + "/file"
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if status := call(nil, blocked); status != 1 {
		t.Errorf("nothing could be written: status %d, want 1", status)
	}
}

func TestKmsg(t *testing.T) {
	var b strings.Builder
	log := kmsg{&b, func(priority int) string { return "<" + string(rune('0'+priority)) + ">" }}
	log.problem(settings.Problem{Origin: settings.Origin{File: "a\nb"}, Severity: settings.Error, Text: strings.Repeat("é", 600)})
	log.problem(settings.Problem{Text: "hm\x1b[2J"})
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "<3>a?b: error: é") || len(lines[0]) > 1000 || !strings.HasSuffix(lines[1], "warning: hm?[2J") {
		t.Errorf("%q", lines)
	}
}

func TestKmsgIsNotFlooded(t *testing.T) {
	var b strings.Builder
	log := kmsg{&b, func(priority int) string { return "<" + string(rune('0'+priority)) + ">" }}
	var problems []settings.Problem
	var errs []error
	for i := range 3 * maxPerFile {
		problems = append(problems, settings.Problem{Origin: settings.Origin{File: "/a", Line: i}, Text: "x"})
		errs = append(errs, errors.New("no space"))
	}
	log.problems(append(problems, settings.Problem{Origin: settings.Origin{File: "/b"}, Severity: settings.Error, Text: "x"}))
	log.error(errors.Join(errs...))
	for part, want := range map[string]int{
		"<4>/a:": maxPerFile + 1, "more problems, see": 1, "<3>/b: error: x\n": 1,
		"<3>no space\n": maxPerFile, "<3>40 more errors\n": 1, "\n": 2*maxPerFile + 3,
	} {
		if got := strings.Count(b.String(), part); got != want {
			t.Errorf("%q: %d times, want %d:\n%s", part, got, want, &b)
		}
	}
}
