package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a terminal, and a program that it controls.
type screen struct {
	t      *testing.T
	fd     int      // of keys
	keys   *os.File // what is typed is written here
	tty    *os.File // the program's side, kept open so that its mode can be read
	cmd    *exec.Cmd
	before unix.Termios

	mutex  sync.Mutex
	output []byte
}

// show starts a program on a terminal of 33 rows and 77 columns. A terminal that is asked for its background says answer.
func show(t *testing.T, cmd *exec.Cmd, answer string) *screen {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	s := &screen{t: t, fd: fd, keys: os.NewFile(uintptr(fd), "terminal"), tty: tty, cmd: cmd}
	s.resize(33, 77)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	must(t, err)
	s.before = *before
	if cmd.Stdin == nil {
		cmd.Stdin = tty
	}
	if cmd.Stdout == nil {
		cmd.Stdout = tty
	}
	cmd.Stderr = tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	must(t, cmd.Start())
	go s.read(answer)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		tty.Close()
		s.keys.Close()
		if t.Failed() {
			t.Logf("on the screen: %q", s.text())
		}
	})
	return s
}

func (s *screen) read(answer string) {
	buffer := make([]byte, 4096)
	for {
		n, err := s.keys.Read(buffer)
		s.mutex.Lock()
		s.output = append(s.output, buffer[:n]...)
		s.mutex.Unlock()
		if answer != "" && bytes.Contains(buffer[:n], []byte("\x1b]11;?")) {
			_, _ = s.keys.WriteString(answer)
		}
		if err != nil {
			return
		}
	}
}

func (s *screen) text() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return string(s.output)
}

func (s *screen) expect(text string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the screen shows %q", text), func() bool { return strings.Contains(s.text(), text) })
}

func (s *screen) press(keys string) {
	s.t.Helper()
	_, err := s.keys.WriteString(keys)
	must(s.t, err)
}

func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	must(s.t, unix.IoctlSetWinsize(s.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
}

// end waits for the program and returns its exit status. The terminal must be as it was.
func (s *screen) end() int {
	s.t.Helper()
	ended := make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		s.t.Fatal("it does not end")
	}
	if !s.restored() {
		s.t.Error("the terminal is not as it was")
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *screen) restored() bool {
	after, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	must(s.t, err)
	return *after == s.before
}

// onScreen is [nspawn] with a console that is interactive, on a terminal that knows no colors.
func onScreen(root string, arguments ...string) *exec.Cmd {
	cmd := nspawn(root, append([]string{"--console=interactive"}, arguments...)...)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	return cmd
}

// terminalFacts prints what a payload can see of its terminal.
const terminalFacts = `tty; busybox stty size; busybox stty -a | grep -v rows; ls /dev/console; readlink /dev/console; test -t 0 && echo in; echo $TERM`

// What the payload sees of its terminal is what systemd-nspawn shows it, in each mode of --console=.
func TestConsoleLikeOracle(t *testing.T) {
	root := newRoot(t, "web")
	must(t, os.Symlink("busybox", root+"/bin/tty"))
	for _, mode := range []string{"", "interactive", "read-only", "passive", "pipe"} {
		t.Run("mode "+mode, func(t *testing.T) {
			var got [2]string
			for i, cmd := range []*exec.Cmd{nspawn(root), oracle(t, root)} {
				must(t, os.RemoveAll(root+"/facts"))
				if cmd.Args = removed(cmd.Args, "--console=pipe"); mode != "" {
					cmd.Args = append(cmd.Args, "--console="+mode)
				}
				cmd.Args = append(cmd.Args, "--private-users=no", "/bin/sh", "-c", "{ "+terminalFacts+"; } >/facts 2>&1; echo the screen")
				cmd.Env = append(cmd.Env, "TERM=dumb")
				s := show(t, cmd, "")
				if status := s.end(); status != 0 {
					t.Errorf("status %d", status)
				}
				facts, err := os.ReadFile(root + "/facts")
				must(t, err)
				got[i] = string(facts)
				if mode != "passive" {
					s.expect("the screen")
				} else if i == 0 && s.text() != "" { // systemd-nspawn flushes at the end
					t.Errorf("it is connected to something: %q", s.text())
				}
			}
			if got[0] != got[1] || got[0] == "" {
				t.Errorf("ours:\n%s\nsystemd-nspawn:\n%s", got[0], got[1])
			}
		})
	}
}

// --console=interactive works without a terminal, too: the container has one.
func TestInteractiveWithPipes(t *testing.T) {
	cmd := nspawn(newRoot(t, "web"), "--console=interactive", "/bin/sh", "-c", "test -t 0 && read line && echo got $line; busybox stty size")
	cmd.Stdin = strings.NewReader("typed\n") // its end is not the container's
	r := finish(t, cmd)
	if want := "typed\r\ngot typed\r\n24 80\r\n"; r.status != 0 || r.stdout != want {
		t.Errorf("status %d, output %q, want %q: %s", r.status, r.stdout, want, r.stderr)
	}
}

func TestConsoleHelp(t *testing.T) {
	needKernel(t)
	r := finish(t, exec.Command(program("nspawn-exec"), "--console=help"))
	if r.status != 0 || r.stdout != "interactive\nread-only\npassive\npipe\nautopipe\n" {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// systemd-nspawn(1), HOTKEYS.
func TestHotkeys(t *testing.T) {
	root := newRoot(t, "web")
	const payload = `trap 'echo 38; exit 38' 38; trap 'echo 39; exit 39' 39; echo up; while :; do sleep 0.05; done`
	for name, test := range map[string]struct {
		keys   []string
		status int
	}{
		"kill":      {[]string{"\x1d", "\x1d", "\x1d"}, 1},
		"reboot":    {[]string{"\x1d\x1dr"}, 39},
		"power off": {[]string{"\x1d\x1d", "p"}, 38},
	} {
		t.Run(name, func(t *testing.T) {
			s := show(t, onScreen(root, "/bin/sh", "-c", payload), "")
			s.expect("up")
			for _, keys := range test.keys {
				s.press(keys)
				time.Sleep(100 * time.Millisecond)
			}
			if status := s.end(); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			clean(t, root)
		})
	}
	t.Run("too slow", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/sh", "-c", "busybox stty raw -echo; echo up; busybox head -c 4 | busybox od -An -tx1"), "")
		s.expect("up")
		s.press("\x1d\x1d")
		time.Sleep(1100 * time.Millisecond)
		s.press("\x1dx")
		s.expect("1d 1d 1d 78")
		if status := s.end(); status != 0 {
			t.Errorf("status %d", status)
		}
	})
}

func TestWindowSize(t *testing.T) {
	root := newRoot(t, "web")
	for _, mode := range []string{"interactive", "read-only"} {
		script := `trap 'busybox stty size; exit' WINCH; echo up; while :; do sleep 0.05; done`
		s := show(t, onScreen(root, "--console="+mode, "/bin/sh", "-c", script), "")
		s.expect("up")
		s.resize(40, 100)
		s.expect("40 100")
		s.end()
	}
}

// The size that a bundle says counts, whatever the terminal has.
func TestConsoleSizeOfBundle(t *testing.T) {
	needKernel(t)
	bundle := newBundle(t, "crun", "web")
	edit(t, bundle, func(_, process, _ object) {
		process["terminal"], process["consoleSize"] = true, object{"height": 11, "width": 22}
		process["args"] = []string{"/bin/busybox", "stty", "size"}
	})
	cmd := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--keep-unit", "--oci-bundle="+bundle)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=dumb"}
	s := show(t, cmd, "")
	s.expect("11 22")
	s.end()
}

// However the container ends, the terminal is as it was.
func TestTerminalRestored(t *testing.T) {
	root := newRoot(t, "web")
	for name, stop := range map[string]func(*screen){
		"end of payload":    func(s *screen) { s.press("\n") },
		"SIGTERM":           func(s *screen) { must(t, s.cmd.Process.Signal(syscall.SIGTERM)) },
		"SIGINT":            func(s *screen) { must(t, s.cmd.Process.Signal(syscall.SIGINT)) },
		"SIGHUP":            func(s *screen) { must(t, s.cmd.Process.Signal(syscall.SIGHUP)) },
		"SIGQUIT":           func(s *screen) { must(t, s.cmd.Process.Signal(syscall.SIGQUIT)) },
		"payload is killed": func(s *screen) { must(t, syscall.Kill(childOf(s.cmd.Process.Pid), syscall.SIGKILL)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; read line"), "")
			s.expect("up")
			if s.restored() {
				t.Error("the terminal is not in raw mode")
			}
			stop(s)
			s.end()
			clean(t, root)
		})
	}
	for name, kill := range map[string]func(pid int) error{
		"SIGKILL":                         func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) },
		"SIGKILL of the process group":    func(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) },
		"SIGKILL amid all others for all": killAll,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := onScreen(root, "--background=44", "/bin/sh", "-c", "echo up; read line")
			cmd.Env = append(cmd.Env, "TERM=xterm")
			s := show(t, cmd, "")
			s.expect("up")
			init := childOf(cmd.Process.Pid)
			must(t, kill(cmd.Process.Pid))
			_ = cmd.Wait()
			eventually(t, "the terminal is as it was", s.restored)
			s.expect("\x1b[0J") // its colors, too
			eventually(t, "the payload is dead", func() bool { return !alive(init) })
			cleanup(t, root)
		})
	}
	t.Run("SIGKILL, and a shell that edits lines", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; read line"), "")
		s.expect("up")
		mode := s.before
		mode.Lflag &^= unix.ICANON
		must(t, unix.IoctlSetTermios(int(s.tty.Fd()), unix.TCSETS, &mode))
		must(t, s.cmd.Process.Kill())
		_ = s.cmd.Wait()
		time.Sleep(200 * time.Millisecond)
		after, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
		must(t, err)
		if *after != mode {
			t.Error("the shell's mode is changed")
		}
		cleanup(t, root)
	})
	t.Run("failed start", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/nothing"), "")
		s.expect("no such file or directory\r\n")
		s.end()
	})
}

// killAll kills a process after it has sent each of its children what ends or stops a process and can be blocked.
func killAll(pid int) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return err
	}
	for _, child := range strings.Fields(string(children)) {
		number, err := strconv.Atoi(child)
		if err != nil || number == childOf(pid) {
			continue // the payload would end, and with it the supervisor
		}
		for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP} {
			if err := syscall.Kill(number, signal); err != nil {
				return err
			}
		}
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// A terminal that is gone ends the container, as with systemd-nspawn.
func TestTerminalGone(t *testing.T) {
	root := newRoot(t, "web")
	s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; exec sleep 1000"), "")
	s.expect("up")
	init := childOf(s.cmd.Process.Pid)
	s.tty.Close()
	s.keys.Close()
	_ = s.cmd.Wait()
	eventually(t, "the payload is dead", func() bool { return !alive(init) })
	clean(t, root)
}

// What systemd-nspawn 262 prints, but for the context of OSC 3008.
func TestBackground(t *testing.T) {
	root := newRoot(t, "web")
	host, err := os.Hostname()
	must(t, err)
	title := "\x1b[22;2t\x1b]2;🔵 Container web on " + host + "\x1b\\"
	const reset, normal = "\x1b[!p\x1b]104\x1b\\\x1b[0m\x1b[?7h\x1b[1G\x1b[0J", "\x1b[23;2t"
	for name, test := range map[string]struct {
		variable, answer string
		options          []string
		want             string
	}{
		"color":     {"A=", "", []string{"--background=44"}, "\x1b[44m\x1b[K" + title + "hi\r\x1b[44m\n\x1b[44m\x1b[0;44mx\r\n" + normal + reset},
		"none":      {"A=", "", []string{"--background="}, title + "hi\r\n\x1b[0mx\r\n" + normal + reset},
		"tint":      {"A=", "\x1b]11;rgb:0000/0000/0000\a", nil, "\x1b]11;?\x1b\\\x1b[48;2;12;25;51m\x1b[K" + title + "hi\r\x1b[48;2;12;25;51m\n\x1b[48;2;12;25;51m\x1b[0;48;2;12;25;51mx\r\n" + normal + reset},
		"no answer": {"A=", "", nil, "\x1b]11;?\x1b\\" + title + "hi\r\n\x1b[0mx\r\n" + normal + reset},
		"no tint":   {"SYSTEMD_TINT_BACKGROUND=0", "", nil, title + "hi\r\n\x1b[0mx\r\n" + normal + reset},
		"no title":  {"SYSTEMD_ADJUST_TERMINAL_TITLE=0", "", []string{"--background=44"}, "\x1b[44m\x1b[Khi\r\x1b[44m\n\x1b[44m\x1b[0;44mx\r\n" + reset},
		"NO_COLOR":  {"NO_COLOR=1", "", []string{"--background=44"}, "hi\r\n\x1b[0mx\r\n"},
		"dumb":      {"TERM=dumb", "", []string{"--background=44"}, "hi\r\n\x1b[0mx\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := onScreen(root, append(test.options, "/bin/busybox", "printf", `hi\n\033[0mx`)...)
			cmd.Env = append(cmd.Env, "TERM=xterm", test.variable)
			s := show(t, cmd, test.answer)
			s.end()
			if s.expect(test.want[len(test.want)-4:]); s.text() != test.want {
				t.Errorf("got  %q\nwant %q", s.text(), test.want)
			}
		})
	}
	refused(t, run(t, root, "--background=blue", "/bin/true"), "--background=blue", "not an ANSI color")
}
