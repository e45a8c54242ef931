package machined

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	userDatabaseDirectory = "/run/systemd/userdb"
	userDatabaseTimeout   = 3 * time.Second // for each service; nss-systemd(8) waits longer
)

// UserDatabase asks the services of the host's user database (https://systemd.io/USER_GROUP_API). The zero one asks those of this
// host.
type UserDatabase struct {
	Directory string        // of their Varlink sockets; empty: the host's
	Timeout   time.Duration // for each service; 0: three seconds
}

// Knows reports whether one of the services knows a user or a group of one of these numbers. As for nss-systemd(8), one that fails
// knows nothing.
func (u UserDatabase) Knows(ctx context.Context, ids ...uint32) (bool, error) {
	directory := cmp.Or(u.Directory, userDatabaseDirectory)
	services, err := os.ReadDir(directory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, service := range services {
		switch service.Name() {
		case "io.systemd.Multiplexer", "io.systemd.NameServiceSwitch", "io.systemd.DropIn":
			continue // systemd-userdbd asks the others, and reads the files that its callers can read
		}
		if u.serviceKnows(ctx, filepath.Join(directory, service.Name()), ids) {
			return true, nil
		}
	}
	return false, nil
}

// serviceKnows asks a service, whose name is that of its socket, until it knows a number or fails.
func (u UserDatabase) serviceKnows(ctx context.Context, socket string, ids []uint32) bool {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(u.Timeout, userDatabaseTimeout))
	defer cancel()
	for _, id := range ids {
		for key, method := range map[string]string{"uid": "GetUserRecord", "gid": "GetGroupRecord"} {
			parameters := map[string]any{key: id, "service": filepath.Base(socket)}
			err := callVarlink(ctx, socket, "io.systemd.UserDatabase."+method, parameters, nil)
			if err == nil {
				return true
			}
			if ctx.Err() != nil {
				return false
			}
		}
	}
	return false
}
