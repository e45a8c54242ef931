package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// handOver is when a supervisor hands its container over to a fresh process of itself, counted from the moment the payload runs.
const handOver = 100 * time.Millisecond

func (c *container) expectFresh() {
	c.t.Helper()
	eventually(c.t, "a fresh process of the supervisor takes over", func() bool { return isFresh(c.cmd.Process.Pid) && !c.holdsState() })
}

// holdsState reports whether the state of a hand-over is still open.
func (c *container) holdsState() bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.cmd.Process.Pid))
	must(c.t, err)
	return slices.ContainsFunc(files, func(file string) bool {
		target, _ := os.Readlink(file)
		return strings.Contains(target, "memfd:state")
	})
}

// polite is a payload that ends with status 7 when it is asked to, and what asks it.
var polite = []string{"--kill-signal=SIGUSR1", "/bin/sh", "-c", `trap "echo bye; exit 7" USR1; echo up; while :; do sleep 0.02; done`}

// looks is what others see of a supervisor.
func looks(t *testing.T, pid int) string {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	must(t, err)
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	must(t, err)
	directory, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	must(t, err)
	mounts, err := os.Readlink(fmt.Sprintf("/proc/%d/task/%d/ns/mnt", pid, pid))
	must(t, err)
	status := ""
	for _, field := range []string{"CapEff", "CapBnd", "SigIgn", "NoNewPrivs", "Seccomp"} {
		status += " " + statusField(pid, field)
	}
	return fmt.Sprintf("%s %s %q %s %s %d%s", comm(pid), exe, cmdline, directory, mounts, childOf(pid), status)
}

// The fresh process looks like the one before, has the container, its locks and what it is to remove, and no file too many.
func TestHandOver(t *testing.T) {
	for name, options := range map[string][]string{
		"pipe": {"--network-veth"}, "read-only": {"--console=read-only"}, "passive": {"--console=passive"},
		"copy": {"--ephemeral", "--overlay=+/etc::/srv"}, "host": {"--private-users=no", hostNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			must(t, os.Mkdir(root+"/srv", 0o755))
			c, before := launchSeen(t, nspawn(root, append(options, polite...)...))
			pid := c.cmd.Process.Pid
			c.expectFresh()
			if after := looks(t, pid); before != after {
				t.Errorf("before %s, after %s", before, after)
			}
			checkInheritance(t, c)
			if again := run(t, root, append(options, "--machine=other", "/bin/true")...); (again.status == 0) != (name == "copy") {
				t.Errorf("a second one: %+v", again)
			}
			time.Sleep(handOver) // the payload may not have its trap yet
			c.signal(syscall.SIGTERM)
			if status := c.wait(); status != 7 || c.stderr.Len() > 0 {
				t.Errorf("status %d: %s", status, c.stderr.String())
			}
			clean(t, root)
		})
	}
}

// launchSeen starts a container and returns what its supervisor looks like before it hands over, which may take some tries on a busy
// machine.
func launchSeen(t *testing.T, cmd *exec.Cmd) (c *container, before string) {
	t.Helper()
	for range 20 {
		c := launch(t, &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env})
		eventually(t, "the payload runs", func() bool { return c.init() != 0 && comm(c.init()) == "sh" })
		if before := looks(t, c.cmd.Process.Pid); !isFresh(c.cmd.Process.Pid) {
			return c, before
		}
		c.kill()
	}
	t.Fatal("cannot see a supervisor before it hands over")
	return nil, ""
}

// checkInheritance checks what of the supervisor others would get.
func checkInheritance(t *testing.T, c *container) {
	t.Helper()
	for _, descriptor := range descriptorsOf(t, c.cmd.Process.Pid) {
		info, _ := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", c.cmd.Process.Pid, descriptor))
		_, after, _ := strings.Cut(string(info), "flags:")
		flags, err := strconv.ParseUint(strings.Fields(after)[0], 8, 64)
		must(t, err)
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.cmd.Process.Pid, descriptor))
		if descriptor > 2 && flags&syscall.O_CLOEXEC == 0 {
			t.Errorf("%s could be inherited", target)
		}
		if strings.Contains(target, "memfd:plan") {
			t.Errorf("%s is still open", target)
		}
	}
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.init()))
	must(t, err)
	if bytes.Contains(environment, []byte("NSPAWNKIT")) || bytes.Contains(environment, []byte("GOMAXPROCS")) {
		t.Errorf("the payload has %q", environment)
	}
}

func descriptorsOf(t *testing.T, pid int) (numbers []int) {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		must(t, err)
		numbers = append(numbers, number)
	}
	return numbers
}

// Nothing of what a container prints is lost or comes twice while its supervisor hands over, nor is its status.
func TestOutputAtHandOver(t *testing.T) {
	root := newRoot(t, "web")
	const lines = 30000
	c := launch(t, nspawn(root, "--console=read-only", "/bin/sh", "-c", fmt.Sprintf(
		`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo $i; done; sleep 1; i=0; while [ $i -lt %[1]d ]; do i=$((i+1)); echo $i; done; exit 5`, lines)))
	for i := range 2 * lines {
		if line := <-c.lines; line != strconv.Itoa(i%lines+1) {
			t.Fatalf("line %d is %q", i+1, line)
		}
		if i == lines {
			c.expectFresh()
		}
	}
	if status := c.wait(); status != 5 {
		t.Errorf("status %d: %s", status, c.stderr.String())
	}
}

// rounds is how often what races is repeated.
func rounds(few int) int {
	if os.Getenv(longTests) != "" {
		return 20 * few
	}
	return few
}

// around waits until a moment in which a supervisor may be handing over.
func around(begun time.Time) {
	time.Sleep(time.Until(begun.Add(handOver + rand.N(12*time.Millisecond) - 2*time.Millisecond)))
}

// A signal reaches the container whenever it comes.
func TestSignalAtHandOver(t *testing.T) {
	root := newRoot(t, "web")
	for round := range rounds(100) {
		c := begin(t, root, polite...)
		begun := time.Now()
		around(begun)
		for _, other := range []syscall.Signal{syscall.SIGWINCH, syscall.SIGSTOP} { // which others must not make it forget
			c.signal(other)
		}
		c.signal(syscall.SIGTERM)
		c.signal(syscall.SIGCONT) // as the service manager does
		if status := c.wait(); status != 7 {
			t.Fatalf("round %d: %s: %s", round, c.cmd.ProcessState, c.stderr.String())
		}
	}
	clean(t, root)
}

// A container that ends at that moment has ended as it has.
func TestEndAtHandOver(t *testing.T) {
	root := newRoot(t, "web")
	for round := range rounds(50) {
		pause := handOver + rand.N(16*time.Millisecond) - 8*time.Millisecond
		r := run(t, root, "--console=read-only", "--as-pid2", "/bin/sh", "-c", fmt.Sprintf("payload pause %d; echo last; exit 7", pause.Milliseconds()))
		if r.status != 7 || r.stdout != "last\r\n" || r.stderr != "" {
			t.Fatalf("round %d: %+v", round, r)
		}
	}
	clean(t, root)
}

// Who kills the supervisor at that moment kills the container.
func TestKilledAtHandOver(t *testing.T) {
	root := newRoot(t, "web")
	for range rounds(30) {
		c := begin(t, root, sleeper...)
		around(time.Now())
		c.kill()
	}
	c := begin(t, root, sleeper...)
	c.expectFresh()
	c.kill()
	if r := run(t, root, "/bin/true"); r.status != 0 {
		t.Errorf("%+v", r)
	}
	clean(t, root)
}

// What the service manager is told does not change: that the container is ready if it says so late, and in time that it is alive.
func TestServiceManagerAtHandOver(t *testing.T) {
	manager := newServiceManager(t)
	cmd := manager.watch(nspawn(newRoot(t, "web"), "--notify-ready=yes", "/bin/payload", "init",
		"pause", "60", "notify", "STATUS=first", "pause", "1800", "notify", "EXTEND_TIMEOUT_USEC=7000000", "notify", "READY=1", "notify", "EXTEND_TIMEOUT_USEC=8000000",
		"notify", "STATUS=last"))
	cmd.Env = append(cmd.Env, "WATCHDOG_USEC=600000")
	c := launch(t, cmd)
	manager.expect("STATUS=Container running: first")
	c.expectFresh()
	told := time.Now()
	for range 4 {
		manager.expect("WATCHDOG=1")
		if late := time.Since(told); late > 600*time.Millisecond {
			t.Errorf("no sign of life for %s", late)
		}
		told = time.Now()
	}
	if before := manager.expect("STATUS=Container running: last"); mentions(before, "LEADER") || mentions(before, "8000000") {
		t.Errorf("heard %q", before)
	}
}

// environ is the environment of a process, but for what the test expects.
func environ(t *testing.T, pid int, but ...string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	must(t, err)
	var list []string
	for variable := range strings.SplitSeq(strings.TrimRight(string(data), "\x00"), "\x00") {
		if name, _, _ := strings.Cut(variable, "="); !slices.Contains(but, name) {
			list = append(list, variable)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// A reboot starts the program again as it was started first, whoever watched the container.
func TestRebootAfterHandOver(t *testing.T) {
	root := newRoot(t, "web")
	cmd := nspawn(root, "/bin/sh", "-c", "read line <&3; echo $line $LISTEN_FDS; test -e /second && exec sleep 1000; touch /second; exec payload init pause 500 reboot x")
	cmd.Args = removed(cmd.Args, "--keep-unit")
	cmd.Env = append(cmd.Env, "GOMAXPROCS=2")
	c := launch(t, activated(t, cmd, "", named(t, "a")...))
	c.expect("a 1")
	pid := c.cmd.Process.Pid
	first, line := environ(t, pid), looks(t, pid)
	c.expectFresh()
	if fresh := environ(t, pid, "NSPAWNKIT_STATE"); fresh != strings.Replace(first, "GOMAXPROCS=2", "GOMAXPROCS=1", 1) {
		t.Errorf("the fresh process has %q, the one before %q", fresh, first)
	}
	eventually(t, "it starts again", func() bool { return environ(t, pid) != "" && !isFresh(pid) })
	if again := environ(t, pid, "NSPAWNKIT_EPHEMERAL_SUFFIX"); again != first {
		t.Errorf("rebooted with %q, started with %q", again, first)
	}
	c.expect("1") // the file that stands for a socket has been read
	c.expectFresh()
	if !strings.Contains(line, fmt.Sprintf("%q", cmd.Args[len(cmd.Args)-1])[1:30]) {
		t.Errorf("%s", line)
	}
	c.signal(syscall.SIGTERM)
	c.wait()
	clean(t, root)
}

// A disk image stays mounted for the container alone, and is whole afterwards.
func TestImageAtHandOver(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	for _, kill := range []bool{false, true} {
		c := launch(t, onImage(nspawn("", append([]string{"--machine=web"}, polite...)...), image))
		c.expect("up")
		pid := c.cmd.Process.Pid
		c.expectFresh()
		own, err := os.Readlink("/proc/self/ns/mnt")
		must(t, err)
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/ns/mnt", pid))
		must(t, err)
		for _, thread := range threads {
			if mounts, err := os.Readlink(thread); err != nil || mounts != own {
				t.Errorf("%s: %s, %v, that of the host is %s", thread, mounts, err, own)
			}
		}
		if loops := loopsOf(t, filepath.Dir(image)); len(loops) != 1 {
			t.Errorf("%d loop devices", len(loops))
		}
		if r := runImage(t, image, "--machine=other", "/bin/true"); !strings.Contains(r.stderr, "busy") {
			t.Errorf("a second one: %+v", r)
		}
		if kill {
			c.kill()
			waitNoLoops(t, image)
			continue
		}
		c.signal(syscall.SIGTERM)
		if status := c.wait(); status != 7 || len(loopsOf(t, filepath.Dir(image))) > 0 { // at once: it was unmounted
			t.Errorf("status %d, %s", status, c.stderr.String())
		}
		command(t, "fsck.ext4", "-f", "-n", image)
		cleanImage(t, image)
	}
	if r := runImage(t, image, "--machine=web", "/bin/true"); r.status != 0 {
		t.Errorf("%+v", r)
	}
	cleanImage(t, image)
}

// What the environment says of a state is believed only of a program's own.
func TestStateOfOthers(t *testing.T) {
	root := newRoot(t, "web")
	for _, value := range []string{"", "x", "0 0 x", "99 0 x", "0 0"} {
		cmd := nspawn(root, "/bin/echo", "payload runs")
		cmd.Env = append(cmd.Env, "NSPAWNKIT_STATE="+value, "SYSTEMD_LOG_TARGET=console-prefixed")
		refused(t, finish(t, cmd), "<3>$NSPAWNKIT_STATE="+value+": ")
	}
	clean(t, root)
}

// A supervisor that cannot execute itself again goes on, larger, and takes signals as ever.
func TestHandOverFails(t *testing.T) {
	root := newRoot(t, "web")
	cmd := nspawn(root, polite...)
	cmd.Args = removed(cmd.Args, "--quiet")
	cmd.Env = append(cmd.Env, "SYSTEMD_LOG_LEVEL=debug", "LARGE="+strings.Repeat("x", 120<<10), "LARGE2="+strings.Repeat("x", 120<<10))
	c := launch(t, cmd)
	eventually(t, "the payload runs", func() bool { return c.init() != 0 && comm(c.init()) == "sh" })
	must(t, unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_STACK, &unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}, nil)) // which bounds arguments
	eventually(t, "it says so", func() bool {
		return strings.Contains(c.stderr.String(), "execute the own program again: argument list too long")
	})
	checkInheritance(t, c)
	c.signal(syscall.SIGWINCH)
	c.signal(syscall.SIGTERM)
	if status := c.wait(); status != 7 {
		t.Errorf("status %d: %s", status, c.stderr.String())
	}
	clean(t, root)
}
