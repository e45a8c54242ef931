package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const controlGroups = "/sys/fs/cgroup"

// newControlGroup mounts the unified hierarchy and makes a control group in it, as a unit has.
func newControlGroup(t *testing.T) string {
	t.Helper()
	needKernel(t)
	must(t, syscall.Mount("test", controlGroups, "cgroup2", 0, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(controlGroups, 0)) })
	unit := filepath.Join(controlGroups, fmt.Sprintf("nspawn-exec-test-%d", os.Getpid()))
	must(t, os.Mkdir(unit, 0o755))
	t.Cleanup(func() {
		for _, directory := range []string{unit + "/payload", unit + "/supervisor", unit} {
			_ = os.Remove(directory)
		}
		if _, err := os.Stat(unit); err == nil {
			t.Errorf("%s cannot be removed", unit)
		}
	})
	return unit
}

// inControlGroup runs a container whose supervisor starts in a control group.
func inControlGroup(t *testing.T, unit string, arguments ...string) result {
	t.Helper()
	directory, err := os.Open(unit)
	must(t, err)
	defer directory.Close()
	cmd := nspawn(arguments[0], arguments[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	return finish(t, cmd)
}

// The supervisor and the payload get control groups of their own below the unit's; the payload's is the root of what is seen
// inside and belongs to the container, but not its limits.
func TestControlGroup(t *testing.T) {
	root, unit := newRoot(t, "web"), newControlGroup(t)
	for _, start := range []string{unit, unit + "/supervisor"} { // the second as DelegateSubgroup= of systemd 254 has it
		must(t, os.MkdirAll(start, 0o755))
		script := `cat /proc/self/cgroup | grep ^0:; cd /sys/fs/cgroup; stat -c '%n %u' . cgroup.procs cgroup.subtree_control; mkdir below && echo made
			test -e memory.max && stat -c '%n %u' memory.max; true`
		r := inControlGroup(t, start, root, "/bin/sh", "-c", script)
		want := "0::/ . 0 cgroup.procs 0 cgroup.subtree_control 0 made "
		if got := strings.Join(strings.Fields(r.stdout), " "); r.status != 0 || !strings.HasPrefix(got+" ", want) {
			t.Errorf("started in %s: status %d, %q, want %q…; %s", start, r.status, got, want, r.stderr)
		}
		if _, err := os.Stat(unit + "/payload"); err == nil {
			t.Errorf("started in %s: the control group of the payload stays", start)
		}
	}
	clean(t, root, controlGroups)
}

// With SYSTEMD_NSPAWN_USE_CGNS=0 the host's control groups are in sight: only the container's own can be written to, all of them with
// Bind=/sys/fs/cgroup.
func TestHostsControlGroups(t *testing.T) {
	root, unit := newRoot(t, "web"), newControlGroup(t)
	supervisor := unit + "/supervisor"
	must(t, os.Mkdir(supervisor, 0o755))
	directory, err := os.Open(supervisor)
	must(t, err)
	defer directory.Close()
	own := strings.TrimPrefix(unit, controlGroups) + "/payload"
	run := func(options ...string) result {
		script := `grep ^0: /proc/self/cgroup; cd /sys/fs/cgroup; mkdir host-made 2>/dev/null && rmdir host-made && echo all; mkdir .` + own + `/below && echo own`
		cmd := nspawn(root, append(options, "/bin/sh", "-c", script)...)
		cmd.Env = append(cmd.Env, "SYSTEMD_NSPAWN_USE_CGNS=0")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
		return finish(t, cmd)
	}
	for want, options := range map[string][]string{
		"0::" + own + " own":     {"--private-users=no"},
		"0::" + own + " all own": {"--private-users=no", "--bind=/sys/fs/cgroup"},
	} {
		r := run(options...)
		if got := strings.Join(strings.Fields(r.stdout), " "); r.status != 0 || got != want {
			t.Errorf("%s: status %d, %q, want %q; %s", options, r.status, got, want, r.stderr)
		}
	}
	refused(t, run("--private-users=pick"), "$SYSTEMD_NSPAWN_USE_CGNS=0", "PrivateUsers=no")
	clean(t, root, controlGroups)
}

// After the supervisor was killed its control groups are still there: the next start uses them again.
func TestControlGroupOfKilledSupervisor(t *testing.T) {
	root, unit := newRoot(t, "web"), newControlGroup(t)
	supervisor := unit + "/supervisor"
	must(t, os.Mkdir(supervisor, 0o755))
	directory, err := os.Open(supervisor)
	must(t, err)
	defer directory.Close()
	cmd := nspawn(root, sleeper...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	c := launch(t, cmd)
	c.expect("up")
	c.kill()
	if _, err := os.Stat(unit + "/payload"); err != nil {
		t.Errorf("the control group of the payload is not left: %v", err)
	}
	if r := inControlGroup(t, supervisor, root, "/bin/true"); r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// startInControlGroup starts a container whose supervisor starts in a control group.
func startInControlGroup(t *testing.T, unit string, arguments ...string) *container {
	t.Helper()
	directory, err := os.Open(unit)
	must(t, err)
	defer directory.Close()
	cmd := nspawn(arguments[0], arguments[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	c := launch(t, cmd)
	c.expect("up")
	return c
}

// Two containers of one unit, each with --keep-unit, have a group of their own: when one ends, the other goes on.
func TestControlGroupIsNotShared(t *testing.T) {
	first, second, unit := newRoot(t, "first"), newRoot(t, "second"), newControlGroup(t)
	directory, err := os.Open(unit)
	must(t, err)
	defer directory.Close()
	shell := exec.Command("sleep", "1000") // that starts both: it keeps controllers from being handed down
	shell.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	must(t, shell.Start())
	defer func() { _ = shell.Process.Kill(); _ = shell.Wait() }()
	one := startInControlGroup(t, unit, append([]string{first}, sleeper...)...)
	two := startInControlGroup(t, unit, append([]string{second}, sleeper...)...)
	of := func(c *container) string {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.init()))
		must(t, err)
		_, path, _ := strings.Cut(string(data), "0::")
		return filepath.Base(strings.TrimSpace(path))
	}
	if got := of(one) + " " + of(two); got != "payload payload-second" {
		t.Errorf("the containers are in %s", got)
	}
	one.signal(syscall.SIGTERM)
	_ = one.cmd.Process.Signal(syscall.SIGTERM)
	one.wait()
	if err := syscall.Kill(two.init(), 0); err != nil || two.init() == 0 {
		t.Errorf("the end of one container is that of the other: %v", err)
	}
	two.signal(syscall.SIGTERM)
	_ = two.cmd.Process.Signal(syscall.SIGTERM)
	two.wait()
	if left, _ := filepath.Glob(unit + "/payload*"); len(left) > 0 {
		t.Errorf("left: %s", left)
	}
}

// A container may make groups deeper than any path is long, and let them have controllers; nothing of this is left, and what a
// killed one has left does not keep the next from starting.
func TestDeepControlGroups(t *testing.T) {
	root, unit := newRoot(t, "web"), newControlGroup(t)
	const script = `cd /sys/fs/cgroup; for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control; done
		i=0; while [ $i -lt 100 ]; do mkdir 123456789012345678901234567890123456789012345678901234567890 && cd 1*; i=$((i+1)); done; echo up; exec sleep 1000`
	c := startInControlGroup(t, unit, root, "/bin/sh", "-c", script)
	c.kill()
	if _, err := os.Stat(unit + "/payload"); err != nil {
		t.Errorf("the control group of the payload is not left: %v", err)
	}
	c = startInControlGroup(t, unit+"/supervisor", root, "/bin/sh", "-c", script)
	c.signal(syscall.SIGTERM)
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	c.wait()
	if _, err := os.Stat(unit + "/payload"); err == nil {
		t.Error("the control groups of the payload stay")
		_ = removeGroups(unit + "/payload")
	}
}

// removeGroups removes control groups of any depth, for the clean-up of a test that has failed.
func removeGroups(directory string) error {
	return exec.Command("sh", "-c", `cd "$0" || exit; while cd */ 2>/dev/null; do :; done
		while [ "$(pwd -P)" != "$0" ]; do name=$(basename "$(pwd -P)"); cd ..; rmdir "$name" || exit; done; cd ..; rmdir "$0"`, directory).Run()
}
