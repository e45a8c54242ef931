package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// RawTerminal is what [NewRawTerminal] changed.
type RawTerminal struct {
	modes  []terminalMode
	keeper *exec.Cmd
	socket *os.File // to the keeper
}

// terminalMode is the mode of a terminal before and after a change.
type terminalMode struct {
	Descriptor int // of this process and of the keeper
	Saved, Raw unix.Termios
}

// NewRawTerminal puts the terminals that standard input and output are into raw mode, as cfmakeraw(3) does, until
// [RawTerminal.Restore]. What is no terminal stays as it is. If this process is killed, another one restores them, and prints text.
func NewRawTerminal(text string) (*RawTerminal, error) {
	var in, out unix.Stat_t
	same := unix.Fstat(unix.Stdin, &in) == nil && unix.Fstat(unix.Stdout, &out) == nil && in.Rdev == out.Rdev
	r := new(RawTerminal)
	r.plan(unix.Stdin, func(mode *unix.Termios) {
		rawInput(mode)
		if same {
			mode.Oflag &^= unix.OPOST
		}
	})
	if !same {
		r.plan(unix.Stdout, func(mode *unix.Termios) { mode.Oflag &^= unix.OPOST })
	}
	var problems []error
	if err := r.keep(text); err != nil {
		problems = append(problems, fmt.Errorf("start keeper of terminal: %w", err))
	}
	for _, mode := range r.modes {
		if err := unix.IoctlSetTermios(mode.Descriptor, unix.TCSETS, &mode.Raw); err != nil {
			problems = append(problems, fmt.Errorf("set terminal to raw mode: %w", err))
		}
	}
	return r, errors.Join(problems...)
}

func rawInput(mode *unix.Termios) {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
}

// plan notes how a descriptor is to be changed if it is a terminal.
func (r *RawTerminal) plan(descriptor int, change func(*unix.Termios)) {
	saved, err := unix.IoctlGetTermios(descriptor, unix.TCGETS)
	if err != nil {
		return // no terminal
	}
	raw := *saved
	change(&raw)
	r.modes = append(r.modes, terminalMode{descriptor, *saved, raw})
}

// Restore gives the terminals back as they were, without what came from them and was not read.
func (r *RawTerminal) Restore() {
	for _, mode := range r.modes {
		_ = mode.restore()
	}
	r.modes = nil
	if r.keeper == nil {
		return
	}
	_, _ = r.socket.WriteString(keeperDone)
	r.socket.Close()
	_ = r.keeper.Wait()
	r.keeper = nil
}

// restore flushes the input, too: what a terminal answers to the container is not for who reads it next. Of a terminal that is only
// written to, all input is for somebody else.
func (m *terminalMode) restore() error {
	if m.Descriptor == unix.Stdin {
		_ = unix.IoctlSetInt(m.Descriptor, unix.TCFLSH, unix.TCIFLUSH)
	}
	return unix.IoctlSetTermios(m.Descriptor, unix.TCSETS, &m.Saved)
}

// KeeperName is argv[0] of the process that gives terminals back when the supervisor was killed.
const KeeperName = "(nspawn-exec-terminal)"

// keeperSocket is the descriptor of the keeper that ends with the supervisor.
const keeperSocket = 3

// keeperReady tells the supervisor that the keeper can be relied on.
const keeperReady = "r"

// keeperDone tells the keeper that there is nothing left to do.
const keeperDone = "\n\"done\"\n"

// keeperTask is what the keeper reads first.
type keeperTask struct {
	Modes []terminalMode
	Text  string // to be printed after them
}

// keep starts the keeper and waits until no signal ends it any more. It has a process group of its own: what kills that of this
// process, such as a terminal that hangs up, or "kill -9 %1" of a shell, is not for it.
func (r *RawTerminal) keep(text string) error {
	if len(r.modes) == 0 {
		return nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, its := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "keeper")
	defer its.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{KeeperName}, Env: []string{"GOMAXPROCS=1"},
		Stdin: os.Stdin, Stdout: os.Stdout, ExtraFiles: []*os.File{its},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err = json.NewEncoder(ours).Encode(keeperTask{r.modes, text}); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		ours.Close()
		return err
	}
	its.Close()
	r.keeper, r.socket = cmd, ours
	_, err = io.ReadFull(ours, make([]byte, len(keeperReady)))
	return err
}

// KeepTerminal is the program of the keeper. Terminals that somebody else, a shell, has changed already stay as they are.
func KeepTerminal() {
	// A process in the background may change a terminal only if it does not listen to SIGTTOU.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTOU, syscall.SIGPIPE)
	socket := os.NewFile(keeperSocket, "supervisor")
	var task keeperTask
	var done string
	decoder := json.NewDecoder(socket)
	if decoder.Decode(&task) != nil {
		return
	}
	if _, err := socket.WriteString(keeperReady); err != nil || decoder.Decode(&done) == nil {
		return
	}
	changed := false
	for _, mode := range task.Modes {
		now, err := unix.IoctlGetTermios(mode.Descriptor, unix.TCGETS)
		if err == nil && *now == mode.Raw {
			changed = mode.restore() == nil || changed
		}
	}
	if changed {
		_, _ = os.Stdout.WriteString(task.Text)
	}
}
