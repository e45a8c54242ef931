package kernel

import (
	"encoding/json"
	"fmt"
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
	pipe   *os.File // to the keeper
}

// terminalMode is the mode of a terminal before and after a change.
type terminalMode struct {
	Descriptor int // of this process and of the keeper
	Saved, Raw unix.Termios
}

// NewRawTerminal puts the terminals that standard input and output are into raw mode, as cfmakeraw(3) does, until
// [RawTerminal.Restore]. What is no terminal stays as it is.
func NewRawTerminal() (*RawTerminal, error) {
	var in, out unix.Stat_t
	same := unix.Fstat(unix.Stdin, &in) == nil && unix.Fstat(unix.Stdout, &out) == nil && in.Rdev == out.Rdev
	r := new(RawTerminal)
	err := r.change(unix.Stdin, func(mode *unix.Termios) {
		rawInput(mode)
		if same {
			mode.Oflag &^= unix.OPOST
		}
	})
	if err == nil && !same {
		err = r.change(unix.Stdout, func(mode *unix.Termios) { mode.Oflag &^= unix.OPOST })
	}
	return r, err
}

func rawInput(mode *unix.Termios) {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
}

func (r *RawTerminal) change(descriptor int, change func(*unix.Termios)) error {
	saved, err := unix.IoctlGetTermios(descriptor, unix.TCGETS)
	if err != nil {
		return nil // no terminal
	}
	raw := *saved
	change(&raw)
	if err := unix.IoctlSetTermios(descriptor, unix.TCSETS, &raw); err != nil {
		return fmt.Errorf("set terminal to raw mode: %w", err)
	}
	r.modes = append(r.modes, terminalMode{descriptor, *saved, raw})
	return nil
}

// Restore gives the terminals back as they were.
func (r *RawTerminal) Restore() {
	for _, mode := range r.modes {
		_ = unix.IoctlSetTermios(mode.Descriptor, unix.TCSETS, &mode.Saved)
	}
	r.modes = nil
	if r.keeper == nil {
		return
	}
	_, _ = r.pipe.WriteString(keeperDone)
	r.pipe.Close()
	_ = r.keeper.Wait()
	r.keeper = nil
}

// KeeperName is argv[0] of the process that gives terminals back when the supervisor was killed.
const KeeperName = "(nspawn-exec-terminal)"

// keeperPipe is the descriptor of the keeper that ends with the supervisor.
const keeperPipe = 3

// keeperDone tells the keeper that there is nothing left to do.
const keeperDone = "\n\"done\"\n"

// keeperTask is what the keeper reads first.
type keeperTask struct {
	Modes []terminalMode
	Text  string // to be printed after them
}

// Keep has another process do what [RawTerminal.Restore] does, and print text, if this one is killed.
func (r *RawTerminal) Keep(text string) error {
	if len(r.modes) == 0 {
		return nil
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start keeper of terminal: %w", err)
	}
	defer reader.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{KeeperName}, Env: []string{"GOMAXPROCS=1"},
		Stdin: os.Stdin, Stdout: os.Stdout, ExtraFiles: []*os.File{reader},
	}
	if err := json.NewEncoder(writer).Encode(keeperTask{r.modes, text}); err != nil {
		writer.Close()
		return fmt.Errorf("start keeper of terminal: %w", err)
	}
	if err := cmd.Start(); err != nil {
		writer.Close()
		return fmt.Errorf("start keeper of terminal: %w", err)
	}
	r.keeper, r.pipe = cmd, writer
	return nil
}

// KeepTerminal is the program of the keeper. Terminals that somebody else, a shell, has changed already stay as they are.
func KeepTerminal() {
	// A signal to the process group is not for this process, and a process in the background may change a terminal only if it
	// does not listen to SIGTTOU.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTOU, syscall.SIGPIPE)
	var task keeperTask
	var done string
	decoder := json.NewDecoder(os.NewFile(keeperPipe, "pipe"))
	if decoder.Decode(&task) != nil || decoder.Decode(&done) == nil {
		return
	}
	changed := false
	for _, mode := range task.Modes {
		now, err := unix.IoctlGetTermios(mode.Descriptor, unix.TCGETS)
		if err == nil && *now == mode.Raw {
			changed = unix.IoctlSetTermios(mode.Descriptor, unix.TCSETS, &mode.Saved) == nil || changed
		}
	}
	if changed {
		_, _ = os.Stdout.WriteString(task.Text)
	}
}
