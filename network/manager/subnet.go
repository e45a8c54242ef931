package manager

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nspawnkit/network"
)

// chooseSubnet chooses the subnet for Address=0.0.0.0/N, once for the life of the link.
func (m *Manager) chooseSubnet(l *link, c *network.Config, list []network.Link) error {
	bits, wanted := c.FreeSubnet()
	if !wanted {
		l.subnet = netip.Prefix{}
		return nil
	}
	if l.subnet.IsValid() && l.subnet.Bits() == bits {
		return nil
	}
	used := m.chosen(l)
	// A container that runs keeps what it has whatever routes have come meanwhile: networkd-lite renumber is for these.
	if last, ok := m.subnets.Chosen(l.Name); !ok || !carries(l, last) {
		others, err := m.used(l, list)
		if err != nil {
			return err
		}
		used = append(used, others...)
	}
	return m.choose(l, bits, l.Addresses, used)
}

// choose chooses a subnet that has nothing in common with used, and writes it down.
func (m *Manager) choose(l *link, bits int, carried, used []netip.Prefix) error {
	subnet, changed, err := m.subnets.Choose(l.Name, bits, carried, used, m.Now())
	if err != nil {
		return err
	}
	if changed {
		m.saveSubnets() // before anybody gets an address of it
	}
	l.subnet = subnet
	return nil
}

// used returns what addresses everything else on the host has and reaches.
func (m *Manager) used(l *link, list []network.Link) ([]netip.Prefix, error) {
	routes, err := m.Links.Routes()
	if err != nil {
		return nil, err
	}
	used := append(network.Destinations(routes, l.Index), m.files.Prefixes()...)
	for _, other := range list {
		if other.Index != l.Index {
			used = append(used, other.Addresses...)
		}
	}
	return used, nil
}

// chosen returns the subnets of all other links.
func (m *Manager) chosen(l *link) []netip.Prefix {
	var used []netip.Prefix
	for _, other := range m.links {
		if other != l && other.subnet.IsValid() {
			used = append(used, other.subnet)
		}
	}
	return used
}

func carries(l *link, subnet netip.Prefix) bool {
	return slices.ContainsFunc(l.Addresses, func(a netip.Prefix) bool { return a.Masked() == subnet })
}

// renumber gives a link another subnet in place of the one that was chosen for it. Its containers lose their carrier for a moment,
// and ask for an address again.
func (m *Manager) renumber(name string, list []network.Link) error {
	for _, l := range m.links {
		if l.Name != name || !l.subnet.IsValid() {
			continue
		}
		used, err := m.used(l, list)
		if err != nil {
			return err
		}
		used = append(used, append(m.chosen(l), l.subnet)...)
		if err := m.choose(l, l.subnet.Bits(), nil, used); err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		l.flap, l.leased, l.earlier, l.since, l.again = true, false, false, m.Now(), time.Time{}
		m.RoutesChanged()
		return nil
	}
	return fmt.Errorf("no subnet was chosen for the link %q", name)
}
