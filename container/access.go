package container

import (
	"errors"
	"strings"

	"nspawnkit/network"
	"nspawnkit/settings"
)

// decideAccess tells networkd-lite what the container may reach, and refuses what nobody would see to.
func decideAccess(p *Plan, host *Host) error {
	s := &p.Settings
	access := s.Network.HostAccess
	if len(s.Network.ZoneAccess) > 0 {
		if err := accessible(s); err != nil {
			return at(s, "Network.ZoneAccess", err)
		}
		p.Machine.ZoneAccess = s.Network.ZoneAccess
	}
	if !access.Limited {
		return nil
	}
	if err := accessible(s); err != nil {
		return at(s, "Network.HostAccess", err)
	}
	if !host.HasNetworkdLite {
		start := "start networkd-lite"
		if p.Options.HasSystemd {
			start = "systemctl " + start
		}
		return at(s, "Network.HostAccess", errors.New("networkd-lite does not run, so nothing would keep the container from services of the host: "+start))
	}
	p.Machine.HostAccess = &network.MachineAccess{Ports: make([]network.MachinePortRange, 0, len(access.Ports))}
	for _, r := range access.Ports {
		p.Machine.HostAccess.Ports = append(p.Machine.HostAccess.Ports, network.MachinePortRange{Protocol: r.Protocol, First: r.First, Last: r.Last})
	}
	return nil
}

// accessible says why networkd-lite does not know packets of the container, or returns nil.
func accessible(s *settings.Settings) error {
	if !s.Network.VirtualEthernet && len(s.Network.VirtualEthernetExtra) == 0 {
		return errors.New("needs VirtualEthernet= or Zone=")
	}
	if s.Network.Bridge != "" {
		return errors.New("does not go with Bridge=, whose bridge is not the container's own: use Zone=")
	}
	for _, extra := range s.Network.VirtualEthernetExtra {
		if !strings.HasPrefix(extra.Host, network.VethPrefix) {
			return errors.New("needs a link that begins with \"ve-\" in VirtualEthernetExtra=" + extra.Host)
		}
	}
	return nil
}
