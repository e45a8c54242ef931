package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"nspawnkit/container/userdb"
	"nspawnkit/machined"
)

// nameServices are the host's user and group databases.
type nameServices struct {
	root     fs.FS
	database machined.UserDatabase
	getent   func(ids ...string) (known bool, err error) // asks all that nsswitch.conf(5) names
}

// knowRange reports whether a user or group has the first or the last but one of the 65536 numbers from start on: what
// systemd-nspawn looks at before it takes a range. What is in C libraries only costs a program, the rest is asked without.
func (n nameServices) knowRange(ctx context.Context, start uint32) (bool, error) {
	first, last := start, start+0xFFFE
	database := userdb.Database{Root: n.root}
	if database.Lists(first, last) {
		return true, nil
	}
	nsswitch, err := fs.ReadFile(n.root, "etc/nsswitch.conf")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	systemd, others := readNameServices(string(nsswitch))
	switch {
	case err != nil || others:
		return n.getent(strconv.FormatUint(uint64(first), 10), strconv.FormatUint(uint64(last), 10))
	case !systemd:
		return false, nil
	case database.Records(first) || database.Records(last):
		return true, nil
	}
	known, err := n.database.Knows(ctx, first, last)
	if err != nil {
		return false, fmt.Errorf("ask the user database: %w", err)
	}
	return known, nil
}

// readNameServices reports whether nsswitch.conf(5) has users or groups in systemd's user database, and in others than this and
// /etc/passwd and /etc/group. nss-mymachines(8) has none since systemd 246.
func readNameServices(nsswitch string) (systemd, others bool) {
	for line := range strings.Lines(nsswitch) {
		line, _, _ = strings.Cut(line, "#")
		database, services, _ := strings.Cut(line, ":")
		if database = strings.TrimSpace(database); database != "passwd" && database != "group" {
			continue
		}
		for _, service := range strings.Fields(withoutActions(services)) {
			switch service {
			case "files", "mymachines":
			case "systemd":
				systemd = true
			default:
				others = true
			}
		}
	}
	return systemd, others
}

// withoutActions leaves out what is to be done after a service: "[NOTFOUND=return]".
func withoutActions(services string) string {
	for {
		before, rest, found := strings.Cut(services, "[")
		if !found {
			return services
		}
		_, after, _ := strings.Cut(rest, "]")
		services = before + " " + after
	}
}
