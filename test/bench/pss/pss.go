// Package pss measures how much memory a process takes.
package pss

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Of returns the proportional set size of a process (proc_pid_smaps(5), Pss), in KiB.
func Of(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(data, []byte("\nPss:"))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0, errors.New("it has no memory")
	}
	return strconv.Atoi(string(fields[0]))
}
