package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nspawnkit/container/kernel"
)

// sharedDirectories are the two directories of /run/systemd/nspawn that host and container both see.
type sharedDirectories struct {
	// incoming is where systemd-machined puts what "machinectl bind" makes appear inside.
	incoming kernel.Tree
	// export is where the container puts sockets that the host may connect to, as systemd-ssh-proxy(1) does.
	export kernel.Tree
}

// incomingInside is where the container sees its incoming directory.
const incomingInside = "/run/host/incoming"

func incomingDirectory(machine string) string {
	return filepath.Join("/run/systemd/nspawn/propagate", machine)
}

func exportDirectory(machine string) string {
	return filepath.Join("/run/systemd/nspawn/unix-export", machine)
}

func (s *Supervisor) makeSharedDirectories() (err error) {
	incoming, export := incomingDirectory(s.plan.Settings.Machine), exportDirectory(s.plan.Settings.Machine)
	s.Made = true
	err = s.onHost(func() error { return removeSharedDirectories(s.plan.Settings.Machine) }) // of a container that was killed
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Dir(incoming)), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(incoming, 0o600); err != nil {
		return err
	}
	if s.shared.incoming, err = kernel.CloneTree(incoming, false); err != nil {
		return err
	}
	if err := s.shared.incoming.SetAttributes(kernel.ReadOnly, false); err != nil {
		return err
	}
	// A file system of its own keeps the container from filling the host's /run; on it are sockets and nothing else.
	owner := fmt.Sprint(s.plan.Users.onTemporary())
	tree, err := kernel.NewFileSystem("tmpfs", noSUIDDevExec|kernel.NoSymlinkFollow,
		options("mode", "0755", "size", "4m", "nr_inodes", "64", "uid", owner, "gid", owner)...)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := os.MkdirAll(export, 0o755); err != nil {
		return err
	}
	return s.onHost(func() (err error) {
		if err := tree.AttachTo(export); err != nil {
			return err
		}
		if s.shared.export, err = kernel.CloneTree(export, false); err != nil {
			return err
		}
		return s.mapTemporary(s.shared.export)
	})
}

// removeSharedDirectories takes away what makeSharedDirectories made, also for a supervisor that was killed.
func removeSharedDirectories(machine string) error {
	export := exportDirectory(machine)
	var problems []error
	if _, err := os.Lstat(export); err == nil {
		problems = append(problems, kernel.UnmountAll(export))
	}
	return errors.Join(append(problems, removeMissingOk(export), removeIncoming(incomingDirectory(machine)))...)
}

// removeIncoming also takes away what systemd-machined left in the directory, if it ended amid a bind: mounts and what they are on.
func removeIncoming(directory string) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	problems := []error{err}
	for _, entry := range entries {
		place := filepath.Join(directory, entry.Name())
		problems = append(problems, kernel.UnmountAll(place), removeMissingOk(place))
	}
	return errors.Join(append(problems, removeMissingOk(directory))...)
}
