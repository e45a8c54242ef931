package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// The tests of this folder start containers. They need root, busybox-static and NSPAWNKIT_KERNEL_TESTS=1, and run in mount
// and network namespaces of their own, with an empty /run, /var/log and /var/tmp and a machine ID of their own: nothing of the host
// is touched, and what is left over is easy to see.

const (
	kernelTests = "NSPAWNKIT_KERNEL_TESTS"
	longTests   = "NSPAWNKIT_LONG_TESTS" // repeats what races more often
	programs    = "NSPAWNKIT_TEST_PROGRAMS"
	hostMounts  = "/run/mounts" // what was mounted before the tests
	hostID      = "5f0e4b1c9a3d4e6f8071829304a5b6c7"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(kernelTests) == "":
		os.Exit(m.Run())
	case os.Getenv(programs) == "":
		os.Exit(enter())
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // or what is started under nohup(1) would ignore it
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// enter builds the programs and runs this test again in new namespaces.
func enter() int {
	directory, err := os.MkdirTemp("", "nspawn-exec")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(directory)
	for name, source := range map[string]string{"nspawn-exec": ".", "networkd-lite": "../networkd-lite", "payload": "./testdata/payload", "witness": "./testdata/witness"} {
		build := exec.Command("go", "build", "-o", filepath.Join(directory, name), source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, output)
			return 1
		}
	}
	test := exec.Command("/proc/self/exe", os.Args[1:]...)
	test.Env = append(os.Environ(), programs+"="+directory)
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	test.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS}
	if err := test.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// furnish makes the private host. Its mounts are shared, as systemd makes them: what a container mounted would show.
func furnish() error {
	for _, m := range []struct {
		target, fstype string
		flags          uintptr
	}{
		{"/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"/run", "tmpfs", 0},
		{"/var/log", "tmpfs", 0},
		{"/var/tmp", "tmpfs", 0},
		{"/sys/fs/cgroup", "tmpfs", 0}, // no unified hierarchy, whatever the machine has
		{"/", "", syscall.MS_REC | syscall.MS_SHARED},
	} {
		if err := syscall.Mount("test", m.target, m.fstype, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if err := os.WriteFile(hostMounts, mounts, 0o444); err != nil {
		return err
	}
	if err := os.WriteFile("/run/machine-id", []byte(hostID+"\n"), 0o444); err != nil {
		return err
	}
	if err := syscall.Mount("/run/machine-id", "/etc/machine-id", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount machine ID: %w", err)
	}
	for _, directory := range []string{"/var/log/journal", "/run/systemd/netif/state"} { // as if networkd ran: no warning
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	return nil
}
