package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newTree makes a directory "root" and, beside it, a directory "outside" that must stay empty.
func newTree(t *testing.T) (root *Root, directory, outside string) {
	t.Helper()
	base := t.TempDir()
	directory, outside = filepath.Join(base, "root"), filepath.Join(base, "outside")
	for _, d := range []string{filepath.Join(directory, "etc"), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := OpenRoot(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		root.Close()
		if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
			t.Errorf("outside of the root: %v, %v", entries, err)
		}
	})
	return root, directory, outside
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestMountPoints(t *testing.T) {
	for name, test := range map[string]struct {
		link, target string
		path         string
		made         string // inside the root; empty: refused
	}{
		"plain":              {"", "", "/a/b/c", "a/b/c"},
		"without slash":      {"", "", "a/b", "a/b"},
		"dots":               {"", "", "/etc/../../../b", "b"},
		"absolute link":      {"link", "/etc", "/link/x", "etc/x"},
		"link with dots":     {"link", "../../../etc", "/link/x", "etc/x"},
		"link out":           {"link", "../outside", "/link/x", ""},
		"absolute link out":  {"link", "OUTSIDE", "/link/x", ""},
		"link to itself":     {"link", "link", "/link/x", ""},
		"magic link":         {"link", "/proc/self/cwd", "/link/x", ""},
		"file in the way":    {"", "", "/file/x", ""},
		"last part is link":  {"link", "/etc", "/link", "etc"},
		"dangling last part": {"link", "OUTSIDE/x", "/link", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, directory, outside := newTree(t)
			if err := os.WriteFile(filepath.Join(directory, "file"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if test.link != "" {
				symlink(t, strings.Replace(test.target, "OUTSIDE", outside, 1), filepath.Join(directory, test.link))
			}
			place, err := root.MakeMountPoint(test.path, true)
			if err == nil {
				place.Close()
			}
			if (err == nil) != (test.made != "") {
				t.Fatalf("error %v", err)
			}
			if test.made == "" {
				return
			}
			if info, err := os.Lstat(filepath.Join(directory, test.made)); err != nil || !info.IsDir() {
				t.Errorf("%s was not made: %v", test.made, err)
			}
		})
	}
}

func TestMountPointForFile(t *testing.T) {
	root, directory, _ := newTree(t)
	for range 2 { // the second time it is there
		place, err := root.MakeMountPoint("/a/file", false)
		if err != nil {
			t.Fatal(err)
		}
		place.Close()
	}
	if info, err := os.Lstat(filepath.Join(directory, "a/file")); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// API file systems go where the path says, or nowhere.
func TestDirectoriesFollowNoLink(t *testing.T) {
	root, directory, outside := newTree(t)
	for name, target := range map[string]string{"proc": outside, "sys": "etc", "dev": "/etc", "run": "nothing"} {
		symlink(t, target, filepath.Join(directory, name))
		for _, path := range []string{"/" + name, "/" + name + "/below"} {
			place, err := root.MakeDirectories(path, 0o755, os.Getuid(), os.Getgid())
			if err == nil {
				place.Close()
			}
			if !errors.Is(err, ErrLink) {
				t.Errorf("%s -> %s: %v, want %v", path, target, err, ErrLink)
			}
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(directory, "etc")); len(entries) > 0 {
		t.Errorf("made through a link: %v", entries)
	}
	place, err := root.MakeDirectories("/var/log/journal", 0o750, os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	if info, err := os.Stat(filepath.Join(directory, "var/log/journal")); err != nil || !info.IsDir() {
		t.Error(err)
	}
}

// What is read of an image never blocks and is never large.
func TestReadFile(t *testing.T) {
	for name, test := range map[string]struct {
		make func(path, outside string) error
		want string
		fail bool
	}{
		"regular":        {func(path, _ string) error { return os.WriteFile(path, []byte("text"), 0o644) }, "text", false},
		"at the limit":   {func(path, _ string) error { return os.WriteFile(path, []byte("12345678"), 0o644) }, "12345678", false},
		"over the limit": {func(path, _ string) error { return os.WriteFile(path, []byte("123456789"), 0o644) }, "", true},
		"sparse": {func(path, _ string) error {
			return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 1<<40))
		}, "", true},
		"FIFO":             {func(path, _ string) error { return syscall.Mkfifo(path, 0o644) }, "", true},
		"directory":        {func(path, _ string) error { return os.Mkdir(path, 0o755) }, "", true},
		"link inside":      {func(path, _ string) error { return os.Symlink("/etc/other", path) }, "other", false},
		"link out":         {func(path, outside string) error { return os.Symlink(outside+"/../secret", path) }, "", true},
		"relative out":     {func(path, _ string) error { return os.Symlink("../../secret", path) }, "", true},
		"socket or device": {func(path, _ string) error { return os.Symlink("/dev/zero", path) }, "", true},
		"missing":          {func(string, string) error { return nil }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			root, directory, outside := newTree(t)
			path := filepath.Join(directory, "etc/file")
			err := errors.Join(os.WriteFile(directory+"/etc/other", []byte("other"), 0o644),
				os.WriteFile(filepath.Dir(outside)+"/secret", []byte("secret"), 0o644), test.make(path, outside))
			if err != nil {
				t.Fatal(err)
			}
			data, err := root.ReadFile("/etc/file", 8)
			if (err != nil) != test.fail || (err == nil && string(data) != test.want) {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	root, directory, outside := newTree(t)
	for name, target := range map[string]string{"absolute": "/etc", "relative": "../../etc", "chain": "absolute", "out": outside, "loop": "loop"} {
		symlink(t, target, filepath.Join(directory, name))
	}
	for path, want := range map[string]string{
		"/etc": "/etc", "etc/x/y": "/etc/x/y", "/": "/", "/none": "/none", "/none/x": "/none/x", "/absolute/x": "/etc/x", "/relative": "/etc",
		"/chain/a/b/c": "/etc/a/b/c", "/out/x": "/out/x", "/loop/x": "",
	} {
		got, err := root.Resolve(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Resolve(%q) = %q, %v; want %q", path, got, err, want)
		}
	}
}
