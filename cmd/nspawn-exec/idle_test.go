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
			c.expectIdle()
		})
	}
}

// expectIdle waits until the supervisor is small, and checks that it stays so.
func (c *container) expectIdle() {
	c.t.Helper()
	t, pid := c.t.(*testing.T), c.cmd.Process.Pid
	eventually(t, "the supervisor hands over to a fresh process of itself", func() bool { return isFresh(pid) })
	eventually(t, "the supervisor gives back the pages of its executable", func() bool { return memory(t, pid, "RssFile") < 3<<20 })
	time.Sleep(time.Second)
	before := processorTime(t, pid)
	time.Sleep(2 * time.Second)
	if after := processorTime(t, pid); after != before {
		t.Errorf("used the processor while it had nothing to do: %s before, %s after", before, after)
	}
	if own := memory(t, pid, "RssAnon"); own > 1<<20 {
		t.Errorf("has %d KiB of its own", own>>10)
	}
	t.Logf("%d KiB of its own, %d of files", memory(t, pid, "RssAnon")>>10, memory(t, pid, "RssFile")>>10)
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

// memory is what a process has in memory, in bytes: "RssFile" of its files, "RssAnon" of its own.
func memory(t *testing.T, pid int, kind string) int {
	t.Helper()
	kilobytes, err := strconv.Atoi(strings.TrimSuffix(statusField(pid, kind), " kB"))
	must(t, err)
	return kilobytes << 10
}

// TestMemoryStaysSmall gives a supervisor 120000 notifications to read, and 20 MB of output to copy, which must not become garbage
// that stays.
func TestMemoryStaysSmall(t *testing.T) {
	c := launch(t, nspawn(newRoot(t, "web"), "--console=read-only", "/bin/sh", "-c", `sleep 0.5
		for i in 1 2 3 4 5 6 7 8 9 10; do payload notify`+strings.Repeat(" X=1", 12000)+`; cat /bin/busybox >/dev/console; done
		echo; echo up; exec sleep 1000`))
	c.expect("up")
	pid := c.cmd.Process.Pid
	if own := memory(t, pid, "RssAnon"); !isFresh(pid) || own > 6<<20 {
		t.Errorf("%d KiB of its own after all that", own>>10)
	}
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
