package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"nspawnkit/settings"
	"nspawnkit/units"
)

const (
	kit    = "/usr/lib/nspawnkit"
	nspawn = "etc/systemd/nspawn/"
)

const web = `[Network]
VirtualEthernet=yes
[Service]
MemoryMax=256M
CPUQuota=150%
[Install]
WantedBy=machines.target
`

// newHost makes a root directory with these files.
func newHost(t testing.TB, files map[string]string) (host Host, root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Host{Root: Directory(root), Kit: kit}, root
}

// tree returns every file and link below dir with its text or target.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		short, _ := filepath.Rel(dir, name)
		if entry.Type() == fs.ModeSymlink {
			target, err := os.Readlink(name)
			found[short] = "-> " + target
			return err
		}
		data, err := os.ReadFile(name)
		found[short] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func problemsOf(problems []settings.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// wantWeb checks the units of the file web above.
func wantWeb(t *testing.T, got map[string]string) {
	t.Helper()
	dropIn := got["systemd-nspawn@web.service.d/05-web.nspawn.conf"]
	for _, line := range []string{"SourcePath=/etc/systemd/nspawn/web.nspawn\n", "\n[Service]\nMemoryMax=256M\nCPUQuota=150%\n"} {
		if !strings.Contains(dropIn, line) {
			t.Errorf("the drop-in of web lacks %q:\n%s", line, dropIn)
		}
	}
	if got["machines.target.wants/systemd-nspawn@web.service"] != "-> /usr/lib/nspawnkit/systemd-nspawn@.service" {
		t.Errorf("the link of web is missing: %v", got)
	}
}

func TestBadFilesStopNoOther(t *testing.T) {
	host, root := newHost(t, map[string]string{
		nspawn + "web.nspawn":         web,
		nspawn + "banana.nspawn":      "[Service]\nMemoryMax=banana\nTasksMax=5\n",
		nspawn + "binary.nspawn":      "\x7fELF\x00\xff\xfe[Service]\nMemoryMax=1M\n",
		nspawn + "section.nspawn":     "[Service] \x1b[2J\nMemoryMax=1\n",
		nspawn + "folder.nspawn/file": "",
		nspawn + "-bad-.nspawn":       web,
		nspawn + "empty.nspawn":       "",
		nspawn + "secret.nspawn":      web,
		"var/lib/machines/web.nspawn": "[Service]\nMemoryMax=1T\n",
	})
	dir := filepath.Join(root, nspawn)
	for _, err := range []error{
		syscall.Mkfifo(filepath.Join(dir, "fifo.nspawn"), 0o644),
		os.Symlink("/dev/null", filepath.Join(dir, "masked.nspawn")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling.nspawn")),
		os.Symlink("loop.nspawn", filepath.Join(dir, "loop.nspawn")),
		os.Chmod(filepath.Join(dir, "secret.nspawn"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	_, problems, err := Run(host, out, out)
	if err != nil {
		t.Fatal(err)
	}
	got := tree(t, out)
	wantWeb(t, got)
	if dropIn := got["systemd-nspawn@banana.service.d/05-banana.nspawn.conf"]; strings.Contains(dropIn, "MemoryMax") || !strings.Contains(dropIn, "TasksMax=5\n") {
		t.Errorf("the drop-in of banana:\n%s", dropIn)
	}
	for name := range got {
		if strings.Contains(name, "masked") || strings.Contains(name, "-bad-") {
			t.Errorf("%s was written", name)
		}
	}
	text := problemsOf(problems)
	want := []string{"banana.nspawn:2: error: ", "fifo.nspawn: error: ", "folder.nspawn: error: ", "loop.nspawn: error: ", "-bad-.nspawn: warning: ", "binary.nspawn:2: error: ", "dangling.nspawn: error: "}
	if os.Geteuid() != 0 {
		want = append(want, "secret.nspawn: error: ")
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("no problem has %q:\n%s", part, text)
		}
	}
}

// TestByteIdentical has enough containers for several workers.
func TestByteIdentical(t *testing.T) {
	files := map[string]string{nspawn + "nspawn.d/50-all.conf": "[Service]\nTasksMax=9\n"}
	for i := range 2 * perWorker {
		name := fmt.Sprintf("c-%d", i)
		files[nspawn+name+".nspawn"] = web + "Alias=x@" + name + ".service\n[Unit]\nAfter=a.nspawn\nNo such line\n"
	}
	host, _ := newHost(t, files)
	plan, problems := Make(host)
	want := map[string]string{}
	for _, f := range plan.Normal.Files {
		want[f.Path] = f.Text
	}
	for _, l := range append(plan.Normal.Links, plan.Late.Links...) {
		want[l.Path] = "-> " + l.Target
	}
	for range 3 {
		out := t.TempDir()
		some, again, err := Run(host, out, out)
		if !some || err != nil {
			t.Fatal(some, err)
		}
		if got := tree(t, out); !maps.Equal(got, want) {
			t.Fatalf("two calls differ:\n%s\n%s", got, want)
		}
		if len(again) != 2*perWorker || !slices.Equal(again, problems) {
			t.Fatalf("two calls have different problems:\n%s\n%s", problemsOf(again), problemsOf(problems))
		}
	}
}

// TestManyAtOnce runs twenty generators on one folder while a reader looks for files that are not whole.
func TestManyAtOnce(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[nspawn+"c"+string(rune('a'+i))+".nspawn"] = web
	}
	files[nspawn+"web.nspawn"] = web
	host, _ := newHost(t, files)
	out := t.TempDir()
	plan, _ := Make(host)
	var writers, reader sync.WaitGroup
	done := make(chan struct{})
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, want := range plan.Normal.Files {
				data, err := os.ReadFile(filepath.Join(out, want.Path))
				if err == nil && string(data) != want.Text {
					t.Errorf("%s was seen in part: %q", want.Path, data)
				}
			}
		}
	})
	for range 20 {
		writers.Go(func() {
			if _, _, err := Run(host, out, out); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	close(done)
	reader.Wait()
	got := tree(t, out)
	wantWeb(t, got)
	if want := len(plan.Normal.Files) + len(plan.Normal.Links) + len(plan.Late.Links); len(got) != want {
		t.Errorf("%d files and links, want %d: %v", len(got), want, got)
	}
}

func TestWriteGoesOnAfterErrors(t *testing.T) {
	out := t.TempDir()
	// A file stands where a folder should be, and a folder where a link should be.
	if err := os.WriteFile(filepath.Join(out, "a.service.d"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(out, "x.wants/a.service"), 0o755); err != nil {
		t.Fatal(err)
	}
	n, err := write(out, units.Output{
		Files: []units.File{{Path: "a.service.d/05.conf", Text: "a"}, {Path: "b.service.d/05.conf", Text: "b"}},
		Links: []units.Link{{Path: "x.wants/a.service", Target: "/t"}, {Path: "x.wants/b.service", Target: "/t"}},
	})
	if n != 2 || err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("%d written, error %v; want 2 and two lines", n, err)
	}
	got := tree(t, out)
	if len(got) != 3 || got["b.service.d/05.conf"] != "b" || got["x.wants/b.service"] != "-> /t" {
		t.Errorf("files %v", got)
	}
}

// TestTemporaryName: systemd reads neither hidden files nor what does not end in .conf (systemd.unit(5)).
func TestTemporaryName(t *testing.T) {
	stop := errors.New("stop")
	err := replace("/x.service.d/05-web.nspawn.conf", func(temporary string) error {
		if dir, base := filepath.Split(temporary); dir != "/x.service.d/" || base[0] != '.' || strings.HasSuffix(base, ".conf") {
			t.Errorf("temporary name %s", temporary)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestNamed(t *testing.T) {
	host, _ := newHost(t, map[string]string{nspawn + "web.nspawn": web, nspawn + "db.nspawn": "[Service]\nMemoryMax=x\n"})
	plan, problems := Make(host, "web", "nobody")
	if len(plan.Normal.Files) != 1 || len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "nobody: error: ") {
		t.Errorf("files %v, problems %v", plan.Normal.Files, problems)
	}
}

func TestVerify(t *testing.T) {
	host, root := newHost(t, map[string]string{
		"good.nspawn":           web,
		"bad.nspawn":            "[Service]\nMemoryMax=banana\n[Unit]\nAfter=../x.nspawn\nDescription=%h\n",
		"web.conf":              web,
		"web.nspawn.d/10.conf":  "[Exec]\nVirtualEthernett=yes\n[Service]\nMemoryMax=banana\n",
		"web-.nspawn.d/10.conf": "[Install]\nAlias=x@%i.service\nAlias=x@web.service\n",
		"nspawn.d/10.conf":      "[Service]\nMemoryMax=1G\n",
		"a_b.nspawn.d/10.conf":  "",
		"web.nspawn.d/10":       "",
		"folder.nspawn/x":       "",
		"name_bad-.nspawn":      web,
	})
	for file, want := range map[string]string{
		"good.nspawn":           "",
		"bad.nspawn":            "FILE:2: error: |FILE:4: error: |FILE:5: error: ",
		"web.conf":              "FILE: error: nobody reads a file of this name",
		"web.nspawn.d/10.conf":  "FILE:2: warning: |FILE:4: error: ",
		"web-.nspawn.d/10.conf": "FILE:3: error: Alias=x@web.service: x@web.service is not OTHER@web-NAME.service",
		"nspawn.d/10.conf":      "",
		"a_b.nspawn.d/10.conf":  "FILE: error: nobody reads a file of this name",
		"web.nspawn.d/10":       "FILE: error: nobody reads a file of this name",
		"folder.nspawn":         "FILE: error: not a regular file",
		"missing.nspawn":        "FILE: error: ",
		"name_bad-.nspawn":      "FILE: error: ",
	} {
		file = filepath.Join(root, file)
		problems := Verify(host, file)
		var wants []string
		if want != "" {
			wants = strings.Split(strings.ReplaceAll(want, "FILE", file), "|")
		}
		if len(problems) != len(wants) {
			t.Errorf("%s: problems %v, want %q", file, problems, wants)
			continue
		}
		for i := range wants {
			if !strings.HasPrefix(problems[i].String(), wants[i]) {
				t.Errorf("%s: problem %q, want %q", file, problems[i], wants[i])
			}
		}
	}
}

func TestVerifyAll(t *testing.T) {
	host, _ := newHost(t, map[string]string{
		nspawn + "web.nspawn":           web,
		nspawn + "web.nspawn.d/10.conf": "[Network]\nVirtualEthernett=yes\n",
		nspawn + "web.nspawn.d/20":      "",
		nspawn + "bad.nspawn":           "[Service]\nMemoryMax=banana\n[Unit]\nAfter=../x.nspawn\n",
		nspawn + "db.nspwn":             "",
		"var/lib/machines/web.nspawn":   "[Service]\nMemoryMax=1T\n", // hidden by the trusted one
		"var/lib/machines/raw.nspawn":   "[Service]\nMemoryMax=1T\n",
		"var/lib/machines/a_b.nspawn":   "[Service]\n",
	})
	want := `/etc/systemd/nspawn/db.nspwn: warning: nobody reads this, did you mean db.nspawn?
/etc/systemd/nspawn/web.nspawn.d/20: warning: nobody reads this, the name of a drop-in ends in .conf
/etc/systemd/nspawn/bad.nspawn:2: error: MemoryMax=banana: not a size
/etc/systemd/nspawn/bad.nspawn:4: error: After=../x.nspawn: "../x.nspawn" does not name a machine
/var/lib/machines/raw.nspawn:2: warning: MemoryMax= in section [Service] is ignored, the file is not trusted
/etc/systemd/nspawn/web.nspawn.d/10.conf:2: warning: unknown key VirtualEthernett= in section [Network], did you mean VirtualEthernet=?
`
	if got := problemsOf(Verify(host)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzFile checks that no text of a file takes the unit away from nspawn-exec.
func FuzzFile(f *testing.F) {
	f.Add(web)
	f.Add("[Service]\nExecStart=\nExecStart=/bin/sh\n ExecStart =x\n")
	f.Add("[Service]\nEnvironment=A=1\\\nExecStart=/bin/sh\n")
	f.Add("[Service]\nEnvironment=A=1\\\\\nExecStopPost=\n")
	f.Add("[Unit]\nDescription=x\r[Service]\rExecStart=/bin/sh\n")
	f.Add("[Install]\nWantedBy=../../x.target\nAlias=../a@web.service\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, _ := settings.Parse("/etc/systemd/nspawn/web.nspawn", "web", []byte(text))
		container, _ := combine(commandLine(), "web", file)
		out, _ := units.Generate(container, units.Host{Template: "/usr/lib/systemd/system/systemd-nspawn@.service"})
		for _, f := range out.Files {
			section := ""
			for _, line := range strings.FieldsFunc(f.Text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }) {
				if strings.HasPrefix(line, "[") {
					section = line
				}
				key, value, _ := strings.Cut(line, "=")
				if section != "[Service]" {
					continue
				}
				switch key {
				case "ExecStart", "ExecStop", "Type", "KillMode", "User", "Delegate":
					t.Errorf("%q reached the unit", line)
				case "ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStopPost":
					if value == "" {
						t.Errorf("%q reached the unit", line)
					}
				}
			}
		}
		for _, l := range out.Links {
			if !filepath.IsLocal(l.Path) || filepath.Clean(l.Path) != l.Path || strings.Count(l.Path, "/") > 1 {
				t.Errorf("link %s", l.Path)
			}
		}
	})
}
