package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
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

	mutex    sync.Mutex
	output   []byte
	answered atomic.Int32 // questions
}

// reply is what a terminal answers to a question.
type reply struct {
	question, answer string
	after            time.Duration
}

// show starts a program on a new terminal.
func show(t *testing.T, cmd *exec.Cmd, replies ...reply) *screen {
	t.Helper()
	s := newScreen(t)
	s.start(cmd, replies...)
	return s
}

// newScreen makes a terminal of 33 rows and 77 columns, on which nothing runs.
func newScreen(t *testing.T) *screen {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	must(t, err)
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	s := &screen{t: t, fd: fd, keys: os.NewFile(uintptr(fd), "terminal"), tty: tty}
	s.resize(33, 77)
	t.Cleanup(func() {
		tty.Close()
		s.keys.Close()
		if t.Failed() {
			t.Logf("on the screen: %q", s.text())
		}
	})
	return s
}

// start starts a program on the terminal.
func (s *screen) start(cmd *exec.Cmd, replies ...reply) {
	s.t.Helper()
	s.cmd, s.before = cmd, s.mode()
	tty := s.tty
	if cmd.Stdin == nil {
		cmd.Stdin = tty
	}
	if cmd.Stdout == nil {
		cmd.Stdout = tty
	}
	cmd.Stderr = tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	must(s.t, cmd.Start())
	go s.read(replies)
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func (s *screen) mode() unix.Termios {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	must(s.t, err)
	return *mode
}

func (s *screen) setMode(mode unix.Termios) {
	s.t.Helper()
	must(s.t, unix.IoctlSetTermios(int(s.tty.Fd()), unix.TCSETS, &mode))
}

// typeAhead types what the next program reads first. It is not echoed.
func (s *screen) typeAhead(keys string) {
	s.t.Helper()
	mode := s.mode()
	mode.Lflag &^= unix.ECHO
	s.setMode(mode)
	s.press(keys)
}

// waiting returns how many bytes have been typed and not read.
func (s *screen) waiting() int {
	s.t.Helper()
	n, err := unix.IoctlGetInt(int(s.tty.Fd()), unix.TIOCINQ)
	must(s.t, err)
	return n
}

// left returns what a shell would read of what was typed.
func (s *screen) left() string {
	s.t.Helper()
	mode := s.mode()
	mode.Lflag &^= unix.ICANON | unix.ECHO
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 0, 0
	s.setMode(mode)
	buffer := make([]byte, 4096)
	n, err := unix.Read(int(s.tty.Fd()), buffer)
	must(s.t, err)
	return string(buffer[:n])
}

func (s *screen) read(replies []reply) {
	buffer := make([]byte, 4096)
	seen := 0 // how much of the output has been searched for questions
	for {
		n, err := s.keys.Read(buffer)
		s.mutex.Lock()
		s.output = append(s.output, buffer[:n]...)
		rest := s.output[seen:]
		s.mutex.Unlock()
		for {
			first, reply := nextQuestion(rest, replies)
			if first < 0 {
				break
			}
			rest = rest[first+len(reply.question):]
			seen += first + len(reply.question)
			time.Sleep(reply.after)
			_, _ = s.keys.WriteString(reply.answer)
			s.answered.Add(1)
		}
		if err != nil {
			return
		}
	}
}

// nextQuestion returns where the first question is in output, -1 if there is none, and what is replied.
func nextQuestion(output []byte, replies []reply) (first int, found reply) {
	first = -1
	for _, reply := range replies {
		if at := bytes.Index(output, []byte(reply.question)); at >= 0 && (first < 0 || at < first) {
			first, found = at, reply
		}
	}
	return first, found
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

func (s *screen) restored() bool { return s.mode() == s.before }
