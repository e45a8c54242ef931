package container

import (
	"fmt"
	"net/netip"

	"nspawnkit/network"
	"nspawnkit/network/kernel/link"
)

// setAddresses gives host0 its fixed addresses, and routes to the host's side of the link.
func (s *Supervisor) setAddresses() error {
	conn, inside, err := s.openLinks()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer inside.Close()
	l := s.plan.Machine.Links[0]
	var there []netip.Prefix
	if l.Bridge != "" {
		if there, err = conn.Addresses(l.Bridge); err != nil {
			return err
		}
	}
	err = inside.Configure(link.Configuration{Name: l.Container, Addresses: l.Addresses, Routers: routers(l.Addresses, there)})
	if err != nil {
		return fmt.Errorf("%s: %w", s.plan.Settings.Origin("Network.Address"), err)
	}
	return nil
}

// routers returns where the default routes of a container with these addresses go, one of IPv4 and one of IPv6 at most: to the address
// of the bridge in the same network, of those that are there, or else to the one that networkd-lite gives the host's side.
func routers(fixed, there []netip.Prefix) (routers []netip.Addr) {
	found := map[bool]bool{}
	for _, address := range fixed {
		if is4 := address.Addr().Is4(); !found[is4] {
			found[is4] = true
			routers = append(routers, router(address, there))
		}
	}
	return routers
}

func router(container netip.Prefix, there []netip.Prefix) netip.Addr {
	for _, host := range there {
		if container.Contains(host.Addr()) && host.Addr() != container.Addr() {
			return host.Addr()
		}
	}
	return network.HostSide(container).Addr()
}
