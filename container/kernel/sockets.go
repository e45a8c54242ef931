package kernel

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Descriptors are open files of others, to be passed on. As an [os.File] one would be watched and might become blocking, for its
// owner, too.
type Descriptors []int

// Close closes all of them.
func (d Descriptors) Close() {
	for _, fd := range d {
		unix.Close(fd)
	}
}

// firstSocket is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstSocket = 3

// InheritedSockets returns how many descriptors the service manager passed on, from 3 on, as sd_listen_fds(3) finds them, and their
// names with colons between, if it gave them names. They are not for the programs that this one starts.
func InheritedSockets(getenv func(string) string) (count int, names string, err error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0, "", nil // for somebody else, or there are none
	}
	n, err := strconv.ParseUint(getenv("LISTEN_FDS"), 10, 16)
	if err != nil {
		return 0, "", fmt.Errorf("LISTEN_FDS=%s: not a number of descriptors", getenv("LISTEN_FDS"))
	}
	for fd := range int(n) {
		if err := setCloseOnExec(firstSocket+fd, true); err != nil {
			return 0, "", fmt.Errorf("LISTEN_FDS=%d: descriptor %d: %w", n, firstSocket+fd, err)
		}
	}
	return int(n), getenv("LISTEN_FDNAMES"), nil
}

// KeepSockets leaves the inherited descriptors to the program that replaces this one.
func KeepSockets(count int) error {
	for fd := range count {
		if err := setCloseOnExec(firstSocket+fd, false); err != nil {
			return fmt.Errorf("keep descriptor %d: %w", firstSocket+fd, err)
		}
	}
	return nil
}

func setCloseOnExec(fd int, closed bool) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return err
	}
	flags &^= unix.FD_CLOEXEC
	if closed {
		flags |= unix.FD_CLOEXEC
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return err
}
