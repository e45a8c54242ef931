package manager

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// How long a container may take to its lease, from when its side of the link is up, and to bring that up in the first place: a slow
// boot is no problem.
const (
	leaseWait   = 10 * time.Second
	carrierWait = time.Minute
)

// problem is something that goes wrong on a link although the link is as it is to be; empty: nothing.
type problem string

// set takes note of what is wrong now, and reports it when that is new.
func (p *problem) set(text string, report func(text string)) {
	if text != "" && text != string(*p) {
		report(text)
	}
	*p = problem(text)
}

// meet begins to look after a link.
func (m *Manager) meet(found network.Link) *link {
	before, known := m.previous[found.Index]
	l := &link{since: m.Now(), earlier: known && before.Name == found.Name, ours: before.addressesOf(found.Name)}
	if before.Name == found.Name {
		l.routes, l.nextHops, l.settings = before.Routes, before.NextHops, before.AddressSettings
	}
	l.Carrier = found.Carrier
	m.links[found.Index] = l
	return l
}

// forgetPrevious ends what is known of an earlier process, of whose links some have gone meanwhile.
func (m *Manager) forgetPrevious() {
	for index, before := range m.previous {
		if l := m.links[index]; l == nil || l.Name != before.Name {
			m.leaveRoutes(before.Routes, before.NextHops)
		}
	}
	m.previous = nil
}

// meetAll takes over what the kernel says of all links that are served.
func (m *Manager) meetAll(list []network.Link) {
	for _, found := range list {
		if !found.Served() {
			continue
		}
		l := m.links[found.Index]
		if l == nil {
			l = m.meet(found)
		}
		l.update(found, m.Now())
	}
}

// update takes over what the kernel says of a link.
func (l *link) update(found network.Link, now time.Time) {
	if l.Carrier != found.Carrier {
		l.since = now
	}
	l.Link = found
}

// RoutesChanged says that the routes of the host may have changed. It may be called from any goroutine; the next look goes into it.
func (m *Manager) RoutesChanged() { m.routes.Store(true) }

// findProblems finds out what goes wrong on the links, and reports what is new. It returns how long to wait until the next look.
func (m *Manager) findProblems(list []network.Link) (next time.Duration) {
	next = idle
	m.findOverlaps(list)
	m.findDeclines()
	for _, found := range list {
		l := m.links[found.Index]
		if l == nil {
			continue
		}
		text, wait := m.missingLease(l)
		l.noLease.set(text, func(text string) { m.Report(Warning, l.Name+": "+text) })
		next = min(next, wait)
	}
	return next
}

// missingLease says why the container at the other end of a link has no lease yet, if it should have one by now.
func (m *Manager) missingLease(l *link) (text string, next time.Duration) {
	server, client := m.serverOf(l)
	if server == nil || server.config.RelayTarget.IsValid() || l.leased || m.machines.HasFixed(l.Name, netip.Addr.Is4) {
		l.declined = netip.Addr{}
		return "", idle
	}
	limit := leaseWait
	if !l.Carrier {
		limit = carrierWait
	}
	since := l.since
	if server.since.After(since) {
		since = server.since
	}
	waited := m.Now().Sub(since)
	if waited < limit {
		return "", limit - waited
	}
	outcome := server.Outcome(client)
	l.declined = outcome.Declined
	switch {
	case outcome.Leased && (outcome.Heard || l.earlier):
		l.leased = true
		return "", idle
	case !l.Carrier:
		return fmt.Sprintf("no lease after %v: the container's side of the link is down: no network client runs in the container", limit), waited
	case !outcome.Asked:
		return fmt.Sprintf("no lease after %v: %v: no network client runs in the container, or a firewall of the host drops UDP port 67", limit, outcome), waited
	}
	return fmt.Sprintf("no lease after %v: %v", limit, outcome), waited // look again when it has waited twice as long
}

// serverOf returns the DHCP server that the container at the other end of a link asks, and the container's hardware address; the zero
// address where only one container is there.
func (m *Manager) serverOf(l *link) (*server, dhcp.HardwareAddr) {
	if strings.HasPrefix(l.Name, network.VethPrefix) {
		return l.server, dhcp.HardwareAddr{}
	}
	_, end := m.machines.OfLink(l.Name)
	if end == nil || end.Bridge == "" {
		return nil, dhcp.HardwareAddr{}
	}
	hardware, err := network.ParseHardwareAddr(end.ContainerMAC)
	if err != nil {
		return nil, dhcp.HardwareAddr{}
	}
	for _, bridge := range m.links {
		if bridge.Name == end.Bridge {
			return bridge.server, dhcp.HardwareAddr(hardware)
		}
	}
	return nil, dhcp.HardwareAddr{}
}

// findOverlaps looks for routes that have come since subnets were chosen and lead to the same addresses: those of a VPN, say.
func (m *Manager) findOverlaps(list []network.Link) {
	if !m.routes.Swap(false) {
		return
	}
	routes, err := m.Links.Routes()
	if err != nil {
		m.Report(Warning, err.Error())
		return
	}
	names := map[int]string{}
	for _, l := range list {
		names[l.Index] = l.Name
	}
	routes = slices.DeleteFunc(routes, func(r network.Route) bool { return m.links[r.Link] != nil })
	for _, l := range m.links {
		text := ""
		if route, found := network.Overlap(l.subnet, routes); found && l.subnet.IsValid() {
			text = fmt.Sprintf("subnet %v overlaps the route to %v through %s, which came later: change the subnet with: networkd-lite renumber %s",
				l.subnet, route.Destination, linkText(names[route.Link]), l.Name)
		}
		l.overlap.set(text, func(text string) { m.Report(Warning, l.Name+": "+text) })
	}
}

// linkText is the name of any link of the host as it may stand in a message.
func linkText(name string) string {
	switch {
	case name == "":
		return "no link"
	case network.ValidInterfaceName(name) != nil:
		return strconv.Quote(name)
	}
	return name
}

// problems returns what goes wrong on a link.
func (l *link) problems() []string {
	var list []string
	for _, p := range []problem{l.noLease, l.overlap} {
		if p != "" {
			list = append(list, string(p))
		}
	}
	return list
}
