package kernel

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// restLimit is how much memory a supervisor that rests may take before it collects garbage, in bytes, the runtime's own and what is
// mapped and not used included.
const restLimit = 8 << 20

// Rest makes a program small that has done its work and waits from now on. The pages of the executable that are mapped are given back:
// what went before needed most of them, and what waits needs few. Garbage is collected from now on when there is much, not every two
// minutes, as is the rule of Go: who waits uses no processor time. It is not collected here either: that takes more memory than it
// gives back, and so does asking the runtime how much it has.
func Rest() error {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(restLimit)
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
