package userdb

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Account is what a process of a user starts with.
type Account struct {
	Name        string
	UID, GID    uint32
	Groups      []uint32 // supplementary
	Home, Shell string
}

// Account looks up a user by name or number, in files and records only: Root may be anybody's, nothing of it is executed. The error
// is [fs.ErrNotExist] if neither has it.
func (d *Database) Account(key string) (Account, error) {
	uid, numberErr := strconv.ParseUint(key, 10, 32)
	isNumber := numberErr == nil
	line, err := d.plainLine("passwd", key, func(fields []string) bool {
		if isNumber && len(fields) > 2 {
			n, err := strconv.ParseUint(fields[2], 10, 32)
			return err == nil && n == uid
		}
		return fields[0] == key
	})
	var user User
	var memberOf []string
	switch {
	case err == nil:
		ok := false
		if user, ok = parseUser(line); !ok {
			return Account{}, fmt.Errorf("malformed entry %q in /etc/passwd", line)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return Account{}, err
	default:
		record, err := d.readRecord(key, ".user")
		if err != nil {
			return Account{}, err
		}
		if record.UID == nil || !isNumber && record.UserName != key || isNumber && uint64(*record.UID) != uid {
			return Account{}, fmt.Errorf("its record is that of %q", record.UserName)
		}
		user, memberOf = record.user(), record.MemberOf
	}
	const none = 1<<32 - 1
	if user.UID == none || user.GID == none {
		return Account{}, fmt.Errorf("%d is not a user or group", uint32(none))
	}
	account := Account{Name: user.Name, UID: user.UID, GID: user.GID, Home: user.Home, Shell: user.Shell}
	account.Groups, err = d.groupsOf(user.Name, memberOf)
	return account, err
}

// groupsOf returns the groups that list a user as member in /etc/group, and those of the given names that are there.
func (d *Database) groupsOf(user string, names []string) ([]uint32, error) {
	data, err := fs.ReadFile(d.Root, "etc/group")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var groups []uint32
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) != 4 || !slices.Contains(strings.Split(fields[3], ","), user) && !slices.Contains(names, fields[0]) {
			continue
		}
		if gid, err := strconv.ParseUint(fields[2], 10, 32); err == nil && gid != 1<<32-1 && !slices.Contains(groups, uint32(gid)) {
			groups = append(groups, uint32(gid))
		}
	}
	return groups, nil
}
