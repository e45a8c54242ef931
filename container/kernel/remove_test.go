package kernel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// deepen makes directories one in the other, and a file in the last.
func deepen(t *testing.T, directory string, levels int) {
	t.Helper()
	parent, err := unix.Open(directory, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for range levels {
		if err == nil {
			err = unix.Mkdirat(parent, "deeper", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		above := parent
		parent, err = unix.Openat(above, "deeper", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		unix.Close(above)
	}
	if err := unix.Mknodat(parent, "file", unix.S_IFREG|0o600, 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(parent)
}

// A tree that is deeper than there are descriptors is removed, with names like those that it is moved by.
func TestRemoveDeepTree(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	for _, name := range []string{".#deep1", ".#deep2", "other"} {
		if err := os.MkdirAll(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	deepen(t, top, 5000)
	deepen(t, filepath.Join(top, "other"), 700)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: 400, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }()
	parent, err := os.Open(filepath.Dir(top))
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	for range 2 { // what is missing is no error
		if err := RemoveTree(parent, "top"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(top); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
