package main_test

import (
	"fmt"
	"os"
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
