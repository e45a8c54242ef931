package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// The ranges of https://systemd.io/UIDS-GIDS that no container runs with.
const (
	// foreignUsers is the first user of the range that images belong to which many containers share.
	foreignUsers = 0x7FFE0000
	// busyUsers is the range of a tree whose owners are being changed.
	busyUsers = 0xFFFE0000
)

// adjustment is how a tree is made to belong to the container's users.
type adjustment int

const (
	leaveOwners  adjustment = iota
	mapOwners               // by an id-mapped mount
	mapOrChown              // so, or else by chown
	changeOwners            // by chown
)

// ownerRange returns the first user of the range that a tree belongs to, by its root directory.
func ownerRange(uid, gid uint32) (uint32, error) {
	if uid&^(UserRange-1) != gid&^(UserRange-1) {
		return 0, fmt.Errorf("the upper 16 bits of its owner (%d) and group (%d) differ", uid, gid)
	}
	return uid &^ (UserRange - 1), nil
}

// rangeOnDisk returns the range from which files of an owner are mapped who is none of the container's users.
func rangeOnDisk(owner uint32) uint32 {
	if owner&^(UserRange-1) == foreignUsers {
		return foreignUsers
	}
	return 0
}

// decideOwnership follows --private-users-ownership= of systemd-nspawn(1) for a tree that belongs to the range owner. It sets
// whom the tree then belongs to on disk.
func decideOwnership(users *Users, ownership string, owner uint32) (adjustment, error) {
	users.OnDisk = users.Start
	switch ownership {
	case "chown":
		if owner == users.Start {
			return leaveOwners, nil
		}
		return changeOwners, checkChown(users)
	case "auto":
		switch owner {
		case users.Start:
			return leaveOwners, nil
		case 0, foreignUsers:
			users.OnDisk = owner
			return mapOrChown, nil
		}
		return changeOwners, checkChown(users)
	case "map", "foreign":
		users.OnDisk = 0
		if ownership == "foreign" {
			users.OnDisk = foreignUsers
		}
		if owner != users.OnDisk {
			return leaveOwners, fmt.Errorf("it is owned by the user range %d: mapping (%s) needs an owner of %d", owner, ownership, users.OnDisk)
		}
		return mapOwners, nil
	}
	if owner == busyUsers {
		return leaveOwners, errors.New("a change of its owners was interrupted: finish it with --private-users-ownership=chown")
	}
	return leaveOwners, nil
}

// checkChown refuses ranges that cannot be told apart on disk by the upper 16 bits of an owner.
func checkChown(users *Users) error {
	if users.Start%UserRange != 0 || users.Count != UserRange || users.Start >= busyUsers {
		return fmt.Errorf("the owners of files can be changed only to %d users from a multiple of that on, not to %d from %d on", UserRange, users.Count, users.Start)
	}
	return nil
}

// checkUnchanged refuses to change owners of a tree that is not to be written to, as systemd-nspawn does.
func (p *Plan) checkUnchanged() error {
	switch _, asked := p.Settings.Set["Files.ReadOnly"]; {
	case p.Settings.Files.ReadOnly && !asked:
		return errors.New("its owners cannot be changed: it is marked read-only, or on a read-only file system")
	case p.Settings.Files.ReadOnly:
		return errors.New("its owners cannot be changed with --read-only")
	case isVolatile(&p.Settings):
		return errors.New("its owners cannot be changed with --volatile")
	}
	return nil
}

// ownershipKey is the key that errors about owners name.
func (p *Plan) ownershipKey() string {
	if p.Settings.Origin("Files.PrivateUsersOwnership") != (settings.Origin{}) {
		return "Files.PrivateUsersOwnership"
	}
	return "Exec.PrivateUsers"
}

// adjustOwners makes the directory tree belong to the users that were picked, but for the mapping, which needs the container.
func (s *Supervisor) adjustOwners() error {
	if err := s.adjustOwnersOf(s.plan.Settings.Directory); err != nil {
		return at(&s.plan.Settings, s.plan.ownershipKey(), fmt.Errorf("%s: %w", s.plan.place(), err))
	}
	users, written := s.plan.Users, !s.plan.Inside.ReadOnly && !isVolatile(&s.plan.Settings)
	if users.Delegate > 0 && !users.mapped() && written && s.plan.Options.Stack == nil {
		s.log(Warning, fmt.Sprintf("%s: its owners are not mapped: with --private-users-delegate= no files can be made in it since systemd 262", s.plan.place()))
	}
	return nil
}

func (s *Supervisor) adjustOwnersOf(directory string) error {
	place, err := os.OpenFile(directory, kernel.PathOnly, 0)
	if err != nil {
		return err
	}
	defer place.Close()
	uid, gid, err := kernel.Owner(place) // now that it is locked
	if err != nil {
		return err
	}
	owner, err := ownerRange(uid, gid)
	if err != nil {
		return err
	}
	users := &s.plan.Users
	action, err := decideOwnership(users, s.plan.Settings.Exec.PrivateUsers.Ownership, owner)
	if err != nil {
		return err
	}
	switch action {
	case mapOrChown:
		err = kernel.CheckMapping(place)
		if unmappable := (kernel.UnmappableError{}); !errors.As(err, &unmappable) {
			return err
		}
		if problem := cmp.Or(checkChown(users), s.plan.checkUnchanged()); problem != nil {
			return fmt.Errorf("%w, and %w", err, problem)
		}
		s.log(Info, fmt.Sprintf("%v, so the owners of its files are changed.", err))
		users.OnDisk = users.Start
	case changeOwners:
		if err := s.plan.checkUnchanged(); err != nil {
			return err
		}
	default:
		return nil
	}
	return s.changeOwners(place)
}

// changeOwners shows progress, and ends with an error at SIGINT and SIGTERM. Whatever ends it, the next start goes on with it.
func (s *Supervisor) changeOwners(place *os.File) error {
	tree, err := kernel.CloneTreeOf(place, false)
	if err != nil {
		return err
	}
	defer tree.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	directory := s.plan.Settings.Directory
	progress := newProgress("Changing the owners in "+directory, s.plan.Options.Quiet, s.tell)
	err = kernel.ChownTree(ctx, tree, s.plan.Users.Start, busyUsers, progress.report)
	progress.end()
	if err != nil {
		return fmt.Errorf("change owners: %w", err)
	}
	s.log(Info, fmt.Sprintf("Changed the owners in %s to the users from %d on: %s.", directory, s.plan.Users.Start, progress.text()))
	return nil
}
