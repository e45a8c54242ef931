package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/container/userdb"
	"nspawnkit/settings"
)

// Where the container finds the homes of bound users and the records of them, which nss-systemd(8) reads.
const (
	homesDirectory   = "/run/host/home"
	recordsDirectory = "/run/host/userdb"
)

// nobody is the user that all unknown users show up as.
const nobody = 65534

// getentTimeout bounds a look-up in a user database of the network.
const getentTimeout = 25 * time.Second

// boundUser is a user of the host that the container knows, too: --bind-user= of systemd-nspawn(1).
type boundUser struct {
	origin settings.Origin
	host   userdb.User
	id     uint32 // of the user and of its group in the container
	files  []userdb.File
}

// home is where the container sees the user's home directory.
func (u *boundUser) home() string { return path.Join(homesDirectory, u.host.Name) }

// decideBindUsers checks what binding users needs, which is known without looking them up.
func decideBindUsers(p *Plan, _ *Host) error {
	s := &p.Settings
	none := len(s.Files.BindUser) == 0
	switch {
	case none && s.Files.BindUserShell != "no" && s.Files.BindUserShell != "":
		return at(s, "Files.BindUserShell", errors.New("without --bind-user= there is nobody to get a shell"))
	case none && len(p.Options.BindUserGroups) > 0:
		return errors.New("--bind-user-group: without --bind-user= there is nobody to be a member")
	case !none && !p.Users.Namespace:
		return at(s, "Files.BindUser", errors.New("a user can only be bound into a user namespace: --private-users= must not be no"))
	}
	p.Inside.BoundUsers = !none
	return nil
}

// bindUsers looks up the users to be bound and finds them names and numbers that the image has not taken.
func (s *Supervisor) bindUsers() error {
	taken, err := s.takenInImage()
	if err != nil {
		return err
	}
	database := userdb.Database{Root: os.DirFS("/"), Getent: getent, MachineID: readMachineID("/etc/machine-id")}
	seen := make(map[string]bool)
	for _, wanted := range s.plan.Settings.Files.BindUser {
		if seen[wanted.Name] {
			continue
		}
		seen[wanted.Name] = true
		user, err := s.bindUser(&database, taken, wanted.Name)
		if err != nil {
			return fmt.Errorf("%s: user %s: %w", wanted.Origin, wanted.Name, err)
		}
		user.origin = wanted.Origin
		s.users = append(s.users, user)
	}
	return nil
}

func (s *Supervisor) bindUser(database *userdb.Database, taken userdb.Taken, name string) (*boundUser, error) {
	user, err := database.User(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the host does not know it")
	}
	if err != nil {
		return nil, err
	}
	if err := s.checkUser(user); err != nil {
		return nil, err
	}
	group, err := database.Group(user.GID)
	switch {
	case err != nil:
		return nil, fmt.Errorf("its group %d: %w", user.GID, err)
	case group.Name != name:
		return nil, fmt.Errorf("its group is %s: only users with a group of their own, of the same name, can be bound", group.Name)
	case taken.Users[name]:
		return nil, errors.New("the container has a user of that name")
	case taken.Groups[name]:
		return nil, errors.New("the container has a group of that name")
	}
	bound := &boundUser{host: user}
	var ok bool
	if bound.id, ok = taken.Free(s.plan.Users.Count); !ok {
		return nil, fmt.Errorf("no number from %d to %d is free in the container, which has %d users", userdb.FirstID, userdb.LastID, s.plan.Users.Count)
	}
	shell := s.plan.Settings.Files.BindUserShell
	switch shell {
	case "no":
		shell = ""
	case "yes":
		shell = user.Shell
	}
	bound.files, err = userdb.Files(user, group, bound.id, bound.home(), shell, s.plan.Options.BindUserGroups)
	return bound, err
}

// checkUser refuses users that cannot be another one inside.
func (s *Supervisor) checkUser(user userdb.User) error {
	switch users := s.plan.Users; {
	case user.UID == 0:
		return errors.New("root cannot be bound: the container has its own")
	case user.UID == nobody:
		return errors.New("nobody cannot be bound: it stands for users that the container does not know")
	case users.has(user.UID):
		return fmt.Errorf("its number %d is one of the container's own users, %d to %d", user.UID, users.Start, users.Start+users.Count-1)
	case users.has(user.GID):
		return fmt.Errorf("its group %d is one of the container's own, %d to %d", user.GID, users.Start, users.Start+users.Count-1)
	case !path.IsAbs(user.Home):
		return fmt.Errorf("its home directory is %q", user.Home)
	}
	return nil
}

// takenInImage reads the user database of the image: other databases that the container may have are not asked.
func (s *Supervisor) takenInImage() (userdb.Taken, error) {
	if s.plan.Settings.Files.Volatile == "yes" { // its /etc starts empty
		return userdb.NewTaken(nil, nil), nil
	}
	root, _, err := s.openInImage("/")
	if err != nil {
		return userdb.Taken{}, err
	}
	defer root.Close()
	var files [2][]byte
	for i, name := range []string{"etc/passwd", "etc/group"} {
		if files[i], err = root.ReadFile(name, maxEtcFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return userdb.Taken{}, fmt.Errorf("%s of the container: %w", name, err)
		}
	}
	return userdb.NewTaken(files[0], files[1]), nil
}

// getent asks the C library, which knows all that nsswitch.conf(5) names: this program is linked without it.
func getent(database, key string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), getentTimeout)
	defer cancel()
	output, err := exec.CommandContext(ctx, "getent", "--", database, key).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 2, errors.Is(err, exec.ErrNotFound):
		return "", fs.ErrNotExist
	case err != nil:
		return "", fmt.Errorf("getent %s: %w", database, err)
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line, nil
}

// userNodes are the files of /run that make the container know the bound users, and where their homes are mounted.
func (s *Supervisor) userNodes() []kernel.Node {
	if len(s.users) == 0 {
		return nil
	}
	directory := func(name string) kernel.Node {
		return kernel.Node{Path: strings.TrimPrefix(name, "/run/"), Mode: kernel.Directory | 0o755}
	}
	nodes := []kernel.Node{directory(homesDirectory), directory(recordsDirectory)}
	for _, user := range s.users {
		nodes = append(nodes, directory(user.home()))
		for _, file := range user.files {
			node := kernel.Node{Path: strings.TrimPrefix(path.Join(recordsDirectory, file.Name), "/run/"), Mode: kernel.Regular | file.Mode, Data: file.Content}
			if file.Link != "" {
				node.Mode, node.Link = kernel.Link, file.Link
			}
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// openHomes opens the home directories of the bound users.
func (s *Supervisor) openHomes() error {
	for _, user := range s.users {
		tree, err := kernel.CloneTree(user.host.Home, true)
		if err != nil {
			return fmt.Errorf("%s: home of user %s: %w", user.origin, user.host.Name, err)
		}
		s.custom = append(s.custom, openedMount{
			customMount: customMount{origin: user.origin, destination: user.home(), kind: bindMount}, tree: tree, user: user,
		})
	}
	return nil
}

// mapHome shows what belongs to the user of the host, and to its group, as the container's user of the same name. What belongs to
// other users of the container stays theirs.
func (a *assembly) mapHome(m *openedMount) error {
	users, inside := a.plan.Users, m.user.id
	extents := func(host uint32) []kernel.IDExtent {
		list := []kernel.IDExtent{{From: host, To: users.Start + inside, Count: 1}, {From: users.Start, To: users.Start, Count: inside}}
		if rest := users.Count - inside - 1; rest > 0 {
			after := users.Start + inside + 1
			list = append(list, kernel.IDExtent{From: after, To: after, Count: rest})
		}
		return list
	}
	mapping, err := kernel.NewIDMaps(extents(m.user.host.UID), extents(m.user.host.GID))
	if err != nil {
		return err
	}
	defer mapping.Close()
	return a.explainMapping(m.tree.MapIDs(mapping, true), "bind no user whose home is there")
}
