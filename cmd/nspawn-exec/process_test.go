package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func owner(stat *syscall.Stat_t) string { return fmt.Sprintf("%d:%d", stat.Uid, stat.Gid) }

// childOf returns the container's process 1: the child of the supervisor that is the first of a PID namespace.
func childOf(supervisor int) int {
	for _, pid := range childrenOf(supervisor) {
		if alive(pid) && strings.HasSuffix(statusField(pid, "NSpid"), "\t1") {
			return pid
		}
	}
	return 0
}

// childrenOf returns the children of all threads of a process.
func childrenOf(process int) (children []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", process))
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				children = append(children, pid)
			}
		}
	}
	return children
}

// alive reports whether a process exists and has not ended.
func alive(pid int) bool {
	state := statusField(pid, "State")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}

// statusField returns a field of /proc/PID/status.
func statusField(pid int, name string) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// isStopped reports whether no thread of a process runs: one that is still on its way to stop may read what it finds.
func isStopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	return len(threads) > 0 && !slices.ContainsFunc(threads, func(path string) bool {
		status, _ := os.ReadFile(path)
		return !strings.Contains(string(status), "\nState:\tT")
	})
}

func linkNames(t testing.TB) []string {
	t.Helper()
	interfaces, err := net.Interfaces()
	must(t, err)
	var names []string
	for _, link := range interfaces {
		names = append(names, link.Name)
	}
	slices.Sort(names)
	return names
}

// isFresh reports whether a supervisor runs in a fresh process of itself.
func isFresh(pid int) bool {
	environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return strings.Contains(string(environment), "\x00NSPAWNKIT_STATE=")
}
