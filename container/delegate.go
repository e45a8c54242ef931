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
