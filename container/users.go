package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/settings"
	"nspawnkit/siphash"
)

// The ranges that --private-users=pick takes from are UserRange users long and start at a multiple of it between
// FirstPick and LastPick (https://systemd.io/UIDS-GIDS).
const (
	UserRange = 0x10000
	FirstPick = 0x00080000
	LastPick  = 0x6FFF0000
)

// pickKey is the key under which systemd-nspawn hashes machine names to ranges.
var pickKey = [16]byte{0xe1, 0x56, 0xe0, 0xf0, 0x4a, 0xf0, 0x41, 0xaf, 0x96, 0x41, 0xcf, 0x41, 0x33, 0x94, 0xff, 0x72}

// HashedRange returns the first user of the range that a machine prefers: the same at every start.
func HashedRange(machine string) uint32 {
	hash := siphash.Sum64(pickKey, []byte(machine))
	return (uint32(hash)%(LastPick-FirstPick) + FirstPick) &^ (UserRange - 1)
}

// NextRange returns a range to try after the given one is in use. step counts the tries.
func NextRange(machine string, step uint64) uint32 {
	ranges := uint64((LastPick-FirstPick)/UserRange + 1)
	hash := siphash.Sum64(pickKey, fmt.Appendf(nil, "%s#%d", machine, step))
	return uint32(FirstPick + (hash%ranges)*UserRange)
}

// pickCandidates calls try with the ranges that --private-users=pick may take until it takes one: that of the owner of the
// tree, the machine's own, then others.
func pickCandidates(machine string, owner uint32, try func(start uint32) (taken bool)) bool {
	if owner >= FirstPick && owner <= LastPick && try(owner) || try(HashedRange(machine)) {
		return true
	}
	for step := range uint64(98) {
		if try(NextRange(machine, step)) {
			return true
		}
	}
	return false
}

func decideUsers(p *Plan, host *Host) error {
	s := &p.Settings
	if wanted := &s.Exec.PrivateUsers; host.NoUserNamespaces && wanted.Mode != settings.UsersNo {
		if s.Origin("Exec.PrivateUsers").Option != "-U" { // which is for kernels with and without
			return at(s, "Exec.PrivateUsers", errors.New("the kernel has no user namespaces"))
		}
		wanted.Mode = settings.UsersNo
	}
	if wanted := s.Exec.PrivateUsers; wanted.Delegate > 0 && wanted.Mode != settings.UsersManaged {
		return at(s, "Exec.PrivateUsersDelegate", errors.New("needs --private-users=managed"))
	}
	users, err := chooseUsers(s.Exec.PrivateUsers, host.Root, s.Machine)
	if err != nil {
		return at(s, "Exec.PrivateUsers", fmt.Errorf("%s: %w", p.place(), err))
	}
	if s.Exec.PrivateUsers.Ownership == "chown" && users.Namespace {
		if err := p.checkUnchanged(); err != nil {
			return at(s, p.ownershipKey(), fmt.Errorf("%s: %w", s.Directory, err))
		}
	}
	p.Users = users
	p.Inside.UserNamespace, p.Inside.Delegated = users.Namespace, users.Delegate > 0
	if users.Delegate > 0 {
		p.warnOfOverlays()
	}
	return nil
}

// chooseUsers follows --private-users= of systemd-nspawn(1), and checks what --private-users-ownership= will have to do. The
// range of "pick" is a candidate: see [pickCandidates].
func chooseUsers(wanted settings.PrivateUsers, root Root, machine string) (Users, error) {
	if wanted.Mode == settings.UsersNo || wanted.Mode == "" {
		return Users{}, nil
	}
	owner, err := ownerRange(root.OwnerUID, root.OwnerGID)
	if err != nil {
		return Users{}, err
	}
	users := Users{Namespace: true, Count: UserRange, Owner: owner}
	switch wanted.Mode {
	case settings.UsersIdentity:
	case settings.UsersFixed:
		users.Start, users.Count = wanted.Start, wanted.Count
	case settings.UsersYes:
		if users.Start = owner; owner == busyUsers {
			return users, errors.New("a change of its owners was interrupted: name the range, or write pick")
		}
	case settings.UsersPick:
		users.Pick = true
		pickCandidates(machine, owner, func(start uint32) bool { users.Start = start; return true })
	case settings.UsersManaged:
		users.Start, users.Managed, users.Delegate = HashedRange(machine), true, wanted.Delegate // any, until it is known
	}
	_, err = decideOwnership(&users, wanted.Ownership, owner)
	return users, err
}

// pickUsers locks the range. systemd-nspawn looks at the same locks, so that neither picks a range of the other.
func (s *Supervisor) pickUsers() error {
	users := &s.plan.Users
	if users.Managed {
		if err := s.allocateUsers(); err != nil {
			return at(&s.plan.Settings, "Exec.PrivateUsers", fmt.Errorf("managed: %w", err))
		}
		return nil
	}
	if !users.Pick {
		// Sharing a range that was named is the user's decision.
		lock, err := lockUsers(users.Start)
		if errors.Is(err, kernel.ErrBusy) {
			return nil
		}
		if err == nil {
			s.Locks = append(s.Locks, lock)
		}
		return err
	}
	var problem error
	owner := users.Owner
	services := nameServices{root: os.DirFS("/"), getent: kernel.AskNameServices}
	taken := pickCandidates(s.plan.Settings.Machine, owner, func(start uint32) bool {
		lock, err := lockUsers(start)
		if errors.Is(err, kernel.ErrBusy) {
			return false
		}
		known := false
		if err == nil {
			known, err = services.knowRange(context.Background(), start)
		}
		switch {
		case err != nil:
			problem = err
		case known:
			lock.Release()
			return false
		default:
			users.Start = start
			s.Locks = append(s.Locks, lock)
		}
		return true
	})
	if !taken {
		return errors.New("no free range of users found in 100 tries")
	}
	return problem
}

func lockUsers(start uint32) (*kernel.Lock, error) {
	return kernel.LockFile(filepath.Join(usersDirectory, fmt.Sprint(start)), false)
}

// allocateTimeout bounds the call to systemd-nsresourced, which compiles programs for the kernel when it is started first.
const allocateTimeout = 90 * time.Second

// allocateUsers takes a range from systemd-nsresourced(8). It does not know who else picked one, but the locks do: what is in use
// it keeps until there is a free one.
func (s *Supervisor) allocateUsers() error {
	ctx, cancel := context.WithTimeout(context.Background(), allocateTimeout)
	defer cancel()
	for range 10 {
		name := "nspawn-" + RandomSuffix()[:8]
		userns, given, err := kernel.NewEmptyUserNamespace(func(userns *os.File) error {
			return machined.NamespaceResource{}.AllocateUserRange(ctx, name, UserRange, s.plan.Users.Delegate, userns)
		})
		if err != nil {
			return err
		}
		s.Reserved = append(s.Reserved, kernel.File{File: userns})
		if err := checkGiven(given, s.plan.Users.Delegate); err != nil {
			return fmt.Errorf("systemd-nsresourced gave %w", err)
		}
		locks, err := lockGiven(given)
		if errors.Is(err, kernel.ErrBusy) {
			continue
		}
		if err == nil {
			s.plan.Users.Start = given[0].To
			for _, e := range given[1:] {
				s.delegated = append(s.delegated, e.To)
			}
			s.Locks = append(s.Locks, locks...)
		}
		return err
	}
	return errors.New("all ranges that systemd-nsresourced gave are in use")
}

// checkGiven checks that the container's own users are whole ranges, and those for others inside mapped to themselves.
func checkGiven(given []kernel.IDExtent, delegate uint) error {
	for i, e := range given {
		if e.Count != UserRange || i > 0 && e.From != e.To {
			return fmt.Errorf("%d users from %d on as those from %d on, not %d", e.Count, e.To, e.From, UserRange)
		}
	}
	if len(given) != 1+int(delegate) {
		return fmt.Errorf("%d ranges of users, not %d", len(given), 1+delegate)
	}
	return nil
}

// lockGiven locks all of the ranges, or none.
func lockGiven(given []kernel.IDExtent) (locks []*kernel.Lock, err error) {
	for _, e := range given {
		lock, err := lockUsers(e.To)
		if err != nil {
			for _, lock := range locks {
				lock.Release()
			}
			return nil, err
		}
		locks = append(locks, lock)
	}
	return locks, nil
}
