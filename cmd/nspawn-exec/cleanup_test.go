package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func cleanup(t testing.TB, root string) {
	t.Helper()
	if r := run(t, root, "--cleanup"); r.status != 0 || r.stderr != "" {
		t.Errorf("--cleanup: status %d: %s", r.status, r.stderr)
	}
}

// One tree, one container: by its name, and by another name of the same directory.
func TestBusyTree(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, sleeper...)
	other := filepath.Join(t.TempDir(), "other")
	must(t, os.Mkdir(other, 0o755))
	bindMount(t, root, other)
	for _, directory := range []string{root, other} {
		r := run(t, directory, "/bin/echo", "payload runs")
		refused(t, r, "busy")
		if lines := strings.Count(r.stderr, "\n"); lines != 1 {
			t.Errorf("%d lines for one error: %s", lines, r.stderr)
		}
	}
	cleanup(t, root) // of a container that runs: nothing happens
	if !alive(c.init()) {
		t.Error("--cleanup ended a running container")
	}
	refused(t, run(t, root, "/bin/echo", "payload runs"), "busy")
	script := "true"
	if got := shell(t, newRoot(t, "web2"), script); got != "" {
		t.Errorf("another tree: %q", got)
	}
}

// Read-only containers share a tree with each other, but not with one that writes.
func TestReadOnlyContainersShareTree(t *testing.T) {
	root := newRoot(t, "web")
	begin(t, root, append([]string{"--read-only", "--machine=one"}, sleeper...)...)
	shell(t, root, "true", "--read-only", "--machine=two")
	refused(t, run(t, root, "/bin/echo", "payload runs"), "busy")
}

// A container whose range of users is taken gets another one.
func TestRangesDiffer(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, sleeper...)
	first := uidMap(t, c.init())
	c.kill()
	lock, err := os.OpenFile("/run/systemd/nspawn-uid/"+strings.Fields(first)[1], os.O_RDWR, 0)
	must(t, err)
	defer lock.Close()
	must(t, unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	if second := uidMap(t, begin(t, root, sleeper...).init()); second == first {
		t.Error("the range is used twice")
	}
}

func uidMap(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	must(t, err)
	return string(data)
}

// kill -9 of the supervisor: the payload dies, the next start works at once, and --cleanup removes what is left.
func TestKilledSupervisor(t *testing.T) {
	root := newRoot(t, "web")
	options := append([]string{"--network-zone=app", "--bind=/etc:/mnt"}, sleeper...)
	c := begin(t, root, options...)
	c.kill()
	if len(leftovers(t, root)) == 0 {
		t.Error("a killed supervisor leaves nothing: this test tests nothing")
	}
	d := begin(t, root, options...)
	d.kill()
	cleanup(t, root)
	clean(t, root)
	cleanup(t, root) // nothing to do is no error
}

// The supervisor is killed at any moment of the start. After --cleanup nothing is left and the next start works.
func TestKilledDuringStart(t *testing.T) {
	root := newRoot(t, "web")
	runs := 60
	if os.Getenv(longTests) != "" {
		runs = 1000
	}
	for i := range runs {
		delay := time.Duration(rand.IntN(40_000)) * time.Microsecond
		cmd := nspawn(root, append([]string{"--network-zone=app", "--tmpfs=/mnt", "--bind=:/opt", "--overlay=+/etc::/etc"}, sleeper...)...)
		killAfter(t, cmd, delay)
		if i%2 == 0 {
			cleanup(t, root)
			clean(t, root)
			noTemporaries(t, root)
		}
		if got := shell(t, root, "echo works", "--network-zone=app"); got != "works" {
			t.Errorf("killed after %v: %q", delay, got)
		}
		if t.Failed() {
			t.Fatalf("killed after %v", delay)
		}
	}
	clean(t, root)
}

// Whatever step fails, what the steps before it made is removed.
func TestFailedStartLeavesNothing(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, root string) []string{
		"bind source": func(*testing.T, string) []string { return []string{"--bind=/no/such"} },
		"mount point": func(t *testing.T, root string) []string {
			must(t, os.Remove(root+"/dev"))
			must(t, os.Symlink("etc", root+"/dev"))
			return nil
		},
		"payload":   func(*testing.T, string) []string { return []string{"--chdir=/no/such"} },
		"host name": func(*testing.T, string) []string { return []string{"--network-zone=app", "--chdir=/none"} },
		"interface": func(*testing.T, string) []string { return []string{"--network-veth-extra=lo:x", "--network-veth"} },
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			options := append(prepare(t, root), "--network-veth", "/bin/echo", "payload runs")
			r := run(t, root, options...)
			refused(t, r)
			if lines := strings.Count(r.stderr, "\n"); lines != 1 {
				t.Errorf("%d lines for one error: %s", lines, r.stderr)
			}
			clean(t, root)
		})
	}
}

// A machine state that is no JSON must not keep a machine from being cleaned up for ever.
func TestBrokenMachineState(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, machineFile("web"), "{")
	run(t, root, "--cleanup")
	cleanup(t, root)
	clean(t, root)
	refused(t, run(t, root, "--machine=../../etc", "--cleanup"), "../../etc")
}

// A name stands for one container, from whichever tree: the second one touches nothing of the first, nor does --cleanup.
func TestNameInUse(t *testing.T) {
	root, other := newRoot(t, "web"), newRoot(t, "other")
	c := begin(t, root, append([]string{"--network-veth"}, sleeper...)...)
	before := leftovers(t, root)
	r := run(t, other, "--machine=web", "--network-veth", "/bin/echo", "payload runs")
	refused(t, r)
	want := fmt.Sprintf("lock name: machine web is running already: process %d runs it from %s\n", c.cmd.Process.Pid, root)
	if r.stderr != want {
		t.Errorf("%q, want %q", r.stderr, want)
	}
	r = run(t, root, "--machine=other", "/bin/echo", "payload runs")
	refused(t, r, fmt.Sprintf("directory tree %s is currently busy: machine web, process %d runs from it", root, c.cmd.Process.Pid))
	if r := run(t, other, "--machine=web", "--cleanup"); r.status != 0 || r.stderr != "" {
		t.Errorf("--cleanup: status %d: %s", r.status, r.stderr)
	}
	if after := leftovers(t, root); !slices.Equal(before, after) {
		t.Errorf("of the running container there is %q, want %q", after, before)
	}
	c.signal(syscall.SIGTERM)
	c.wait()
	shell(t, other, "true", "--machine=web", "--network-veth")
	clean(t, root)
}
