package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"nspawnkit/container/kernel"
	"nspawnkit/network"
	"nspawnkit/settings"
)

// Cleanup removes what a container left whose supervisor was killed: for --cleanup, after all its processes have ended.
// directory is the container's root, empty if it cannot be found any more; images are the disk images of a mount stack. What
// belongs to a container that runs is left alone: its locks are held.
func Cleanup(machine, directory string, images ...string) error {
	if !settings.ValidMachineName(machine) {
		return fmt.Errorf("clean up: %q is not a machine name", machine)
	}
	problems := []error{
		cleanMachine(machine),
		kernel.RemoveStaleLocks(usersDirectory),
		kernel.RemoveStaleMappings(),
	}
	if directory != "" {
		problems = append(problems, sweepCopies(directory))
		images = append(images, directory)
	}
	for _, place := range images {
		problems = append(problems, kernel.RemoveStaleLock(kernel.TreeLock(place)))
		if _, byInode, err := kernel.TreeLocks(place); err == nil {
			problems = append(problems, kernel.RemoveStaleLock(byInode))
		}
	}
	return errors.Join(problems...)
}

// cleanMachine removes what is kept by the name of a machine, unless that runs.
func cleanMachine(machine string) error {
	lock, err := lockSoon(nameLock(machine), false)
	if errors.Is(err, kernel.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	err = errors.Join(
		cleanLinks(machine),
		cleanSettings(machine),
		removeStaleTemporaries(machine),
		removeMissingOk(machineFile(machine)+partSuffix),
		removeMissingOk(settings.RecordFile(machine)+partSuffix),
		removeSharedDirectories(machine),
		removeReceiverSockets(machine),
	)
	if _, ok := kernel.OwnControlGroup(); ok && !kernel.HasSystemd() {
		err = errors.Join(err, kernel.RootControlGroup().Below(machineGroup(machine)).Kill())
	}
	_ = clearRecord(machine) // of a machine that runs it stays
	return err
}

// cleanLinks removes the links that the machine state names, and then the state.
func cleanLinks(machine string) error {
	data, err := os.ReadFile(machineFile(machine))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var state network.Machine
	if err := json.Unmarshal(data, &state); err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", machineFile(machine), err), removeMissingOk(machineFile(machine)))
	}
	if err := errors.Join(giveInterfacesBack(state), removeLinks(state)); err != nil {
		return err
	}
	return removeMissingOk(machineFile(machine))
}

// cleanSettings removes the record of the settings unless its supervisor runs.
func cleanSettings(machine string) error {
	file := settings.RecordFile(machine)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var record settings.Record
	if json.Unmarshal(data, &record) == nil && record.Supervisor > 0 && kernel.ProcessExists(record.Supervisor) {
		return nil
	}
	return removeMissingOk(file)
}

func removeMissingOk(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
