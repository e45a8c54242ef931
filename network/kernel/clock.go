package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// Booted returns when the host was started, by the wall clock as it is set now: CLOCK_BOOTTIME of clock_gettime(2), which counts on while
// the host sleeps, ago.
func Booted() time.Time {
	var since unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &since) // cannot fail with this clock
	return time.Now().Add(-time.Duration(since.Nano()))
}
