package kernel

import "golang.org/x/sys/unix"

// SinceBoot returns the time since the host was started, in nanoseconds: CLOCK_BOOTTIME of clock_gettime(2), which nobody sets and
// which counts on while the machine sleeps.
func SinceBoot() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // cannot fail with this clock
	return now.Nano()
}
