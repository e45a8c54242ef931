package container

import (
	"fmt"

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

func decideUsers(p *Plan, host *Host) error {
	s := &p.Settings
	users, err := chooseUsers(s.Exec.PrivateUsers, host.Root, s.Machine)
	if err != nil {
		return at(s, "Exec.PrivateUsers", fmt.Errorf("%s: %w", p.place(), err))
	}
	p.Users = users
	p.Inside.UserNamespace = users.Namespace
	return nil
}

// chooseUsers follows --private-users= and --private-users-ownership= of systemd-nspawn(1). A tree that is owned by a shifted
// range already, by an earlier --private-users-ownership=chown, keeps that range.
func chooseUsers(wanted settings.PrivateUsers, root Root, machine string) (Users, error) {
	owner := root.OwnerUID &^ (UserRange - 1)
	if owner != root.OwnerGID&^(UserRange-1) {
		return Users{}, fmt.Errorf("the upper 16 bits of its owner (%d) and group (%d) differ", root.OwnerUID, root.OwnerGID)
	}
	users := Users{Namespace: true, Count: UserRange}
	switch wanted.Mode {
	case settings.UsersNo, "":
		return Users{}, nil
	case settings.UsersIdentity:
		return users, nil
	case settings.UsersFixed:
		users.Start, users.Count = wanted.Start, wanted.Count
	case settings.UsersYes:
		users.Start = owner
		return users, nil
	case settings.UsersPick:
		users.Start, users.Pick = HashedRange(machine), true
		if owner >= FirstPick && owner <= LastPick {
			users.Start, users.Pick = owner, false
		}
	default:
		return Users{}, fmt.Errorf("%q is not supported yet", wanted.Mode)
	}
	return mapOwnership(users, wanted.Ownership, owner)
}

func mapOwnership(users Users, ownership string, owner uint32) (Users, error) {
	switch ownership {
	case "off":
	case "map", "auto", "":
		switch {
		case owner == 0:
			users.MapRoot = users.Start != 0
		case owner != users.Start:
			return Users{}, fmt.Errorf("it is owned by the user range %d, neither 0 nor the container's %d", owner, users.Start)
		case ownership == "map":
			return Users{}, fmt.Errorf("it is owned by the user range %d: mapping needs an owner of 0", owner)
		}
	default:
		return Users{}, fmt.Errorf("ownership %q is not supported yet", ownership)
	}
	return users, nil
}
