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

// notLinked is a reason not to link journals that try-host, try-guest and auto put up with.
type notLinked struct{ error }

// linkJournals makes the container's journal visible on the host or the other way round, as --link-journal= of
// systemd-nspawn(1) describes. A host without a persistent journal is not given one.
func (s *Supervisor) linkJournals() error {
	mode := s.plan.Settings.Exec.LinkJournal
	if mode.Mode == "no" || mode.Mode == "" || s.plan.Inside.Ephemeral { // a journal that goes with the copy is not linked
		return nil
	}
	err := s.linkJournal(mode.Mode)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.LinkJournal"), err)
	if tolerated := (notLinked{}); errors.As(err, &tolerated) && (mode.Try || mode.Mode == "auto") {
		s.log(Debug, fmt.Sprintf("link journals: %v, ignoring", err))
		return nil
	}
	return err
}

func (s *Supervisor) linkJournal(mode string) error {
	if isVolatile(&s.plan.Settings) {
		return notLinked{errors.New("a volatile container has no journal on disk")}
	}
	if s.plan.Options.Stack != nil {
		return s.linkStackJournal(mode)
	}
	root, _, err := s.openInImage("/")
	if err != nil {
		return err
	}
	defer root.Close()
	// Whether or not there is something to link: journald of the container writes to disk where this directory is.
	if err := s.makeGuestJournal(root, journalDirectory); err != nil {
		return notLinked{err}
	}
	host := filepath.Join(journalDirectory, s.plan.UUID)
	if err := s.checkJournalPlaces(root, host); err != nil {
		return notLinked{err}
	}
	if mode == "guest" && s.Images.root() != nil {
		return notLinked{errors.New("the host has no path into a disk image that it could link to")}
	}
	where, err := kernel.WhereIs(root.File()) // links of the image are followed inside it, but the host follows them outside
	if err != nil {
		return err
	}
	guest := filepath.Join(where, host)
	switch target, err := os.Readlink(host); {
	case err == nil && target == guest && mode != "host":
		return s.makeGuestJournal(root, host)
	case err == nil:
		if err := os.Remove(host); err != nil {
			return err
		}
	case mode == "guest" && !errors.Is(err, os.ErrNotExist):
		// Only an empty directory gives way: journals are never lost.
		if err := kernel.RemoveDirectory(host); err != nil {
			return err
		}
	}
	if mode == "guest" {
		return s.linkGuestJournal(root, guest, host)
	}
	return s.bindHostJournal(root, host, mode)
}

// linkStackJournal mounts the host's directory in a mount stack, whose own is made when it is put together.
func (s *Supervisor) linkStackJournal(mode string) error {
	if mode == "guest" {
		return notLinked{errors.New("the host has no path into a mount stack that it could link to")}
	}
	host := filepath.Join(journalDirectory, s.plan.UUID)
	for _, bind := range s.plan.Options.Stack.Binds {
		if bind.Destination == host {
			return notLinked{fmt.Errorf("%s: %s is a mount point", bind.Source, host)}
		}
	}
	if err := s.checkJournalPlaces(nil, host); err != nil {
		return notLinked{err}
	}
	if _, err := os.Readlink(host); err == nil {
		if err := os.Remove(host); err != nil {
			return err
		}
	}
	return s.bindHostJournal(nil, host, mode)
}

// checkJournalPlaces refuses places where something is mounted already, on the host or inside, and a link of the image. root is nil
// for a mount stack, of which nothing can be seen yet.
func (s *Supervisor) checkJournalPlaces(root *kernel.Root, name string) error {
	for _, bind := range s.plan.Settings.Files.Binds {
		if filepath.Clean(bind.Destination) == name {
			return fmt.Errorf("%s: %s is a mount point", bind.Origin, name)
		}
	}
	var inside *os.File
	if root != nil {
		var err error
		if inside, err = root.OpenPlain(name, kernel.PathOnly); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	outside, _ := os.OpenFile(name, kernel.PathOnly|kernel.NoFollow, 0)
	for _, place := range []*os.File{inside, outside} {
		if place == nil {
			continue
		}
		defer place.Close()
		if kernel.IsMountPoint(place) {
			return fmt.Errorf("%s is a mount point", place.Name())
		}
	}
	return nil
}

// linkGuestJournal makes the host's name for the journal a link into the image.
func (s *Supervisor) linkGuestJournal(root *kernel.Root, guest, host string) error {
	if err := os.Symlink(guest, host); err != nil {
		return notLinked{err}
	}
	if err := s.makeGuestJournal(root, host); err != nil {
		return errors.Join(err, os.Remove(host))
	}
	return nil
}

// bindHostJournal mounts the host's directory inside; auto does not make one.
func (s *Supervisor) bindHostJournal(root *kernel.Root, host, mode string) error {
	if mode == "host" {
		if err := os.Mkdir(host, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return notLinked{err}
		}
	}
	info, err := os.Lstat(host)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if root != nil {
		if err := s.makeGuestJournal(root, host); err != nil {
			return err
		}
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", host)
	}
	if root == nil {
		s.bindJournal(host)
		return nil
	}
	if entries, err := root.ReadDir(host); err == nil && len(entries) > 0 {
		s.log(Warning, fmt.Sprintf("%s: %s of the container is not empty, its journals are hidden", s.plan.Settings.Origin("Exec.LinkJournal"), host))
	}
	s.bindJournal(host)
	return nil
}

// makeGuestJournal makes a directory inside the image. Where the image has a link on the way, nothing is made: the host
// would follow it.
func (s *Supervisor) makeGuestJournal(root *kernel.Root, name string) error {
	if s.plan.Settings.Files.ReadOnly {
		directory, err := root.OpenPlain(name, kernel.PathOnly)
		if errors.Is(err, os.ErrNotExist) {
			return notLinked{fmt.Errorf("make directory %s: %w", name, kernel.ErrReadOnlyFileSystem)}
		}
		if err != nil {
			return err
		}
		return directory.Close()
	}
	owner := int(s.plan.Users.OnDisk)
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
