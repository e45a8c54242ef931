package container

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

// service is a Varlink service of the host that containers inside need, by the name of its socket.
type service struct {
	name string
	tree kernel.Tree
}

// hostServices is where the host has them, and where systemd inside expects those of a host, see systemd-nsresourced.socket.
const (
	hostServices  = "/run/systemd/"
	shownServices = "/run/host/"
)

// openServices opens the sockets of systemd-nsresourced(8), and of systemd-mountfsd(8) if it is there, which --private-users-delegate=
// shows inside. Who asks them there is told apart by the user namespace and gets what was delegated to that.
func (s *Supervisor) openServices() error {
	for _, name := range []string{path.Base(machined.NamespaceResourceSocket), "io.systemd.MountFileSystem"} {
		tree, err := kernel.CloneTree(hostServices+name, false)
		if errors.Is(err, fs.ErrNotExist) && len(s.services) > 0 {
			continue
		}
		if err != nil {
			return at(&s.plan.Settings, "Exec.PrivateUsersDelegate", err)
		}
		s.services = append(s.services, service{name, tree})
		s.custom = append(s.custom, openedMount{
			customMount: customMount{
				origin: s.plan.Settings.Origin("Exec.PrivateUsersDelegate"), destination: shownServices + name, kind: bindMount,
				bind: &settings.Bind{ReadOnly: true, IDMap: "noidmap"},
			},
			tree: tree,
		})
	}
	return nil
}

// delegatedOnDisk is the first user in temporary file systems that stands for those delegated. Nobody is such a user
// (https://systemd.io/UIDS-GIDS).
const delegatedOnDisk = 1 << 31

// onTemporary is the user in temporary file systems that is the container's root, see [Supervisor.newTemporary].
func (u Users) onTemporary() uint32 {
	if u.Delegate > 0 {
		return foreignUsers
	}
	return u.Start
}

// newTemporary makes a temporary file system that belongs to the container's root.
//
// A container with delegated users is in a namespace that systemd-nsresourced(8) knows, and so it is held back from making files
// whose owners it would outlive: since systemd 262, as users of any range that is handed out, in a file system that was not mounted
// inside. So these get others, by an id-mapped mount.
func (s *Supervisor) newTemporary(attributes uint64, list ...kernel.Option) (kernel.Tree, error) {
	owner := fmt.Sprint(s.plan.Users.onTemporary())
	tree, err := kernel.NewFileSystem("tmpfs", attributes, append(options("uid", owner, "gid", owner), list...)...)
	if err != nil {
		return tree, err
	}
	if err := s.mapTemporary(tree); err != nil {
		tree.Close()
		return tree, err
	}
	return tree, nil
}

// mapTemporary shows a temporary file system as the container's users, and those delegated to it.
func (s *Supervisor) mapTemporary(tree kernel.Tree) error {
	if s.plan.Users.Delegate == 0 {
		return nil
	}
	users, err := kernel.NewIDMaps(s.temporaryUsers(), s.temporaryUsers())
	if err != nil {
		return err
	}
	defer users.Close()
	err = tree.MapIDs(users, false)
	if errors.As(err, &kernel.UnmappableError{}) {
		err = fmt.Errorf("%w: that needs Linux 6.3", err)
	}
	if err != nil {
		return at(&s.plan.Settings, "Exec.PrivateUsersDelegate", err)
	}
	return nil
}

// warnOfOverlays says what [Supervisor.newTemporary] cannot help: the kernel id-maps no overlay.
func (p *Plan) warnOfOverlays() {
	const text = "%s: with --private-users-delegate= no files can be made in an overlay since systemd 262"
	s := &p.Settings
	if s.Files.Volatile == "overlay" {
		p.warn(text, s.Origin("Files.Volatile"))
	}
	for _, overlay := range s.Files.Overlays {
		if !overlay.ReadOnly {
			p.warn(text, overlay.Origin)
		}
	}
	if stack := p.Options.Stack; stack != nil && stack.HasOverlay() && !s.Files.ReadOnly {
		p.warn(text, "--mstack")
	}
}

// temporaryUsers are the owners in temporary file systems, and who they are. The host's root may make files there, too.
func (s *Supervisor) temporaryUsers() []kernel.IDExtent {
	users := []kernel.IDExtent{{From: foreignUsers, To: s.plan.Users.Start, Count: s.plan.Users.Count}, {From: mappedRoot, To: 0, Count: 1}}
	for i, start := range s.delegated {
		users = append(users, kernel.IDExtent{From: delegatedOnDisk + uint32(i)*UserRange, To: start, Count: UserRange})
	}
	return users
}

// serviceNodes are the mount points of the sockets, and the links by which programs find them.
func (s *Supervisor) serviceNodes() (nodes []kernel.Node) {
	if len(s.services) == 0 {
		return nil
	}
	for _, directory := range []string{"systemd", "systemd/userdb", "varlink", "varlink/registry"} {
		nodes = append(nodes, kernel.Node{Path: directory, Mode: kernel.Directory | 0o755})
	}
	for i, service := range s.services {
		nodes = append(nodes, kernel.Node{Path: "host/" + service.name, Mode: kernel.Regular})
		places := []string{"systemd/%s", "varlink/registry/%s", "systemd/userdb/%s"}
		if i > 0 { // knows no users
			places = places[:2]
		}
		for _, place := range places {
			nodes = append(nodes, kernel.Node{Path: fmt.Sprintf(place, service.name), Mode: kernel.Link, Link: shownServices + service.name})
		}
	}
	return nodes
}
