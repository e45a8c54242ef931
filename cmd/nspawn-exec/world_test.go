package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what waits for something that must happen; the machine may be busy.
const patience = 20 * time.Second

func program(name string) string { return filepath.Join(os.Getenv(programs), name) }

// needKernel skips a test that starts containers unless it was asked for.
func needKernel(t testing.TB) {
	t.Helper()
	if os.Getenv(kernelTests) == "" {
		t.Skip("set " + kernelTests + "=1 to run it (as root)")
	}
	if os.Geteuid() != 0 {
		t.Fatal("must run as root")
	}
}

// newRoot makes a small root directory of the given name, which is also the machine's.
func newRoot(t testing.TB, name string) string {
	t.Helper()
	needKernel(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal("busybox is missing: apt-get install busybox-static")
	}
	root := filepath.Join(t.TempDir(), name)
	for _, directory := range []string{"bin", "etc", "usr/bin", "root", "proc", "sys", "dev", "run", "tmp", "var/log"} {
		must(t, os.MkdirAll(filepath.Join(root, directory), 0o755))
	}
	copyFile(t, busybox, filepath.Join(root, "bin/busybox"))
	copyFile(t, program("payload"), filepath.Join(root, "bin/payload"))
	for _, applet := range []string{
		"cat", "chown", "echo", "env", "false", "grep", "id", "kill", "ls", "mkdir", "mount", "mv", "reboot", "rm", "sh", "sleep",
		"stat", "test", "touch", "true", "umount", "hostname", "readlink", "poweroff",
	} {
		must(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o755))
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

// hostNetwork among the arguments of a container leaves out the --private-network that the others get.
const hostNetwork = "host network"

// nspawn is the command that starts a container; later options win over those that every test has.
func nspawn(root string, arguments ...string) *exec.Cmd {
	base := []string{
		"--quiet", "--directory=" + root, "--register=no", "--keep-unit", "--console=pipe", "--private-users=pick",
	}
	if !slices.Contains(arguments, hostNetwork) {
		base = append(base, "--private-network")
	}
	arguments = removed(arguments, hostNetwork)
	cmd := exec.Command(program("nspawn-exec"), append(base, arguments...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// result is how a container ended.
type result struct {
	status         int
	stdout, stderr string
}

// run starts a container and waits for its end.
func run(t testing.TB, root string, arguments ...string) result {
	t.Helper()
	return finish(t, nspawn(root, arguments...))
}

func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = patience // of a payload that outlives its supervisor
	must(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("%q hangs: %s", cmd.Args, stderr.String())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// shell runs a script inside, which must succeed, and returns what it prints.
func shell(t testing.TB, root, script string, options ...string) string {
	t.Helper()
	r := run(t, root, append(options, "/bin/sh", "-c", script)...)
	if r.status != 0 {
		t.Fatalf("%q: status %d: %s%s", script, r.status, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// refused checks that a start fails before the payload runs, with status 1 and every text in its message.
func refused(t testing.TB, r result, texts ...string) {
	t.Helper()
	if r.status != 1 || strings.Contains(r.stdout, "payload runs") {
		t.Errorf("status %d, output %q: want a refusal", r.status, r.stdout)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("message %q does not mention %q", r.stderr, text)
		}
	}
}

// container is one that runs.
type container struct {
	t      testing.TB
	cmd    *exec.Cmd
	lines  chan string
	stderr bytes.Buffer
	ended  bool
}

// begin starts a container and waits for the line "up" of its payload.
func begin(t testing.TB, root string, arguments ...string) *container {
	t.Helper()
	c := launch(t, nspawn(root, arguments...))
	c.expect("up")
	return c
}

// sleeper is a payload that says that it is up and does nothing.
var sleeper = []string{"/bin/sh", "-c", "echo up; exec sleep 1000"}

func launch(t testing.TB, cmd *exec.Cmd) *container {
	t.Helper()
	c := &container{t: t, cmd: cmd, lines: make(chan string, 1000)}
	reader, writer, err := os.Pipe()
	must(t, err)
	cmd.Stdout, cmd.Stderr = writer, &c.stderr
	cmd.WaitDelay = patience // of a payload that outlives its supervisor
	must(t, cmd.Start())
	writer.Close()
	go func() {
		defer close(c.lines)
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			c.lines <- strings.TrimRight(scanner.Text(), "\r")
		}
	}()
	t.Cleanup(func() {
		if !c.ended { // twice: by force
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Process.Signal(syscall.SIGTERM)
			c.wait()
		}
		reader.Close()
		if t.Failed() && c.stderr.Len() > 0 {
			t.Log(c.stderr.String())
		}
	})
	return c
}

// expect waits for a line of output.
func (c *container) expect(want string) {
	c.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-c.lines:
			if line == want {
				return
			}
			if !open {
				_ = c.cmd.Wait()
				c.ended = true
				c.t.Fatalf("container ended without saying %q: %s", want, c.stderr.String())
			}
		case <-timeout:
			c.t.Fatalf("container does not say %q", want)
		}
	}
}

func (c *container) signal(signal syscall.Signal) {
	c.t.Helper()
	must(c.t, c.cmd.Process.Signal(signal))
}

// kill ends the supervisor by force and waits until its container is gone.
func (c *container) kill() {
	init := c.init()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	c.ended = true
	if init != 0 {
		eventually(c.t, "the payload dies with its supervisor", func() bool { return !alive(init) })
	}
}

// wait returns the exit status.
func (c *container) wait() int {
	c.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	_ = c.cmd.Wait()
	c.ended = true
	if !timer.Stop() {
		c.t.Fatal("container does not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

// init returns the container's process 1, 0 if there is none.
func (c *container) init() int { return childOf(c.cmd.Process.Pid) }

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// golden compares with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		writeFile(t, path, got)
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("differs from %s (-update writes it):\n%s", path, got)
	}
}

// leftovers lists everything that a container may leave: files of /run and beside its root, mounts, links.
func leftovers(t testing.TB, root string) []string {
	t.Helper()
	var found []string
	for _, directory := range []string{
		"/run/nspawnkit", "/run/systemd/nspawn", "/run/systemd/nspawn-uid",
	} {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			depth := strings.Count(strings.TrimPrefix(path, directory), "/")
			if err == nil && (!entry.IsDir() || depth > 1) {
				found = append(found, path)
			}
			return nil
		})
		must(t, err)
	}
	locks, err := filepath.Glob(filepath.Join(filepath.Dir(root), ".#*"))
	must(t, err)
	found = append(found, locks...)
	for _, mount := range mountPoints(t) {
		found = append(found, "mount "+mount)
	}
	for _, link := range linkNames(t) {
		if link != "lo" {
			found = append(found, "link "+link)
		}
	}
	return found
}

// clean checks that nothing is left over but mounts of the test's own.
func clean(t testing.TB, root string, own ...string) {
	t.Helper()
	found := leftovers(t, root)
	for _, mount := range own {
		found = removed(found, "mount "+mount)
	}
	if len(found) > 0 {
		t.Errorf("left over: %q", found)
	}
}

// mountPoints lists what is mounted on this private host beyond what was at the beginning.
func mountPoints(t testing.TB) []string {
	t.Helper()
	before, err := os.ReadFile(hostMounts)
	must(t, err)
	now, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	known := make(map[string]bool)
	for line := range strings.Lines(string(before)) {
		known[strings.Fields(line)[0]] = true
	}
	var points []string
	for line := range strings.Lines(string(now)) {
		if fields := strings.Fields(line); !known[fields[0]] && fields[4] != "/etc/machine-id" {
			points = append(points, fields[4])
		}
	}
	return points
}

// digest stands for the whole content of a tree: names, owners, modes, sizes.
func digest(t testing.TB, root string) string {
	t.Helper()
	var text strings.Builder
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		_, err = io.WriteString(&text, strings.Join([]string{
			strings.TrimPrefix(path, root), info.Mode().String(), owner(stat),
		}, " ")+"\n")
		return err
	}))
	return text.String()
}

func removed(list []string, unwanted string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(item string) bool { return item == unwanted })
}
