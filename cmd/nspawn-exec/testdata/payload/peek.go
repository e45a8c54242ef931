package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// peek returns what can be seen of a process.
func peek(process string) (seen []string) {
	directory := "/proc/" + process + "/"
	for _, name := range []string{"mem", "environ", "maps"} {
		if file, err := os.Open(directory + name); err == nil {
			seen = append(seen, name)
			file.Close()
		}
	}
	for _, name := range []string{"fd/0", "root", "exe"} {
		if _, err := os.Readlink(directory + name); err == nil {
			seen = append(seen, name)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := strconv.Atoi(process)
	if err != nil || syscall.PtraceAttach(pid) != nil {
		return seen
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err == nil {
		_ = syscall.PtraceDetach(pid)
	}
	return append(seen, "trace")
}
