// Package resident gives back memory that a process at rest does not need.
package resident

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// DropExecutable gives back the pages of the executable that are mapped, and of libraries: what a process does before it rests needs most of
// them, and what waits needs few. They come back, from the cache of the kernel, when they are used.
func DropExecutable() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	var ranges [][2]uintptr
	for line := range bytes.Lines(maps) {
		fields := bytes.Fields(line)
		if len(fields) < 6 || fields[1][1] == 'w' || fields[5][0] != '/' {
			continue // not of the executable, or with data
		}
		var start, end uintptr
		if _, err := fmt.Sscanf(string(fields[0]), "%x-%x", &start, &end); err != nil {
			return fmt.Errorf("read /proc/self/maps: %w", err)
		}
		ranges = append(ranges, [2]uintptr{start, end})
	}
	for _, r := range ranges {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, r[0], r[1]-r[0], unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give back pages of the executable: %w", errno)
		}
	}
	return nil
}
