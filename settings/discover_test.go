package settings

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}

func TestDiscover(t *testing.T) {
	fsys := fstest.MapFS{
		"etc/systemd/nspawn/web-1.nspawn":          text("[Exec]\n"),
		"etc/systemd/nspawn/web-2.nspawn":          link("web-1.nspawn"),
		"etc/systemd/nspawn/off.nspawn":            link("/dev/null"),
		"etc/systemd/nspawn/empty.nspawn":          text(""),
		"etc/systemd/nspawn/bad_name.nspawn":       text(""),
		"etc/systemd/nspawn/notes.txt":             text(""),
		"etc/systemd/nspawn/.#web-1.nspawn":        link("user@host.1234"), // of an editor
		"etc/systemd/nspawn/.web-1.nspawn.swp":     text(""),
		"etc/systemd/nspawn/web-1.nspawn~":         text(""),
		"etc/systemd/nspawn/web-1.nspawn.dpkg-old": text(""),
		"etc/systemd/nspawn/.hidden.nspawn":        text("[Exec]\n"),
		"etc/systemd/nspawn/.hidden.nspawn.d/a":    text(""),
		"etc/systemd/nspawn/off-2.nspawn":          link("off.nspawn"),
		"etc/systemd/nspawn/gone.nspawn":           link("no.nspawn"),
		"etc/systemd/nspawn/db.nspawn.d/b.conf":    text(""),
		"etc/systemd/nspawn/web-.nspawn.d/a.conf":  text(""),
		"etc/systemd/nspawn/nspawn.d/a.conf":       text(""),
		"run/systemd/nspawn/db.nspawn.d/a.conf":    text(""),
		"usr/lib/systemd/nspawn/off.nspawn":        text("[Exec]\n"),
		"usr/lib/systemd/nspawn/web-1.nspawn":      text("[Exec]\n"),
		"etc/nspawnkit/own.nspawn":                 text("[Exec]\n"),
		"usr/local/lib/systemd/nspawn/loc.nspawn":  text("[Exec]\n"),
		"var/lib/machines/untrusted.nspawn":        text("[Exec]\n"),
		"etc/systemd/nspawn/web-1.nspawn.d/b.conf": text(""),
	}
	found, problems := Discover(fsys)
	var got []string
	for _, f := range found {
		got = append(got, f.Name+"="+f.Path)
	}
	want := []string{
		"db=", "empty=/etc/systemd/nspawn/empty.nspawn", "gone=/etc/systemd/nspawn/gone.nspawn", "loc=/usr/local/lib/systemd/nspawn/loc.nspawn", "own=/etc/nspawnkit/own.nspawn",
		"web-1=/etc/systemd/nspawn/web-1.nspawn", "web-2=/etc/systemd/nspawn/web-2.nspawn",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if want := "/etc/systemd/nspawn/bad_name.nspawn: warning: bad_name is not a valid container name, ignored"; joinProblems(problems) != want {
		t.Errorf("got %v", problems)
	}
}

// hostname returns what the files of a container set Hostname= to, and where.
func hostname(t *testing.T, fsys fs.FS, machine string) string {
	t.Helper()
	file, problems := Load(fsys, machine, "/var/lib/machines")
	if len(problems) > 0 {
		t.Errorf("%s: %s", machine, joinProblems(problems))
	}
	s, problems := Combine(CommandLine{Machine: machine}, file)
	if len(problems) > 0 {
		t.Errorf("%s: %s", machine, joinProblems(problems))
	}
	return s.Exec.Hostname + " " + s.Origin("Exec.Hostname").String()
}

func TestPrecedence(t *testing.T) {
	set := func(name string) *fstest.MapFile { return text("[Exec]\nHostname=" + name + "\n") }
	fsys := fstest.MapFS{
		"etc/systemd/nspawn/a.nspawn":          set("etc"),
		"run/systemd/nspawn/a.nspawn":          set("run"),
		"run/systemd/nspawn/b.nspawn":          set("run"),
		"etc/nspawnkit/b.nspawn":               set("ours"),
		"etc/systemd/nspawn/hidden1.nspawn":    text(""),
		"run/systemd/nspawn/hidden1.nspawn":    set("run"),
		"etc/systemd/nspawn/hidden2.nspawn":    link("/dev/null"),
		"run/systemd/nspawn/hidden2.nspawn":    set("run"),
		"var/lib/machines/hidden2.nspawn":      set("image"),
		"var/lib/machines/image.nspawn":        set("image"),
		"etc/systemd/nspawn/abs.nspawn":        link("/usr/lib/systemd/nspawn/target.nspawn"),
		"usr/lib/systemd/nspawn/target.nspawn": set("target"),

		"usr/lib/systemd/nspawn/nspawn.d/10-all.conf":       set("all"),
		"etc/systemd/nspawn/web-.nspawn.d/20-web.conf":      set("prefix"),
		"run/systemd/nspawn/web-1.nspawn.d/15-own.conf":     set("own"),
		"etc/systemd/nspawn/web-2.nspawn.d/30-own.conf":     set("own"),
		"etc/systemd/nspawn/web-3.nspawn.d/20-web.conf":     text(""),
		"etc/systemd/nspawn/web-6-.nspawn.d/20-web.conf":    set("longer"),
		"usr/lib/systemd/nspawn/web-4.nspawn.d/20-web.conf": set("specific"),
		"etc/systemd/nspawn/web-5-x.nspawn.d/20-web.conf":   link("/dev/null"),
		"etc/systemd/nspawn/web-1.nspawn.d/99.txt":          set("no"),
		"etc/systemd/nspawn/nspawn.d/10-all.conf.orig":      set("no"),
	}
	for machine, want := range map[string]string{
		"hidden1": "all /usr/lib/systemd/nspawn/nspawn.d/10-all.conf:2",
		"web-1":   "prefix /etc/systemd/nspawn/web-.nspawn.d/20-web.conf:2",
		"web-2":   "own /etc/systemd/nspawn/web-2.nspawn.d/30-own.conf:2",
		"web-3":   "all /usr/lib/systemd/nspawn/nspawn.d/10-all.conf:2",
		"web-4":   "prefix /etc/systemd/nspawn/web-.nspawn.d/20-web.conf:2", // the folder counts more than the name
		"web-6-x": "longer /etc/systemd/nspawn/web-6-.nspawn.d/20-web.conf:2",
		"web-5-x": "all /usr/lib/systemd/nspawn/nspawn.d/10-all.conf:2",
	} {
		if got := hostname(t, fsys, machine); got != want {
			t.Errorf("%s: got %s, want %s", machine, got, want)
		}
	}
	delete(fsys, "usr/lib/systemd/nspawn/nspawn.d/10-all.conf")
	for machine, want := range map[string]string{
		"a": "etc /etc/systemd/nspawn/a.nspawn:2", "b": "ours /etc/nspawnkit/b.nspawn:2", "hidden1": " default", "hidden2": " default",
		"image": "image /var/lib/machines/image.nspawn:2", "abs": "target /usr/lib/systemd/nspawn/target.nspawn:2", "none": " default",
	} {
		if got := hostname(t, fsys, machine); got != want {
			t.Errorf("%s: got %s, want %s", machine, got, want)
		}
	}
}

// noAccess is a file system with a file or folder that may not be read.
type noAccess struct {
	fstest.MapFS
	name string
}

func (n noAccess) Open(name string) (fs.File, error) {
	if name == n.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return n.MapFS.Open(name)
}

func (n noAccess) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == n.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return n.MapFS.ReadDir(name)
}

func TestUnreadable(t *testing.T) {
	const file = "etc/systemd/nspawn/web.nspawn"
	for _, test := range []struct {
		fsys fs.FS
		want string
	}{
		{noAccess{fstest.MapFS{file: text("")}, file}, "/" + file + ": error: cannot be read: permission denied"},
		{noAccess{fstest.MapFS{file: text("")}, "etc/systemd/nspawn"}, "/etc/systemd/nspawn: error: cannot be read: permission denied"},
		{fstest.MapFS{file: {Mode: fs.ModeNamedPipe}}, "/" + file + ": error: not a regular file"},
		{fstest.MapFS{file: {Mode: fs.ModeDevice}}, "/" + file + ": error: not a regular file"},
		{fstest.MapFS{file: {Mode: fs.ModeDir}}, "/" + file + ": error: not a regular file"},
		{fstest.MapFS{file: link("gone")}, "/" + file + ": error: links to /etc/systemd/nspawn/gone, which does not exist"},
		{fstest.MapFS{file: link("web.nspawn")}, "/" + file + ": error: too many levels of symbolic links"},
		{fstest.MapFS{file: text("[Exec] x\n")}, "/" + file + ":1: error: text after the section name, file not read"},
		{fstest.MapFS{file: text(strings.Repeat("#\n", maxFile/2+1))}, "/" + file + ": error: larger than 16 MiB"},
		{fstest.MapFS{"var/lib/machines/web.nspawn": {Mode: fs.ModeNamedPipe}}, "/var/lib/machines/web.nspawn: error: not a regular file"},
	} {
		if _, problems := Load(test.fsys, "web", "/var/lib/machines"); joinProblems(problems) != test.want {
			t.Errorf("got %v, want %s", problems, test.want)
		}
	}
	if _, problems := Load(fstest.MapFS{}, "../x", ""); len(problems) != 1 || problems[0].Severity != Error {
		t.Errorf("bad machine name: %v", problems)
	}
}

// TestRealFiles reads a FIFO and links of a real file system.
func TestRealFiles(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "etc/systemd/nspawn")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "fifo.nspawn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(folder, "off.nspawn")); err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	go func() {
		_, fifo := Load(os.DirFS(root), "fifo", "")
		_, off := Load(os.DirFS(root), "off", "")
		done <- fmt.Sprint(fifo, off)
	}()
	select {
	case got := <-done:
		if want := "[/etc/systemd/nspawn/fifo.nspawn: error: not a regular file] []"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("reading a FIFO hangs")
	}
}
