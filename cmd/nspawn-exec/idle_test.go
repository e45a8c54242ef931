package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestIdle lets a container idle: its supervisor may then neither use the processor nor keep what only the start needed.
func TestIdle(t *testing.T) {
	root := newRoot(t, "web")
	for _, options := range [][]string{
		{"--console=pipe"}, {"--console=read-only"}, {"--console=passive"}, {"--notify-ready=yes"}, {"--network-veth"},
	} {
		t.Run(options[0], func(t *testing.T) {
			c := launch(t, nspawn(root, append(options, "/bin/sleep", "1000")...))
			eventually(t, "the payload runs", func() bool { return c.init() != 0 && comm(c.init()) == "sleep" })
			pid := c.cmd.Process.Pid
			eventually(t, "the supervisor gives back the pages of its executable", func() bool { return fileMemory(t, pid) < 3<<20 })
			time.Sleep(time.Second)
			before := processorTime(t, pid)
			time.Sleep(2 * time.Second)
			if after := processorTime(t, pid); after != before {
				t.Errorf("used the processor while it had nothing to do: %s before, %s after", before, after)
			}
		})
	}
}

func comm(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// processorTime is what all threads of a process have used, and how often each was on a processor (schedstat of proc(5)).
func processorTime(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	must(t, err)
	var nanoseconds, times int
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		fields := strings.Fields(string(data))
		for i, sum := range map[int]*int{0: &nanoseconds, 2: &times} {
			n, err := strconv.Atoi(fields[i])
			must(t, err)
			*sum += n
		}
	}
	if times == 0 {
		t.Fatal("the kernel does not count (CONFIG_SCHED_INFO)")
	}
	return fmt.Sprintf("%d ns in %d turns", nanoseconds, times)
}

// fileMemory is how many bytes of files a process has mapped in memory.
func fileMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(status), "RssFile:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	must(t, err)
	return kilobytes << 10
}

// TestManyAtOnce starts many containers at the same moment; "make bench-start" does it with a hundred.
func TestManyAtOnce(t *testing.T) {
	const many = 24
	var commands [many]*exec.Cmd
	var roots [many]string
	for i := range commands {
		roots[i] = newRoot(t, fmt.Sprintf("c%d", i))
		commands[i] = nspawn(roots[i], "--network-veth", "/bin/true")
	}
	var group sync.WaitGroup
	for _, cmd := range commands {
		group.Go(func() {
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", cmd.Args[2], err, output)
			}
		})
	}
	group.Wait()
	for _, root := range roots {
		clean(t, root)
	}
}
