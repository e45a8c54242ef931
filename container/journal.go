package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

const journalDirectory = "/var/log/journal"

// linkJournals makes the container's journal visible on the host or the other way round, as --link-journal= of
// systemd-nspawn(1) describes. A host without a persistent journal is not given one.
func (s *Supervisor) linkJournals() error {
	mode := s.plan.Settings.Exec.LinkJournal
	if mode.Mode == "no" || mode.Mode == "" {
		return nil
	}
	err := s.linkJournal(mode.Mode)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.LinkJournal"), err)
	if mode.Try || mode.Mode == "auto" {
		s.log(Debug, fmt.Sprintf("link journals: %v, ignoring", err))
		return nil
	}
	return err
}

func (s *Supervisor) linkJournal(mode string) error {
	host := filepath.Join(journalDirectory, s.plan.UUID)
	guest := filepath.Join(s.plan.Settings.Directory, host)
	info, err := os.Lstat(host)
	exists := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if exists && info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(host)
		if err != nil {
			return err
		}
		if target == guest && mode != "host" {
			return s.makeGuestJournal(host)
		}
		if err := os.Remove(host); err != nil {
			return err
		}
		exists = false
	}
	switch {
	case mode == "guest":
		if exists {
			// Only an empty directory gives way: journals are never lost.
			if err := os.Remove(host); err != nil {
				return err
			}
		}
		if err := s.makeGuestJournal(host); err != nil {
			return err
		}
		return os.Symlink(guest, host)
	case mode == "auto" && !exists:
		return nil
	case !exists:
		if err := os.Mkdir(host, 0o755); err != nil {
			return err
		}
	}
	s.bindJournal(host)
	return nil
}

// makeGuestJournal makes the directory inside the image. Where the image has a link on the way, nothing is made: the host
// would follow it.
func (s *Supervisor) makeGuestJournal(name string) error {
	root, err := kernel.OpenRoot(s.plan.Settings.Directory)
	if err != nil {
		return err
	}
	defer root.Close()
	owner := int(s.plan.Users.Start)
	if s.plan.Users.MapRoot {
		owner = 0
	}
	directory, err := root.MakeDirectories(name, 0o755, owner, owner)
	if err != nil {
		return err
	}
	return directory.Close()
}

func (s *Supervisor) bindJournal(name string) {
	bind := settings.Bind{Origin: s.plan.Settings.Origin("Exec.LinkJournal"), Source: name, Destination: name, IDMap: "idmap"}
	s.plan.Settings.Files.Binds = append(s.plan.Settings.Files.Binds, bind)
}
