package main_test

import (
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// systemd-nspawn(1), "EXIT STATUS".
func TestExitStatus(t *testing.T) {
	root := newRoot(t, "web")
	for name, test := range map[string]struct {
		command []string
		status  int
		message string
	}{
		"success":         {[]string{"/bin/true"}, 0, ""},
		"payload's":       {[]string{"/bin/sh", "-c", "exit 7"}, 7, ""},
		"looked for":      {[]string{"true"}, 0, ""},
		"reserved":        {[]string{"/bin/sh", "-c", "exit 133"}, 1, "133"},
		"missing program": {[]string{"/bin/nothing"}, 1, "execute payload: execute /bin/nothing: no such file or directory"},
		"not found":       {[]string{"nothing"}, 1, "none of"},
		"power off":       {[]string{"/bin/payload", "poweroff"}, 0, ""},
		"reboot":          {[]string{"/bin/payload", "reboot"}, 133, ""},
		"busybox reboot":  {[]string{"/bin/reboot", "-f"}, 133, ""},
		"bad option":      {[]string{"--no-such-option"}, 1, "no-such-option"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, root, test.command...)
			if r.status != test.status || !strings.Contains(r.stderr, test.message) || (test.message == "" && r.stderr != "") {
				t.Errorf("status %d, message %q; want %d, %q", r.status, r.stderr, test.status, test.message)
			}
			clean(t, root)
		})
	}
}

func TestKilledPayload(t *testing.T) {
	c := begin(t, newRoot(t, "web"), sleeper...)
	must(t, syscall.Kill(c.init(), syscall.SIGKILL))
	if status := c.wait(); status != 1 || !strings.Contains(c.stderr.String(), "terminated by signal KILL") {
		t.Errorf("status %d, message %q", status, c.stderr.String())
	}
}

func TestStopSignals(t *testing.T) {
	root := newRoot(t, "web")
	const loop = `echo up; while :; do sleep 0.05; done`
	t.Run("once", func(t *testing.T) {
		c := begin(t, root, "--kill-signal=SIGUSR2", "/bin/sh", "-c", "trap 'echo asked; exit 3' USR2; "+loop)
		c.signal(syscall.SIGTERM)
		c.expect("asked")
		if status := c.wait(); status != 3 {
			t.Errorf("status %d", status)
		}
	})
	for name, signals := range map[string][2]syscall.Signal{
		"twice": {syscall.SIGTERM, syscall.SIGTERM}, "interrupted twice": {syscall.SIGINT, syscall.SIGINT}, "in both ways": {syscall.SIGINT, syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(t, root, "--kill-signal=SIGUSR2", "/bin/sh", "-c", "trap 'echo asked' USR2; "+loop)
			c.signal(signals[0])
			c.expect("asked")
			c.signal(signals[1])
			if status := c.wait(); status != 1 || !strings.Contains(c.stderr.String(), "container web terminated by signal KILL") {
				t.Errorf("status %d: %s", status, c.stderr.String())
			}
			clean(t, root)
		})
	}
	t.Run("no signal set", func(t *testing.T) {
		c := begin(t, root, sleeper...)
		c.signal(syscall.SIGINT)
		if status := c.wait(); status != 1 {
			t.Errorf("status %d", status)
		}
		clean(t, root)
	})
}

// Without --keep-unit a reboot starts the container again, as a fresh program.
func TestRebootStartsAgain(t *testing.T) {
	root := newRoot(t, "web")
	script := `test -e /second && exit 5; touch /second; exec /bin/payload reboot`
	cmd := nspawn(root, "/bin/sh", "-c", script)
	cmd.Args = removed(cmd.Args, "--keep-unit")
	if r := finish(t, cmd); r.status != 5 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	clean(t, root)
}

// --console=read-only is the default without a terminal: the payload has one all the same.
func TestConsole(t *testing.T) {
	root := newRoot(t, "web")
	for mode, want := range map[string]string{
		"read-only": "crw--w---- /dev/console leads to /dev/pts/0, terminal, last words",
		"pipe":      "no terminal",
	} {
		t.Run(mode, func(t *testing.T) {
			script := `if test -t 1; then
				echo $(stat -L -c %A /dev/console) /dev/console leads to $(readlink -f /dev/console), terminal, last words
			else echo no terminal; fi`
			if got := shell(t, root, script, "--console="+mode); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// What was printed just before the end is not lost, even if nobody reads it until then: the pipe takes 64 KiB, the rest waits
// in the terminal.
func TestLastWords(t *testing.T) {
	const lines = 11086 // 66,496 bytes
	reader, writer, err := os.Pipe()
	must(t, err)
	defer reader.Close()
	cmd := nspawn(newRoot(t, "web"), "--console=read-only", "/bin/busybox", "seq", strconv.Itoa(lines))
	cmd.Stdout = writer
	must(t, cmd.Start())
	writer.Close()
	eventually(t, "the payload runs", func() bool { return childOf(cmd.Process.Pid) != 0 })
	eventually(t, "the payload has ended", func() bool { return childOf(cmd.Process.Pid) == 0 })
	output, err := io.ReadAll(reader)
	must(t, err)
	must(t, cmd.Wait())
	if want := strconv.Itoa(lines) + "\r\n"; !strings.HasSuffix(string(output), want) {
		t.Errorf("%d bytes of output, the end is %q", len(output), output[max(0, len(output)-20):])
	}
}
