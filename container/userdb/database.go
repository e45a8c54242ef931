package userdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// User is what a container is told of a user of the host.
type User struct {
	Name        string
	UID, GID    uint32
	Disposition string // of a JSON record: "regular", …; empty: not said
	Home        string // absolute
	Shell       string
	Passwords   []string        // hashed, also locked ones ("!…"); secrets
	SSHKeys     json.RawMessage // sshAuthorizedKeys of a JSON record, as it is
}

// Group is a group of the host.
type Group struct {
	Name        string
	GID         uint32
	Disposition string
}

// Database is where users and groups of the host are looked up, in this order: /etc/passwd, /etc/shadow and /etc/group, the
// directories of JSON records of nss-systemd(8), and whatever else nsswitch.conf(5) names, which the C library knows.
type Database struct {
	Root fs.FS
	// Getent returns the line of a key of a database, as getent(1) prints it; [fs.ErrNotExist] if there is none.
	Getent func(database, key string) (string, error)
	// MachineID of the host selects what a JSON record says about this host only.
	MachineID string
}

// recordDirectories are where records are dropped in, the first wins.
func recordDirectories() []string {
	return []string{"etc/userdb", "run/userdb", "run/host/userdb", "usr/local/lib/userdb", "usr/lib/userdb"}
}

// User looks up a user by name. The error is [fs.ErrNotExist] if nobody knows it.
func (d *Database) User(name string) (User, error) {
	line, err := d.plainLine("passwd", name, func(fields []string) bool { return fields[0] == name })
	if errors.Is(err, fs.ErrNotExist) {
		if user, err := d.recordedUser(name); !errors.Is(err, fs.ErrNotExist) {
			return user, err
		}
		line, err = d.Getent("passwd", name)
	}
	if err != nil {
		return User{}, err
	}
	user, ok := parseUser(line)
	if !ok || user.Name != name {
		return User{}, fmt.Errorf("malformed entry %q", line)
	}
	user.Passwords, err = d.passwords(name)
	return user, err
}

// passwords returns the hashed password of shadow(5). What says that none will ever match is left out.
func (d *Database) passwords(name string) ([]string, error) {
	line, err := d.plainLine("shadow", name, func(fields []string) bool { return fields[0] == name })
	if errors.Is(err, fs.ErrNotExist) {
		line, err = d.Getent("shadow", name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	fields := strings.Split(line, ":")
	if err != nil || len(fields) < 2 {
		return nil, err
	}
	switch strings.TrimLeft(fields[1], "!") {
	case "x", "*":
		return nil, nil
	}
	return fields[1:2], nil
}

// Group looks up a group by number. The error is [fs.ErrNotExist] if nobody knows it.
func (d *Database) Group(gid uint32) (Group, error) {
	number := strconv.FormatUint(uint64(gid), 10)
	line, err := d.plainLine("group", number, func(fields []string) bool { return len(fields) > 2 && fields[2] == number })
	if errors.Is(err, fs.ErrNotExist) {
		if group, err := d.recordedGroup(number); !errors.Is(err, fs.ErrNotExist) {
			return group, err
		}
		line, err = d.Getent("group", number)
	}
	if err != nil {
		return Group{}, err
	}
	name, _, _ := strings.Cut(line, ":")
	return Group{Name: name, GID: gid}, nil
}

// plainLine returns the first line of a file of /etc that is the one looked for.
func (d *Database) plainLine(file, key string, is func(fields []string) bool) (string, error) {
	data, err := fs.ReadFile(d.Root, path.Join("etc", file))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if is(strings.Split(line, ":")) {
			return line, nil
		}
	}
	return "", fmt.Errorf("%s in /etc/%s: %w", key, file, fs.ErrNotExist)
}

// parseUser reads a line of passwd(5).
func parseUser(line string) (User, bool) {
	fields := strings.Split(line, ":")
	if len(fields) != 7 {
		return User{}, false
	}
	uid, uidErr := strconv.ParseUint(fields[2], 10, 32)
	gid, gidErr := strconv.ParseUint(fields[3], 10, 32)
	user := User{Name: fields[0], UID: uint32(uid), GID: uint32(gid), Home: fields[5], Shell: fields[6]}
	return user, uidErr == nil && gidErr == nil
}

// hostRecord is what counts of a JSON user or group record (https://systemd.io/USER_RECORD).
type hostRecord struct {
	UserName      string  `json:"userName"`
	GroupName     string  `json:"groupName"`
	UID           *uint32 `json:"uid"`
	GID           *uint32 `json:"gid"`
	Disposition   string  `json:"disposition"`
	HomeDirectory string  `json:"homeDirectory"`
	Shell         string  `json:"shell"`

	MemberOf   []string `json:"memberOf"`
	Privileged struct {
		HashedPassword    []string        `json:"hashedPassword"`
		SSHAuthorizedKeys json.RawMessage `json:"sshAuthorizedKeys"`
	} `json:"privileged"`
	Binding map[string]json.RawMessage `json:"binding"` // by machine ID: what the host decided
}

// readRecord reads a record and what is secret of it. The error is [fs.ErrNotExist] if there is none.
func (d *Database) readRecord(name, suffix string) (hostRecord, error) {
	var record hostRecord
	for _, directory := range recordDirectories() {
		file := path.Join(directory, name+suffix)
		data, err := fs.ReadFile(d.Root, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(data, &record)
		}
		if binding := record.Binding[d.MachineID]; err == nil && binding != nil {
			err = json.Unmarshal(binding, &record)
		}
		if err == nil {
			if data, err = fs.ReadFile(d.Root, file+"-privileged"); err == nil {
				err = json.Unmarshal(data, &record)
			} else if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			return record, fmt.Errorf("read /%s: %w", file, err)
		}
		return record, nil
	}
	return record, fs.ErrNotExist
}

func (d *Database) recordedUser(name string) (User, error) {
	record, err := d.readRecord(name, ".user")
	switch {
	case err != nil:
		return User{}, err
	case record.UserName != name:
		return User{}, fmt.Errorf("its record is that of %q", record.UserName)
	case record.UID == nil:
		return User{}, errors.New("it has no UID")
	}
	return record.user(), nil
}

// user returns the user of a record that has a UID.
func (r *hostRecord) user() User {
	user := User{
		Name: r.UserName, UID: *r.UID, GID: *r.UID, Disposition: r.Disposition, Home: r.HomeDirectory, Shell: r.Shell,
		Passwords: r.Privileged.HashedPassword, SSHKeys: r.Privileged.SSHAuthorizedKeys,
	}
	if r.GID != nil {
		user.GID = *r.GID
	}
	if user.Home == "" {
		user.Home = "/home/" + r.UserName
	}
	return user
}

func (d *Database) recordedGroup(number string) (Group, error) {
	record, err := d.readRecord(number, ".group")
	switch {
	case err != nil:
		return Group{}, err
	case record.GID == nil || strconv.FormatUint(uint64(*record.GID), 10) != number:
		return Group{}, fmt.Errorf("the record of group %s has another GID", number)
	}
	return Group{Name: record.GroupName, GID: *record.GID, Disposition: record.Disposition}, nil
}
