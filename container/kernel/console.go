package kernel

import (
	"errors"
	"fmt"
	"os"

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

// RawMode puts a terminal into raw mode, as cfmakeraw(3) does, and returns what puts it back.
func RawMode(terminal *os.File) (restore func(), err error) {
	fd := int(terminal.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read terminal mode: %w", err)
	}
	raw := *saved
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("set terminal to raw mode: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, saved) }, nil
}

// CopyWindowSize gives one terminal the size of another.
func CopyWindowSize(from, to *os.File) error {
	size, err := unix.IoctlGetWinsize(int(from.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("read window size: %w", err)
	}
	if err := unix.IoctlSetWinsize(int(to.Fd()), unix.TIOCSWINSZ, size); err != nil {
		return fmt.Errorf("set window size: %w", err)
	}
	return nil
}

// IsHangup reports whether reading from a terminal failed because nobody has its other side open at the moment.
func IsHangup(err error) bool { return errors.Is(err, unix.EIO) }
