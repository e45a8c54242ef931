package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nspawnkit/container/kernel"
	"nspawnkit/network"
	"nspawnkit/network/kernel/link"
	"nspawnkit/settings"
)

// upper is a link of the container on top of one of the host's, for MACVLAN= or IPVLAN=. It is gone with the container's network
// namespace, so nobody is told.
type upper struct {
	link   link.Upper
	origin settings.Origin
}

// describeUppers names the links and addresses as systemd-nspawn does.
func describeUppers(s *settings.Settings, id [16]byte) (uppers []upper) {
	for i, pair := range s.Network.MACVLAN {
		u := newUpper("macvlan", network.MACVLANPrefix, pair)
		u.link.Addr = network.MACVLANHardwareAddr(id, s.Machine, uint64(i))
		uppers = append(uppers, u)
	}
	for _, pair := range s.Network.IPVLAN {
		uppers = append(uppers, newUpper("ipvlan", network.IPVLANPrefix, pair))
	}
	return uppers
}

func newUpper(kind, prefix string, pair settings.InterfacePair) upper {
	u := upper{link.Upper{Kind: kind, Parent: pair.Host, Name: pair.Container}, pair.Origin}
	if u.link.Name == "" {
		u.link.Name, u.link.AltName = network.HostLinkName(prefix, pair.Host)
	}
	return u
}

// describeInterfaces lists what is moved into the container.
func describeInterfaces(s *settings.Settings) (interfaces []network.MachineInterface) {
	for _, pair := range s.Network.Interfaces {
		interfaces = append(interfaces, network.MachineInterface{Host: pair.Host, Container: pair.Container})
	}
	return interfaces
}

// findInterfaces waits until the interfaces to be moved are there for it.
func (s *Supervisor) findInterfaces() error {
	conn, err := link.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	for i := range s.plan.Machine.Interfaces {
		if err := conn.FindToMove(&s.plan.Machine.Interfaces[i]); err != nil {
			return fmt.Errorf("%s: %w", s.plan.Settings.Network.Interfaces[i].Origin, err)
		}
	}
	return nil
}

// openNetwork opens the network namespace that the container enters.
func (s *Supervisor) openNetwork() error {
	return s.onHost(func() (err error) {
		if s.network, err = kernel.OpenNetwork(s.plan.Settings.Network.NamespacePath); err != nil {
			err = at(&s.plan.Settings, "Network.NamespacePath", err)
		}
		return err
	})
}

// createUppers creates links on top of those of the host.
func (s *Supervisor) createUppers() error {
	conn, inside, err := s.openLinks()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer inside.Close()
	for _, u := range s.plan.uppers {
		u.link.PID = s.child.PID
		if err := conn.CreateUpper(u.link, inside); err != nil {
			return fmt.Errorf("%s: %w", u.origin, err)
		}
		if u.link.Kind != "macvlan" {
			continue
		}
		switch err := inside.WaitAddress(u.link.Name); {
		case errors.Is(err, link.ErrAddressInUse):
			s.log(Warning, fmt.Sprintf("%s: %v: another link on %s has it, which may belong to an old container of this name", u.origin, err, u.link.Parent))
		case err != nil:
			return err
		}
	}
	return nil
}

// openLinks connects to the links of the host and to those of the container.
func (s *Supervisor) openLinks() (host, inside *link.Conn, err error) {
	namespace, err := s.child.OpenNamespace("net")
	if err != nil {
		return nil, nil, err
	}
	defer namespace.Close()
	if inside, err = link.OpenAt(namespace); err != nil {
		return nil, nil, err
	}
	if host, err = link.Open(); err != nil {
		inside.Close()
	}
	return host, inside, err
}

// keptNetworks is where network namespaces with interfaces of the host are kept, so that these are not lost with who should have given
// them back: the kernel destroys virtual ones with their namespace, and gives others back under the container's name, if at all.
const keptNetworks = "/run/nspawnkit/netns"

func keptNetwork(machine string) string { return filepath.Join(keptNetworks, machine) }

// moveInterfaces moves interfaces of the host into the container. What the machine state says of them is complete before the payload,
// which may rename them, runs.
func (s *Supervisor) moveInterfaces() error {
	machine := s.plan.Settings.Machine
	if err := s.onHost(func() error { return s.child.KeepNetwork(keptNetwork(machine)) }); err != nil {
		return err
	}
	conn, inside, err := s.openLinks()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer inside.Close()
	for i := range s.plan.Machine.Interfaces {
		if err := conn.MoveIn(&s.plan.Machine.Interfaces[i], s.child.PID, inside); err != nil {
			return fmt.Errorf("%s: %w", s.plan.Settings.Network.Interfaces[i].Origin, err)
		}
	}
	return s.writeMachine()
}

// giveInterfacesBack moves the interfaces that a container had of the host back, and lets its network namespace go. What cannot be moved
// stays where it is, for a second try.
func giveInterfacesBack(machine network.Machine) error {
	path := keptNetwork(machine.Name)
	if _, err := os.Stat(path); len(machine.Interfaces) == 0 || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	namespace, err := kernel.OpenNetwork(path)
	if err != nil { // killed before it was mounted, so nothing was moved either
		return kernel.ReleaseNetwork(path)
	}
	defer namespace.Close()
	conn, err := link.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	var problems []error
	for _, m := range machine.Interfaces {
		problems = append(problems, conn.MoveBack(m, namespace))
	}
	if err := errors.Join(problems...); errors.Is(err, os.ErrExist) {
		return err
	} else if err != nil {
		return errors.Join(err, kernel.ReleaseNetwork(path))
	}
	return kernel.ReleaseNetwork(path)
}

func (r *Running) giveInterfacesBack() error {
	if r.Links == nil {
		return nil
	}
	return giveInterfacesBack(*r.Links)
}
