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
	m.unsaved = m.unsaved || changed
	l.subnet = subnet
	return nil
}

// chooseSubnets chooses the subnets and IPv6 prefixes of all links that are to have one, and writes them down together, before anybody
// gets an address of them. Where that fails reconcile says why.
func (m *Manager) chooseSubnets(list []network.Link) {
	for _, found := range list {
		l := m.links[found.Index]
		if l == nil || l.again.After(m.Now()) || m.Owner.Manages(l.Index) {
			continue
		}
		if file, _ := m.files.Find(l.Link); file != nil {
			m.chooseSubnet(l, &file.Config, list)
			m.choosePrefix(l, &file.Config, list)
		}
	}
	m.saveChosen()
}

// saveChosen writes down what was chosen since it was called last.
func (m *Manager) saveChosen() {
	if m.unsaved {
		m.unsaved = false
		m.saveSubnets()
	}
	if m.unsavedPrefixes {
		m.unsavedPrefixes = false
		m.savePrefixes()
	}
}

// routesNow returns the routes of the host as of this look, but for those that it makes itself.
func (m *Manager) routesNow() ([]network.Route, error) {
	if m.routeList != nil {
		return m.routeList, nil
	}
	routes, err := m.Links.Routes()
	if err == nil {
		m.routeList = routes
	}
	return routes, err
}

// used returns what addresses everything else on the host has and reaches.
func (m *Manager) used(l *link, list []network.Link) ([]netip.Prefix, error) {
	routes, err := m.routesNow()
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
