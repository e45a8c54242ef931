package container

import (
	"errors"
	"fmt"
	"os"

	"nspawnkit/container/kernel"
)

// lockTemplate takes the lock of a directory that is still to be made, and a name beside it under which it is made: it gets its
// own only when it is whole.
func (s *Supervisor) lockTemplate() error {
	lock, err := lockSoon(kernel.TreeLock(s.plan.Settings.Directory), false)
	if errors.Is(err, kernel.ErrBusy) {
		return fmt.Errorf("directory tree %s is currently busy: another container is made there", s.plan.Settings.Directory)
	}
	if err != nil {
		return err
	}
	s.Locks = append(s.Locks, lock)
	return s.lockCopy()
}

// populateTree makes the container's root directory from the template, see --template= of systemd-nspawn(1).
func (s *Supervisor) populateTree() error {
	template, directory := s.plan.Options.Template, s.plan.Settings.Directory
	if err := s.populate(template, s.Copy, func(string) bool { return false }); err != nil {
		return fmt.Errorf("--template: %w", err)
	}
	err := kernel.RenameNew(s.Copy, directory)
	switch {
	case errors.Is(err, os.ErrExist): // somebody else was faster: the copy is removed at the end
		s.log(Info, fmt.Sprintf("Directory %s already exists, not populating from template %s.", directory, template))
	case err != nil:
		return fmt.Errorf("--template: %w", err)
	default:
		s.Copy = ""
		s.log(Info, fmt.Sprintf("Populated %s from template %s.", directory, template))
	}
	_, byInode, err := kernel.TreeLocks(directory)
	if err != nil {
		return err
	}
	lock, err := kernel.LockFile(byInode, false)
	if err != nil {
		return err
	}
	s.Locks = append(s.Locks, lock)
	return nil
}
