package manager

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"nspawnkit/network"
)

// choosePrefix chooses the prefix for Address=::/N, once for the life of the link.
func (m *Manager) choosePrefix(l *link, c *network.Config, list []network.Link) error {
	bits, wanted := c.FreePrefix()
	if !wanted {
		l.prefix = netip.Prefix{}
		return nil
	}
	if l.prefix.IsValid() {
		l.prefix = netip.PrefixFrom(l.prefix.Addr(), bits)
		return nil
	}
	used := m.files.Prefixes()
	for _, other := range m.links {
		if other != l && other.prefix.IsValid() {
			used = append(used, other.prefix)
		}
	}
	// A container that runs keeps what it has whatever routes have come meanwhile.
	if last, ok := m.prefixes.Chosen(l.Name); !ok || !carries(l, last) {
		routes, err := m.routes6Now()
		if err != nil {
			return err
		}
		used = append(used, network.Destinations(routes, l.Index)...)
		for _, other := range list {
			if other.Index != l.Index {
				used = append(used, other.Addresses...)
			}
		}
	}
	prefix, changed, err := m.prefixes.Choose(l.Name, l.Addresses, used, m.Random, m.Now())
	if err != nil {
		return err
	}
	m.unsavedPrefixes = m.unsavedPrefixes || changed
	l.prefix = netip.PrefixFrom(prefix.Addr(), bits)
	return nil
}

// routes6Now returns the IPv6 routes of the host as of this look, but for those that it makes itself.
func (m *Manager) routes6Now() ([]network.Route, error) {
	if m.routeList6 != nil {
		return m.routeList6, nil
	}
	routes, err := m.Routes6()
	if err == nil {
		m.routeList6 = routes
	}
	return routes, err
}

// loadPrefixes reads the prefixes that were chosen earlier. A file that cannot be read is kept under another name; links that are
// up keep their prefix even so.
func (m *Manager) loadPrefixes() {
	data, err := m.State.Load(PrefixesFile)
	if err == nil && data != nil {
		if err = json.Unmarshal(data, &m.prefixes); err != nil {
			err = fmt.Errorf("%w, kept as %s.bad", err, PrefixesFile)
			m.State.Save(PrefixesFile+".bad", data)
		}
	}
	if err != nil {
		m.Report(Error, fmt.Sprintf("read %s: %v", PrefixesFile, err))
	}
}

// savePrefixes writes the chosen prefixes. A container gets its address even if they cannot be kept.
func (m *Manager) savePrefixes() {
	data, err := json.MarshalIndent(&m.prefixes, "", "\t")
	if err == nil {
		err = m.State.Save(PrefixesFile, data)
	}
	if err != nil {
		m.Report(Error, fmt.Sprintf("save %s: %v", PrefixesFile, err))
	}
}
