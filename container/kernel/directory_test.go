package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// newDir makes a directory with one entry of each kind, all of which could lead astray.
func newDir(t *testing.T) (Dir, string) {
	t.Helper()
	outer := t.TempDir()
	path := filepath.Join(outer, "root")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(path, "directory"), 0o755), os.WriteFile(filepath.Join(path, "file"), []byte("a longer text"), 0o600),
		os.WriteFile(filepath.Join(outer, "outside"), []byte("outside"), 0o644), os.Symlink("../outside", filepath.Join(path, "link")),
		syscall.Mkfifo(filepath.Join(path, "fifo"), 0o644), os.WriteFile(filepath.Join(path, ".#new"), []byte("of a killed one"), 0o400),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dir, err := root.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dir.Close()
		if data, err := os.ReadFile(filepath.Join(outer, "outside")); string(data) != "outside" {
			t.Errorf("the file outside is %q, %v", data, err)
		}
	})
	return dir, path
}

func wantFile(t *testing.T, path, content string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		t.Errorf("%s is no regular file: %v", path, err)
		return
	}
	if data, err := os.ReadFile(path); string(data) != content {
		t.Errorf("%s is %q, %v", path, data, err)
	}
}

func TestOverwrite(t *testing.T) {
	dir, path := newDir(t)
	for name, want := range map[string]error{"file": nil, "new": nil, "link": ErrLink, "fifo": ErrNotRegular, "directory": ErrNotRegular} {
		if err := dir.Overwrite(name, []byte("text"), 0o644); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if want == nil {
			wantFile(t, filepath.Join(path, name), "text")
		}
	}
}

// What was killed in the middle is no obstacle.
func TestReplace(t *testing.T) {
	renamed := func(d Dir, name string, data []byte, mode uint32) error {
		_ = d.Remove(".#new")
		return d.replaceByRename(".#new", name, data, mode)
	}
	for way, replace := range map[string]func(Dir, string, []byte, uint32) error{"unnamed": Dir.Replace, "renamed": renamed} {
		t.Run(way, func(t *testing.T) {
			dir, path := newDir(t)
			for _, name := range []string{"file", "new", "link", "fifo"} {
				if err := replace(dir, name, []byte("text"), 0o640); err != nil {
					t.Error(err)
				}
				wantFile(t, filepath.Join(path, name), "text")
				if info, err := os.Stat(filepath.Join(path, name)); err != nil {
					t.Error(err)
				} else if info.Mode() != 0o640 {
					t.Errorf("%s has mode %v", name, info.Mode())
				}
			}
			if err := replace(dir, "directory", nil, 0o644); err == nil {
				t.Error("a directory is replaced")
			}
			if left, _ := filepath.Glob(path + "/.#*"); len(left) > 0 {
				t.Errorf("left over: %q", left)
			}
		})
	}
}

func TestRemoveAndSymlink(t *testing.T) {
	dir, path := newDir(t)
	for _, name := range []string{"file", "link", "fifo"} {
		if err := dir.Symlink("target", name); err != nil || dir.Readlink(name) != "target" {
			t.Errorf("%s leads to %q, %v", name, dir.Readlink(name), err)
		}
		if err := dir.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if err := dir.Remove("directory"); err == nil || dir.Readlink("directory") != "" {
		t.Errorf("a directory is removed: %v", err)
	}
	if err := dir.Remove("none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(path); len(entries) != 2 {
		t.Errorf("%d entries are left", len(entries))
	}
}

// A link that leads to nothing yet gets its file, inside the root.
func TestOpenOrMakeFile(t *testing.T) {
	_, path := newDir(t)
	root, err := OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, target := range map[string]string{"up": "../../made", "absolute": "/directory/made", "file": ""} {
		if target != "" {
			if err := os.Symlink(target, filepath.Join(path, name)); err != nil {
				t.Fatal(err)
			}
		}
		file, err := root.OpenOrMakeFile(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file.Close()
	}
	wantFile(t, filepath.Join(path, "made"), "")
	wantFile(t, filepath.Join(path, "directory/made"), "")
	if _, err := root.OpenOrMakeFile("none/file"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
