package manager

import (
	"net/netip"
	"slices"
	"strings"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// withFixed returns the configuration of a link with the host's side of the fixed addresses that containers behind it have. On a link
// of one container such an address takes the place of the free subnet that would be chosen otherwise.
func (m *Manager) withFixed(l network.Link, c network.Config) network.Config {
	if l.Kind == "bridge" {
		return c
	}
	for _, container := range m.machines.FixedOf(l.Name) {
		for _, fixed := range container.Addresses {
			free := slices.IndexFunc(c.Addresses, func(a netip.Prefix) bool {
				return a.Addr().IsUnspecified() && a.Addr().Is4() && fixed.Addr().Is4()
			})
			if free >= 0 && !covered(c.Addresses, fixed) {
				c.Replace(c.Addresses[free], network.HostSide(fixed))
			}
		}
	}
	return c
}

// fixedSides adds to addresses, which the host's side of a link is to have, those for containers with fixed addresses of other networks.
func (m *Manager) fixedSides(l network.Link, addresses []netip.Prefix) []netip.Prefix {
	for _, container := range m.machines.FixedOf(l.Name) {
		for _, fixed := range container.Addresses {
			if !covered(addresses, fixed) {
				addresses = append(slices.Clone(addresses), network.HostSide(fixed))
			}
		}
	}
	return addresses
}

// covered reports whether the host's side has an address in the network of a container's.
func covered(addresses []netip.Prefix, fixed netip.Prefix) bool {
	return slices.ContainsFunc(addresses, func(a netip.Prefix) bool {
		return !a.Addr().IsUnspecified() && a.Masked().Contains(fixed.Addr())
	})
}

// addFixed reserves the fixed addresses of containers behind a link: a DHCP client that runs in one gets what it has already, and
// nobody else gets it. A reservation of a .network file counts more.
func addFixed(config *dhcp.Config, link string, machines network.Machines) {
	for _, container := range machines.FixedOf(link) {
		hardware, err := network.ParseHardwareAddr(container.ContainerMAC)
		if err != nil {
			continue
		}
		for _, fixed := range container.Addresses {
			taken := slices.ContainsFunc(config.StaticLeases, func(s dhcp.StaticLease) bool {
				return s.Address == fixed.Addr() || s.MACAddress == dhcp.HardwareAddr(hardware)
			})
			if !taken && assignable(config.ServerAddress, fixed.Addr()) {
				config.StaticLeases = append(config.StaticLeases, dhcp.StaticLease{MACAddress: dhcp.HardwareAddr(hardware), Address: fixed.Addr()})
			}
		}
		if servers := only4(container.DNS); len(servers) > 0 && strings.HasPrefix(link, network.VethPrefix) {
			config.DNS = servers
		}
	}
}

// assignable reports whether a DHCP server with that address may give the other one to a client.
func assignable(server netip.Prefix, address netip.Addr) bool {
	return server.Contains(address) && server.Contains(address.Next()) && address != server.Addr() && address != server.Masked().Addr()
}

func only4(addresses []netip.Addr) (list []netip.Addr) {
	for _, a := range addresses {
		if a.Is4() {
			list = append(list, a)
		}
	}
	return list
}
