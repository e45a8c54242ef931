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
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor(master)), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, fmt.Errorf("open other side of terminal: %w", errno)
	}
	return os.NewFile(fd, "terminal"), nil
}

// UseConsole makes a terminal the standard input, output and error, and the controlling terminal if controlling.
func UseConsole(console *os.File, controlling bool) error {
	defer console.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(console.Fd()), fd, 0); err != nil {
			return fmt.Errorf("use console: %w", err)
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

// SetWindowSize gives a terminal the size of another, or a number of rows and columns if like is none, or nil.
func SetWindowSize(terminal, like *os.File, rows, columns uint16) error {
	size := &unix.Winsize{Row: rows, Col: columns}
	if like != nil {
		if shown, err := unix.IoctlGetWinsize(int(like.Fd()), unix.TIOCGWINSZ); err == nil {
			size = shown
		}
	}
	if err := unix.IoctlSetWinsize(descriptor(terminal), unix.TIOCSWINSZ, size); err != nil {
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
