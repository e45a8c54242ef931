package userdb

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// The container's numbers for bound users are taken from this range (https://systemd.io/UIDS-GIDS).
const (
	FirstID = 60514
	LastID  = 60577
)

// service is what systemd-nspawn says makes these records.
const service = "io.systemd.NSpawn"

// File is a file, or with Link a symbolic link, of the directory of records of a container.
type File struct {
	Name    string
	Mode    uint32 // permission bits
	Link    string
	Content string
}

// userRecord and groupRecord have the fields of systemd-nspawn's in its order.
type userRecord struct {
	UserName      string   `json:"userName"`
	UID           uint32   `json:"uid"`
	GID           uint32   `json:"gid"`
	Disposition   string   `json:"disposition,omitempty"`
	HomeDirectory string   `json:"homeDirectory"`
	Service       string   `json:"service"`
	Shell         string   `json:"shell,omitempty"`
	MemberOf      []string `json:"memberOf,omitempty"`
}

type groupRecord struct {
	GroupName   string `json:"groupName"`
	GID         uint32 `json:"gid"`
	Disposition string `json:"disposition,omitempty"`
	Service     string `json:"service"`
}

type privilegedRecord struct {
	Privileged privileged `json:"privileged"`
}

type privileged struct {
	HashedPassword    []string        `json:"hashedPassword,omitempty"`
	SSHAuthorizedKeys json.RawMessage `json:"sshAuthorizedKeys,omitempty"`
}

// Files returns the files that make a container know a user of the host, and the group of the same name, by the number id. The
// user's home is at home, and groups are those that it is a member of besides.
func Files(user User, group Group, id uint32, home, shell string, groups []string) ([]File, error) {
	number := strconv.FormatUint(uint64(id), 10)
	var files []File
	for _, record := range []struct {
		name, suffix string
		mode         uint32
		content      any
	}{
		{group.Name, ".group", 0o644, groupRecord{group.Name, id, group.Disposition, service}},
		{user.Name, ".user-privileged", 0o600, privilegedRecord{privileged{user.Passwords, user.SSHKeys}}},
		{user.Name, ".user", 0o644, userRecord{user.Name, id, id, user.Disposition, home, service, shell, groups}},
	} {
		if _, secret := record.content.(privilegedRecord); secret && len(user.Passwords) == 0 && user.SSHKeys == nil {
			continue
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(record.content); err != nil {
			return nil, err
		}
		files = append(files, File{Name: record.name + record.suffix, Mode: record.mode, Content: text.String()},
			File{Name: number + record.suffix, Link: record.name + record.suffix})
	}
	for _, name := range groups {
		files = append(files, File{Name: user.Name + ":" + name + ".membership", Mode: 0o644, Content: "{}\n"})
	}
	return files, nil
}

// Taken is what an image uses of names and numbers.
type Taken struct {
	Users, Groups map[string]bool
	ids           map[uint32]bool
}

// NewTaken reads /etc/passwd and /etc/group of an image. A line that is not of their form says nothing.
func NewTaken(passwd, group []byte) Taken {
	t := Taken{ids: make(map[uint32]bool)}
	t.Users, t.Groups = t.add(passwd), t.add(group)
	return t
}

func (t Taken) add(data []byte) map[string]bool {
	names := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 3 {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			names[fields[0]], t.ids[uint32(id)] = true, true
		}
	}
	return names
}

// Free returns a number below count that no user or group has, and takes it.
func (t Taken) Free(count uint32) (id uint32, ok bool) {
	for id := uint32(FirstID); id <= LastID && id < count; id++ {
		if !t.ids[id] {
			t.ids[id] = true
			return id, true
		}
	}
	return 0, false
}
