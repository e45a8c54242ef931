package manager

import (
	"net/netip"

	"nspawnkit/network"
)

// guard says what keeps the containers on the links from sending in the name of others and from reaching what they may not. Links that
// are systemd-networkd's, or somebody else's, are guarded just the same.
func (m *Manager) guard(want *network.Firewall) {
	links := make([]network.Link, 0, len(m.links))
	byName := make(map[string]network.Link, len(m.links))
	for _, l := range m.links {
		links = append(links, l.Link)
		byName[l.Name] = l.Link
	}
	want.Access = network.NewAccess(links, m.machines)
	want.Guard = network.NewGuard(links, m.machines, func(l network.Link) bool {
		file := m.links[l.Index].file
		return file != nil && file.Config.Server.PoolSize > 0 // see serverConfig
	}, func(bridge string, to network.HardwareAddr) netip.Addr { return m.Lease(byName[bridge], to) })
}

// updateBridge brings the table of bridges up to date after the other one, which holds want now.
func (m *Manager) updateBridge(want network.Firewall) error {
	before := m.table
	m.table = nil
	if before == nil || !before.Guard.Bridge.Equal(want.Guard.Bridge) {
		if err := m.Firewall.ReplaceBridge(want.Guard.Bridge); err != nil {
			return err
		}
	}
	m.table = &want
	return nil
}
