package kernel

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// InheritedSockets returns the descriptors that the service manager passed on, as sd_listen_fds(3) finds them, and their names with
// colons between, if it gave them names. They are not for the programs that this one starts.
func InheritedSockets(getenv func(string) string) (files []*os.File, names string, err error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, "", nil // for somebody else, or there are none
	}
	count, err := strconv.ParseUint(getenv("LISTEN_FDS"), 10, 16)
	if err != nil {
		return nil, "", fmt.Errorf("LISTEN_FDS=%s: not a number of descriptors", getenv("LISTEN_FDS"))
	}
	for fd := 3; fd < 3+int(count); fd++ {
		if err := setCloseOnExec(fd, true); err != nil {
			return nil, "", fmt.Errorf("LISTEN_FDS=%d: descriptor %d: %w", count, fd, err)
		}
		files = append(files, os.NewFile(uintptr(fd), "socket"))
	}
	return files, getenv("LISTEN_FDNAMES"), nil
}

// KeepSockets leaves the inherited descriptors to the program that replaces this one.
func KeepSockets(files []*os.File) error {
	for i := range files {
		if err := setCloseOnExec(3+i, false); err != nil {
			return fmt.Errorf("keep descriptor %d: %w", 3+i, err)
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
