package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ProcessorTime returns the processor time that the processes of the control group and of those below have used.
func (g ControlGroup) ProcessorTime() (time.Duration, error) {
	counters, err := g.counters("cpu.stat")
	return time.Duration(counters["usage_usec"]) * time.Microsecond, err
}

// MemoryEvents says what happened to a control group and those below for lack of memory, see memory.events in the kernel's
// cgroup-v2 document.
type MemoryEvents struct {
	Limited int64 // how often a limit of memory was reached and nothing could be reclaimed
	Killed  int64 // processes that the kernel killed, for that or because the host ran out of memory
}

// MemoryEvents fails where nobody watches the group's memory.
func (g ControlGroup) MemoryEvents() (MemoryEvents, error) {
	counters, err := g.counters("memory.events")
	return MemoryEvents{Limited: counters["oom"], Killed: counters["oom_kill"]}, err
}

// counters reads a file of lines "NAME NUMBER".
func (g ControlGroup) counters(file string) (map[string]int64, error) {
	data, err := os.ReadFile(filepath.Join(g.Directory, file))
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	counters := make(map[string]int64)
	for line := range strings.Lines(string(data)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if counters[name], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, fmt.Errorf("control group: %s: %q is not a number", file, text)
		}
	}
	return counters, nil
}
