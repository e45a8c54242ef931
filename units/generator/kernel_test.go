package generator

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"nspawnkit/units"
)

// TestFullFileSystem writes to a tmpfs that is too small, in a mount namespace of its own.
func TestFullFileSystem(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1 and root")
	}
	dir := t.TempDir()
	// The thread is never unlocked: it ends with the test, and its mounts with it.
	runtime.LockOSThread()
	for _, err := range []error{
		syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS),
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	n, err := write(dir, units.Output{Files: []units.File{
		{Path: "a.d/05.conf", Text: "small\n"},
		{Path: "b.d/05.conf", Text: strings.Repeat("large\n", 1<<16)},
		{Path: "c.d/05.conf", Text: "small\n"},
	}})
	if n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d written, error %v; want 2 and ENOSPC", n, err)
	}
	left, err := filepath.Glob(dir + "/*.d/.#*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(dir + "/b.d/05.conf"); err == nil {
		t.Error("a file in part stands under its name")
	}
}
