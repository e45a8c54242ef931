package link

import (
	"time"

	"golang.org/x/sys/unix"
)

// Exists reports whether a link of the calling thread's network namespace has this name. Unlike rtnetlink(7) it does not wait for the
// kernel's lock of all links, which somebody has for milliseconds whenever a link or a namespace goes. On an error it says yes.
func Exists(name string) bool {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return true
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(socket)
	return unix.IoctlIfreq(socket, unix.SIOCGIFINDEX, request) != unix.ENODEV
}

// goneTime is how long [WaitGone] waits; the kernel needs 3 to 10 ms, on a busy machine more.
const goneTime = 50 * time.Millisecond

// WaitGone waits until the kernel has removed a link whose peer's namespace has ended, and reports whether it has: asking for it
// instead takes three times as long, since who asks waits for the memory to be free as well. A namespace in which a process lives on
// keeps its links.
func WaitGone(name string) bool {
	const pause = 200 * time.Microsecond
	for range goneTime / pause {
		if !Exists(name) {
			return true
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil) // with time.Sleep a program without other work sleeps 1 ms at least
	}
	return false
}
