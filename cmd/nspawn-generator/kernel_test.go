package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownMounts gives the test a mount namespace of its own, which the programs that it starts share.
func ownMounts(t *testing.T) {
	t.Helper()
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1 and root")
	}
	// The thread is never unlocked: it ends with the test, and its mounts with it.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS); err != nil {
		t.Fatal(err)
	}
	mount(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s: %v", target, err)
	}
	if flags&(syscall.MS_PRIVATE|syscall.MS_REMOUNT) == 0 {
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	}
}

// bindLog puts a file over /dev/kmsg and returns a function that empties it and gives its lines.
func bindLog(t *testing.T) func() []string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mount(t, log, "/dev/kmsg", "", syscall.MS_BIND, "")
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(log, 0); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
}

// TestKernelLog checks the bytes that reach /dev/kmsg: facility daemon, the priority, the program, FILE:LINE.
func TestKernelLog(t *testing.T) {
	ownMounts(t)
	lines := bindLog(t)
	root, out := t.TempDir(), t.TempDir()
	writeTree(t, root, goodFiles(2))
	writeTree(t, root, map[string]string{
		"etc/systemd/nspawn/bad.nspawn": "[Service]\nMemoryMax=banana\n[Exec]\nHostnome=x\n",
	})
	if printed := generateInto(t, 0, root, out); printed != "" {
		t.Errorf("printed %q", printed)
	}
	const prefix = `nspawn-generator\[\d+\]: /etc/systemd/nspawn/bad\.nspawn:`
	wantLines(t, lines(), "^<27>"+prefix+"2: error: MemoryMax=banana: ", "^<28>"+prefix+"4: warning: .*Hostname")

	// Nothing can be written.
	generateInto(t, 1, root, "/dev/full")
	got := lines()
	wantLines(t, got[:2], "^<27>"+prefix+"2: error", "^<28>"+prefix+"4: warning")
	for _, line := range got[2:] {
		if !regexp.MustCompile(`^<27>nspawn-generator\[\d+\]: write /dev/full/.*: not a directory$`).MatchString(line) {
			t.Errorf("line %q", line)
		}
	}
	if len(got) < 4 {
		t.Errorf("lines %q", got)
	}
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if !regexp.MustCompile(want[i]).MatchString(got[i]) {
			t.Errorf("line %q, want %s", got[i], want[i])
		}
	}
}

// TestNoKernelLog has no /dev/kmsg, or one that cannot be opened: stderr gets the problems, the containers their units.
func TestNoKernelLog(t *testing.T) {
	ownMounts(t)
	files := goodFiles(2)
	want := reference(t, files)
	root := t.TempDir()
	writeTree(t, root, files)
	writeTree(t, root, map[string]string{"etc/systemd/nspawn/bad.nspawn": "[Service]\nMemoryMax=banana\n"})
	mount(t, "tmpfs", "/dev", "tmpfs", syscall.MS_NODEV, "")
	if err := syscall.Mknod("/dev/null", syscall.S_IFREG|0o666, 0); err != nil {
		t.Fatal(err)
	}
	const banana = "/etc/systemd/nspawn/bad.nspawn:2: error: MemoryMax=banana: "
	check := func(prefix string, environ ...string) {
		t.Helper()
		out := t.TempDir()
		if printed := generateInto(t, 0, root, out, environ...); !strings.HasPrefix(printed, prefix+banana) {
			t.Errorf("printed %q", printed)
		}
		wantSame(t, written(t, out), want)
	}
	check("nspawn-generator: ")
	check("<3>", "JOURNAL_STREAM=1:2")
	if err := syscall.Mknod("/dev/kmsg", syscall.S_IFCHR|0o600, 1<<8|11); err != nil {
		t.Fatal(err)
	}
	check("nspawn-generator: ") // the file system has no devices
}

// TestFullOutput writes to file systems that run out of space or of inodes, or cannot be written at all. What is there is
// whole, and the exit status says whether anything is.
func TestFullOutput(t *testing.T) {
	ownMounts(t)
	files := goodFiles(200)
	want := reference(t, files)
	root := t.TempDir()
	writeTree(t, root, files)
	lines := bindLog(t)
	for _, test := range []struct {
		options  string
		readOnly bool
		status   int
		why      string
	}{
		{"size=256k", false, 0, "no space left on device"},
		{"nr_inodes=150", false, 0, "no space left on device"},
		{"nr_inodes=1", false, 1, "no space left on device"},
		{"", true, 1, "read-only file system"},
	} {
		out := t.TempDir()
		mount(t, "tmpfs", out, "tmpfs", 0, test.options)
		if test.readOnly {
			mount(t, "", out, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		}
		generateInto(t, test.status, root, out)
		got := written(t, out)
		for name, text := range got {
			if want[name] != text {
				t.Errorf("%s: %s: %q, want %q", test.options, name, text, want[name])
			}
		}
		if (len(got) == 0) != (test.status == 1) || len(got) == len(want) {
			t.Errorf("%s: %d files and links", test.options, len(got))
		}
		log := lines()
		if len(log) != maxPerFile+1 || !strings.HasSuffix(log[0], ": "+test.why) || !strings.HasSuffix(log[maxPerFile], " more errors") {
			t.Errorf("%s: %d lines: %q", test.options, len(log), log)
		}
		for _, line := range log {
			if !strings.HasPrefix(line, "<27>nspawn-generator[") {
				t.Errorf("%s: line %q", test.options, line)
			}
		}
		// With room the next run does everything.
		mount(t, "", out, "", syscall.MS_REMOUNT, "size=64m,nr_inodes=10000")
		generateInto(t, 0, root, out)
		if got := written(t, out); !maps.Equal(got, want) {
			t.Errorf("%s: the next run wrote %d files and links, want %d", test.options, len(got), len(want))
		}
		lines()
	}
}

// TestHostileHost reads from a read-only file system without /var, where somebody else's folder cannot be read, device
// nodes pose as files, and a folder has a hundred thousand other names.
func TestHostileHost(t *testing.T) {
	ownMounts(t)
	files := goodFiles(3)
	want := reference(t, files)
	root, out := t.TempDir(), t.TempDir()
	lines := bindLog(t)
	mount(t, "tmpfs", root, "tmpfs", 0, "mode=755,nr_inodes=0")
	writeTree(t, root, files)
	device := filepath.Join(root, "etc/systemd/nspawn/device.nspawn")
	private := filepath.Join(root, "run/systemd/nspawn")
	for _, err := range []error{
		syscall.Mknod(device, syscall.S_IFCHR|0o666, 1<<8|5), // /dev/zero
		os.MkdirAll(private, 0o700),
		os.Chown(private, 12345, 12345),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100_000 {
		if err := syscall.Mknod(fmt.Sprintf("%s/etc/systemd/nspawn/other%d.nspawn~", root, i), syscall.S_IFREG, 0); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	cmd := program(t, root, out)
	// Root of a user namespace may not look into the folder of a user that is not in it.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{Size: 1}},
	}
	began := time.Now()
	if printed, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
	if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10; peak > 150 {
		t.Errorf("took %d MB", peak)
	}
	wantSame(t, written(t, out), want)
	wantLines(t, lines(), `<27>.*: /run/systemd/nspawn: error: cannot be read: permission denied$`,
		`<27>.*: /etc/systemd/nspawn/device\.nspawn: error: not a regular file$`)
}
