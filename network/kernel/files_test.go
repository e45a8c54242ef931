package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The lock keeps away those who want the file for themselves alone, and gives way to them.
func TestLockShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if unlock, err := LockShared(path); err != nil {
		t.Errorf("a file that is missing: %v", err)
	} else {
		unlock()
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	alone := func(kind int16) error { return unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind}) }
	if err := alone(unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	if _, err := LockShared(path); !errors.Is(err, ErrLocked) {
		t.Errorf("while another has it: %v", err)
	}
	if err := alone(unix.F_UNLCK); err != nil {
		t.Fatal(err)
	}
	unlock, err := LockShared(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LockShared(path)
	if err != nil {
		t.Fatalf("a second one: %v", err)
	}
	second()
	if err := alone(unix.F_WRLCK); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("another gets it meanwhile: %v", err)
	}
	unlock()
	if err := alone(unix.F_WRLCK); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
