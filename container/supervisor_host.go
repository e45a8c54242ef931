package container

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/network"
	"nspawnkit/network/kernel/link"
)

// Priorities of syslog(3).
const (
	Error   = 3
	Warning = 4
	Notice  = 5
	Info    = 6
	Debug   = 7
)

// clearStale removes what a container of this name left that was killed together with its supervisor. Nobody else uses the
// name: it is locked.
func (s *Supervisor) clearStale() error {
	if s.plan.Options.Register != "no" {
		if err := clearRecord(s.plan.Settings.Machine); err != nil {
			return err
		}
	}
	if err := removeStaleTemporaries(s.plan.Settings.Machine); err != nil {
		return err
	}
	if err := removeReceiverSockets(s.plan.Settings.Machine); err != nil {
		return err
	}
	if err := sweepCopies(s.plan.place()); err != nil {
		s.log(Warning, fmt.Sprintf("cannot remove what a killed container left, ignoring: %v", err))
	}
	if err := cleanLinks(s.plan.Settings.Machine); err != nil { // it may have had others than this one has
		return err
	}
	return removeLinks(s.plan.Machine)
}

// anyLink reports whether one of the links is there, or may have left a bridge.
func anyLink(machine network.Machine) bool {
	return slices.ContainsFunc(machine.Links, func(l network.MachineLink) bool {
		return strings.HasPrefix(l.Bridge, network.ZonePrefix) || link.Exists(l.Host)
	})
}

func removeLinks(machine network.Machine) error {
	if !anyLink(machine) {
		return nil
	}
	conn, err := link.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	var problems []error
	for _, l := range machine.Links {
		address, err := net.ParseMAC(l.HostMAC)
		if err != nil {
			return fmt.Errorf("link %s: %w", l.Host, err)
		}
		problems = append(problems, conn.RemoveVeth(l.Host, address))
		if strings.HasPrefix(l.Bridge, network.ZonePrefix) {
			_, err := conn.RemoveBridge(l.Bridge)
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func vethFor(l network.MachineLink, pid int) (link.Veth, error) {
	host, err := net.ParseMAC(l.HostMAC)
	if err != nil {
		return link.Veth{}, err
	}
	container, err := net.ParseMAC(l.ContainerMAC)
	if err != nil {
		return link.Veth{}, err
	}
	return link.Veth{
		Name: l.Host, Addr: host, PeerName: l.Container, PeerAddr: container, PeerPID: pid,
		Bridge: l.Bridge, Zone: strings.HasPrefix(l.Bridge, network.ZonePrefix),
	}, nil
}

// hostSys returns what is mounted as /sys where the container's users may not mount sysfs, because its network is not theirs: that of
// the host, or a new one for a network namespace that the container enters.
func (s *Supervisor) hostSys() (sys kernel.Tree, err error) {
	if s.network == nil {
		return kernel.CloneTree("/sys", false)
	}
	err = kernel.InNetwork(s.network, func() error {
		sys, err = kernel.NewFileSystem("sysfs", 0)
		return err
	})
	return sys, err
}

// onHost calls do where the mounts of the host are. Only with disk images that is another thread, which takes a while.
func (s *Supervisor) onHost(do func() error) error {
	if !s.plan.Inside.Images {
		return do()
	}
	return kernel.OnHost(do)
}

// openRootTree makes the detached mount that becomes the container's root.
func (s *Supervisor) openRootTree() (err error) {
	if s.plan.Options.Stack != nil {
		return nil // its directories are opened where they are put together
	}
	if s.root, err = kernel.CloneTree(s.plan.Settings.Directory, true); err != nil {
		return err
	}
	if s.plan.Users.mapped() {
		if err = s.mapRootTree(); err != nil {
			err = at(&s.plan.Settings, s.plan.ownershipKey(), fmt.Errorf("%w; write --private-users-ownership=chown to change owners instead", err))
		}
	}
	return err
}

// mappedRoot is the user on disk that the host's root makes files as in an id-mapped root, for a moment: "machinectl copy-to" then
// gives them to the container's root. Nobody inside is this user (https://systemd.io/UIDS-GIDS).
const mappedRoot = 1<<31 - 2

// mapRootTree shows the root directory in the container's range, and lets the host's root write to it.
func (s *Supervisor) mapRootTree() error {
	extents := []kernel.IDExtent{{From: s.plan.Users.OnDisk, To: s.plan.Users.Start, Count: s.plan.Users.Count}}
	if uint64(s.plan.Users.OnDisk)+uint64(s.plan.Users.Count) <= mappedRoot || s.plan.Users.OnDisk > mappedRoot {
		extents = append(extents, kernel.IDExtent{From: mappedRoot, To: 0, Count: 1})
	}
	users, err := kernel.NewIDMaps(extents, extents)
	if err != nil {
		return err
	}
	defer users.Close()
	return s.root.MapIDs(users, true)
}

func (s *Supervisor) mapTree(tree kernel.Tree, recursive bool) error {
	users, err := s.child.OpenNamespace("user")
	if err != nil {
		return err
	}
	defer users.Close()
	return tree.MapIDs(users, recursive)
}

// mapFrom maps a tree whose files belong to the range of the given owner, that of shared images or the host's own.
func (s *Supervisor) mapFrom(owner uint32, tree kernel.Tree, recursive bool) error {
	if rangeOnDisk(owner) != foreignUsers {
		return s.mapTree(tree, recursive)
	}
	users, err := kernel.NewIDMap(foreignUsers, s.plan.Users.Start, s.plan.Users.Count)
	if err != nil {
		return err
	}
	defer users.Close()
	return tree.MapIDs(users, recursive)
}
