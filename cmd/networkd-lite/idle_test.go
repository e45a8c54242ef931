package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wakeUps returns how often threads of the daemon have gone to sleep.
func (d *daemonProcess) wakeUps() (count int) {
	d.t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.command.Process.Pid))
	if err != nil || len(threads) == 0 {
		d.t.Fatalf("no threads: %v", err)
	}
	for _, path := range threads {
		data, err := os.ReadFile(path)
		if err != nil {
			d.t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(data), "\nvoluntary_ctxt_switches:")
		var switches int
		if _, err := fmt.Sscan(after, &switches); err != nil {
			d.t.Fatalf("%s: %v", path, err)
		}
		count += switches
	}
	return count
}

// A daemon that has served its links sleeps, also where there is no system bus: nothing runs in an interval.
func TestIdleSleeps(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	for i := range 3 {
		w.addContainer(fmt.Sprintf("c%d", i)) // nobody brings up the other end
	}
	w.waitForLog("ve-c2: 192.168.")
	const most, interval = 4, 4 * time.Second
	var counts []int
	for range 5 { // until the memory has gone back
		before := w.daemon.wakeUps()
		time.Sleep(interval)
		if counts = append(counts, w.daemon.wakeUps()-before); counts[len(counts)-1] <= most {
			return
		}
	}
	t.Errorf("the daemon was woken %v times in %v each", counts, interval)
}
