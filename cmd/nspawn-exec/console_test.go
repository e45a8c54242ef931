package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/container/kernel"
)

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
			ours := terminalSeen(t, root, mode, nspawn(root))
			theirs := terminalSeen(t, root, mode, oracle(t, root))
			for range 10 { // the terminal that systemd-nspawn 252 makes is now and then hung up while the payload looks at it
				if !strings.Contains(theirs, "stty: ") {
					break
				}
				theirs = terminalSeen(t, root, mode, oracle(t, root))
			}
			if ours != theirs || ours == "" {
				t.Errorf("ours:\n%s\nsystemd-nspawn:\n%s", ours, theirs)
			}
		})
	}
}

// terminalSeen runs a container on a terminal and returns what its payload sees of it.
func terminalSeen(t *testing.T, root, mode string, cmd *exec.Cmd) string {
	t.Helper()
	ours := cmd.Path == program("nspawn-exec")
	must(t, os.RemoveAll(root+"/facts"))
	if cmd.Args = removed(cmd.Args, "--console=pipe"); mode != "" {
		cmd.Args = append(cmd.Args, "--console="+mode)
	}
	cmd.Args = append(cmd.Args, "--private-users=no", "/bin/sh", "-c", "{ "+terminalFacts+"; } >/facts 2>&1; echo the screen")
	cmd.Env = append(cmd.Env, "TERM=dumb")
	s := show(t, cmd)
	if status := s.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	facts, err := os.ReadFile(root + "/facts")
	must(t, err)
	if mode != "passive" {
		s.expect("the screen")
	} else if ours && s.text() != "" { // systemd-nspawn flushes at the end
		t.Errorf("it is connected to something: %q", s.text())
	}
	return string(facts)
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
			s := show(t, onScreen(root, "/bin/sh", "-c", payload))
			s.expect("up")
			for slow := true; slow && alive(s.cmd.Process.Pid); { // the machine may be too busy
				begun := time.Now()
				for _, keys := range test.keys {
					s.press(keys)
					eventually(t, "the keys are read", func() bool { return s.waiting() == 0 || !alive(s.cmd.Process.Pid) })
				}
				slow = time.Since(begun) > 900*time.Millisecond
			}
			if status := s.end(); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			clean(t, root)
		})
	}
	t.Run("too slow", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/sh", "-c", "busybox stty raw -echo; echo up; busybox head -c 4 | busybox od -An -tx1"))
		s.expect("up")
		s.press("\x1d\x1d")
		eventually(t, "the keys are read", func() bool { return s.waiting() == 0 })
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
		s := show(t, onScreen(root, "--console="+mode, "/bin/sh", "-c", script))
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
	s := show(t, cmd)
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
		"SIGABRT":           func(s *screen) { must(t, s.cmd.Process.Signal(syscall.SIGABRT)) },
		"payload is killed": func(s *screen) { must(t, syscall.Kill(childOf(s.cmd.Process.Pid), syscall.SIGKILL)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; read line"))
			s.expect("up")
			if s.restored() {
				t.Error("the terminal is not in raw mode")
			}
			stop(s)
			s.end()
			clean(t, root)
		})
	}
	for name, kill := range map[string]func(t *testing.T, pid int) error{
		"SIGKILL":                         func(_ *testing.T, pid int) error { return syscall.Kill(pid, syscall.SIGKILL) },
		"SIGKILL of the process group":    func(_ *testing.T, pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) },
		"SIGKILL amid all others for all": killAll,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := onScreen(root, "--background=44", "/bin/sh", "-c", "echo up; read line")
			cmd.Env = append(cmd.Env, "TERM=xterm")
			s := show(t, cmd)
			s.expect("up")
			init := childOf(cmd.Process.Pid)
			must(t, kill(t, cmd.Process.Pid))
			_ = cmd.Wait()
			eventually(t, "the terminal is as it was", s.restored)
			s.expect("\x1b[0J") // its colors, too
			eventually(t, "the payload is dead", func() bool { return !alive(init) })
			cleanup(t, root)
		})
	}
	t.Run("SIGKILL, and a shell that edits lines", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; read line"))
		s.expect("up")
		mode := s.before
		mode.Lflag &^= unix.ICANON
		s.setMode(mode)
		keeper := keeperOf(t, s.cmd.Process.Pid)
		must(t, s.cmd.Process.Kill())
		_ = s.cmd.Wait()
		eventually(t, "the keeper has ended", func() bool { return !alive(keeper) })
		if s.mode() != mode {
			t.Error("the shell's mode is changed")
		}
		cleanup(t, root)
	})
	t.Run("failed start", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/nothing"))
		s.expect("no such file or directory\r\n")
		s.end()
	})
}

// killAll kills a process after it has sent the keeper of its terminal what ends or stops a process and can be ignored.
func killAll(t *testing.T, pid int) error {
	keeper := keeperOf(t, pid)
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP} {
		must(t, syscall.Kill(keeper, signal))
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// keeperOf returns the process that restores the terminal of a supervisor.
func keeperOf(t *testing.T, supervisor int) int {
	t.Helper()
	for _, pid := range childrenOf(supervisor) {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); string(line) == kernel.KeeperName+"\x00" {
			return pid
		}
	}
	t.Fatal("nobody keeps the terminal")
	return 0
}

// What a terminal answers to a container that has ended meanwhile is not typed into the shell that comes back: answers that are still
// on the way are waited for; after SIGKILL, those that are there are thrown away.
func TestAnswersAreNotTyped(t *testing.T) {
	root := newRoot(t, "web")
	const attributes, color = "\x1b[?62;22c", "\x1b]11;rgb:0000/0000/0000\x1b\\"
	t.Run("end of payload", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/busybox", "printf", `\033[c\033]11;?\007\033[0m`),
			reply{"\x1b[c", attributes, 100 * time.Millisecond}, reply{"\x1b]11;?", color, 0}, reply{"\x1b[5n", "\x1b[0n", 0})
		s.end()
		eventually(t, "the terminal has answered", func() bool { return s.answered.Load() >= 2 })
		if left := s.left(); left != "" {
			t.Errorf("a shell reads %q", left)
		}
	})
	t.Run("none was asked", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/busybox", "printf", `\033[31mred\033[0m`))
		s.end()
		if strings.Contains(s.text(), "\x1b[5n") {
			t.Error("the terminal was asked in vain")
		}
	})
	t.Run("SIGKILL", func(t *testing.T) {
		s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; read line"))
		s.expect("up")
		must(t, s.cmd.Process.Signal(syscall.SIGSTOP))
		eventually(t, "the supervisor has stopped", func() bool { return isStopped(s.cmd.Process.Pid) })
		s.press(attributes)
		eventually(t, "the answer is there", func() bool { return s.waiting() > 0 })
		must(t, s.cmd.Process.Kill())
		_ = s.cmd.Wait()
		eventually(t, "the terminal is as it was", s.restored)
		if left := s.left(); left != "" {
			t.Errorf("a shell reads %q", left)
		}
		cleanup(t, root)
	})
}

// A terminal that is gone ends the container, as with systemd-nspawn.
func TestTerminalGone(t *testing.T) {
	root := newRoot(t, "web")
	s := show(t, onScreen(root, "/bin/sh", "-c", "echo up; exec sleep 1000"))
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
			s := newScreen(t)
			s.typeAhead(test.answer) // before it is asked for: the machine may be too busy for a real one
			s.start(cmd)
			s.end()
			if s.expect(test.want[len(test.want)-4:]); s.text() != test.want {
				t.Errorf("got  %q\nwant %q", s.text(), test.want)
			}
		})
	}
	refused(t, run(t, root, "--background=blue", "/bin/true"), "--background=blue", "not an ANSI color")
}
