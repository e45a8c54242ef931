package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// RepairFileSystem lets fsck(8) mend a file system without questions, where it is of a type that needs it and the program is
// installed. An error says that it is damaged beyond that.
func RepairFileSystem(fstype string, device *BlockDevice) error {
	if fstype != "ext4" && fstype != "vfat" && fstype != "f2fs" { // the others do it when they are mounted
		return nil
	}
	program, err := lookProgram("fsck." + fstype)
	if err != nil {
		return nil
	}
	output, err := exec.Command(program, "-a", device.Path()).CombinedOutput()
	const uncorrected, rebootNeeded = 4, 2 // see fsck(8), "EXIT STATUS"
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode()&(uncorrected|rebootNeeded) != 0 {
		return fmt.Errorf("file system %s is damaged: %s", fstype, lastLine(output))
	}
	return nil
}

// lookProgram finds a program of the administrator, also where $PATH is a user's.
func lookProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, folder := range []string{"/usr/sbin/", "/sbin/"} {
		if err != nil {
			path, err = exec.LookPath(folder + name)
		}
	}
	return path, err
}

// lastLine returns the last line of a program's output, which is where most say why they failed.
func lastLine(output []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(output)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
