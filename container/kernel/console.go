package kernel

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// NewTerminal makes a terminal in the devpts instance that is mounted at /dev/pts. It returns the side of the supervisor and
// the path of the payload's side.
func NewTerminal() (master *os.File, path string, err error) {
	master, err = os.OpenFile("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", err
	}
	number, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		master.Close()
		return nil, "", fmt.Errorf("make terminal: %w", err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", number), nil
}

// OpenPeer opens the payload's side of a terminal by its master, whatever mount namespace it is in.
func OpenPeer(master *os.File) (*os.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, fmt.Errorf("open other side of terminal: %w", errno)
	}
	return os.NewFile(fd, "terminal"), nil
}

// UseConsole makes /dev/console the standard input, output and error, and the controlling terminal if controlling.
func UseConsole(controlling bool) error {
	console, err := os.OpenFile("/dev/console", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer console.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(console.Fd()), fd, 0); err != nil {
			return fmt.Errorf("use /dev/console: %w", err)
		}
	}
	if controlling {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return fmt.Errorf("make /dev/console the controlling terminal: %w", err)
		}
	}
	return nil
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// RawTerminal puts the terminals that standard input and output are into raw mode, as cfmakeraw(3) does, and returns what puts them
// back. What is no terminal stays as it is.
func RawTerminal(input, output *os.File) (restore func(), err error) {
	var in, out unix.Stat_t
	same := unix.Fstat(int(input.Fd()), &in) == nil && unix.Fstat(int(output.Fd()), &out) == nil && in.Rdev == out.Rdev
	restoreInput, err := changeMode(input, func(mode *unix.Termios) {
		rawInput(mode)
		if same {
			mode.Oflag &^= unix.OPOST
		}
	})
	if err != nil || same {
		return restoreInput, err
	}
	restoreOutput, err := changeMode(output, func(mode *unix.Termios) { mode.Oflag &^= unix.OPOST })
	return func() { restoreOutput(); restoreInput() }, err
}

func rawInput(mode *unix.Termios) {
	mode.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	mode.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
}

// changeMode changes the mode of a terminal and returns what takes that back.
func changeMode(file *os.File, change func(*unix.Termios)) (restore func(), err error) {
	if !IsTerminal(file) {
		return func() {}, nil
	}
	fd := int(file.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {}, fmt.Errorf("read terminal mode: %w", err)
	}
	changed := *saved
	change(&changed)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &changed); err != nil {
		return func() {}, fmt.Errorf("set terminal mode: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, saved) }, nil
}

// SetWindowSize gives a terminal the size of another, or a number of rows and columns if there is no other.
func SetWindowSize(terminal, like *os.File, rows, columns uint16) error {
	size, err := unix.IoctlGetWinsize(int(like.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		size = &unix.Winsize{Row: rows, Col: columns}
	}
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, size); err != nil {
		return fmt.Errorf("set window size: %w", err)
	}
	return nil
}

// AskTerminal sends a question to a terminal in raw mode and returns what comes back until done says that it is the answer, or the
// time is over.
func AskTerminal(input, output *os.File, question string, limit time.Duration, done func([]byte) bool) (answer []byte, err error) {
	if _, err := output.WriteString(question); err != nil {
		return nil, fmt.Errorf("ask terminal: %w", err)
	}
	buffer := make([]byte, 256)
	for end := time.Now().Add(limit); !done(answer); {
		poll := []unix.PollFd{{Fd: int32(input.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, max(0, int(time.Until(end).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return answer, fmt.Errorf("wait for answer of terminal: %w", err)
		case n == 0:
			return answer, nil
		}
		n, err = unix.Read(int(input.Fd()), buffer)
		if err != nil || n <= 0 {
			return answer, err // the end of input is seen again by who reads next
		}
		answer = append(answer, buffer[:n]...)
	}
	return answer, nil
}

// IsHangup reports whether reading from a terminal failed because nobody has its other side open at the moment.
func IsHangup(err error) bool { return errors.Is(err, unix.EIO) }
