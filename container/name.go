package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"nspawnkit/container/kernel"
)

// namesDirectory has a lock file NAME.lck for each container that runs, which says who runs it. The locks of systemd-nspawn are
// those of images: a second container of the same name from another image would take the first one's links and directories.
const namesDirectory = "/run/nspawnkit/names"

func nameLock(machine string) string { return filepath.Join(namesDirectory, machine+".lck") }

// runsFrom is between process and place in the content of the lock file, which people get to read.
const runsFrom = " runs it from "

// lockName takes the name of the container for its life.
func (s *Supervisor) lockName() error {
	machine := s.plan.Settings.Machine
	lock, err := lockSoon(nameLock(machine), false)
	if errors.Is(err, kernel.ErrBusy) {
		return fmt.Errorf("machine %s is running already%s", machine, nameHolder(machine))
	}
	if err != nil {
		return err
	}
	s.Locks = append(s.Locks, lock)
	return lock.Write(fmt.Sprintf("process %d%s%s\n", os.Getpid(), runsFrom, s.plan.place()))
}

// nameHolder says who runs the machine, for the end of an error; nothing if that is not known (yet).
func nameHolder(machine string) string {
	data, err := os.ReadFile(nameLock(machine))
	if text := strings.TrimSpace(string(data)); err == nil && text != "" {
		return ": " + text
	}
	return ""
}

// placeHolder says which container runs from a directory tree or a disk image, for the end of an error.
func placeHolder(place string) string {
	files, _ := filepath.Glob(filepath.Join(namesDirectory, "*.lck"))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		if process, held, _ := strings.Cut(strings.TrimSpace(string(data)), runsFrom); held == place && kernel.LockHeld(file) {
			return fmt.Sprintf("machine %s, %s", strings.TrimSuffix(filepath.Base(file), ".lck"), process)
		}
	}
	return "another container"
}
