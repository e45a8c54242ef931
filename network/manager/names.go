package manager

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/names"
)

// DNS serves the names of containers.
type DNS interface {
	// Open opens the DNS server at an address of a link, until stop. It needs no goroutine of its own, and calls failed as [DHCP] does.
	Open(l network.Link, address netip.Addr, failed func(error)) (stop func(), err error)
	// Update says which containers there are, and returns those that cannot be found by their name.
	Update(machines network.Machines, links []names.Link) (conflicts []string)
}

// nameState is what a manager knows of its DNS servers.
type nameState struct {
	said  map[string]bool // warnings that are said once
	retry bool            // a server could not be opened in the latest look
	wait  time.Duration   // until the next attempt
}

// nameServer is the DNS server at one address of a link.
type nameServer struct {
	address netip.Addr
	stop    func()
	failure
}

// serveNames starts and stops the DNS servers of a link so that each of its addresses has one, where its file has a DHCP server that
// tells containers of it: whether that is ours or systemd-networkd's.
func (m *Manager) serveNames(ctx context.Context, l *link, file *network.File, addresses []netip.Prefix) {
	if m.DNS == nil {
		return
	}
	if file == nil || !file.Config.DHCPServer {
		l.stopNames()
		return
	}
	l.suffix = names.Suffix(file)
	l.stopNamesIf(func(s *nameServer) bool {
		return !slices.ContainsFunc(addresses, func(a netip.Prefix) bool { return a.Addr() == s.address })
	})
	for _, a := range addresses {
		m.openNames(ctx, l, a.Addr())
	}
}

// openNames starts the DNS server at an address, unless it runs. It is no failure of the link that it cannot.
func (m *Manager) openNames(ctx context.Context, l *link, address netip.Addr) {
	if ctx.Err() != nil {
		return // the end of the daemon, which ends its servers too
	}
	if at := l.nameServer(address); at >= 0 {
		err := l.names[at].take()
		if err == nil {
			return
		}
		m.Report(Warning, fmt.Sprintf("%s: DNS server: %v", l.Name, err))
		l.stopNamesIf(func(s *nameServer) bool { return s.address == address })
	}
	failure := m.newFailure()
	stop, err := m.DNS.Open(l.Link, address, failure.report)
	if err != nil {
		m.nameFailed(err)
		return
	}
	l.names = append(l.names, &nameServer{address, stop, failure})
}

const portTaken = "port 53 is taken by another DNS server, which listens on all addresses: containers get the host's DNS servers, and cannot find each other by name. " +
	"Let it listen on its own addresses only (networkd-lite doctor says which program it is, and how), then: systemctl reload networkd-lite"

// nameFailed takes note of a DNS server that could not be opened. Each reason is reported once until the next reload; another attempt
// follows.
func (m *Manager) nameFailed(err error) {
	m.naming.retry = true
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return // an IPv6 address that the kernel still looks for on the link (RFC 4862, section 5.4), or one that has just gone
	}
	text := err.Error()
	if errors.Is(err, syscall.EADDRINUSE) {
		text = portTaken
	}
	m.warnOnce(text)
}

// retryNames returns how long to wait before what could not be opened is tried again: soon at first, as the kernel is done with a new
// address in a second or two.
func (m *Manager) retryNames() time.Duration {
	if !m.naming.retry {
		m.naming.wait = 0
		return idle
	}
	m.naming.wait = min(max(2*m.naming.wait, firstWait), longestWait)
	return m.naming.wait
}

// warnOnce reports something that is not about a line of a file, once until the next reload.
func (m *Manager) warnOnce(text string) {
	if !m.naming.said[text] {
		m.naming.said[text] = true
		m.Report(Warning, text)
	}
}

// updateNames tells the DNS servers which containers there are.
func (m *Manager) updateNames() {
	if m.DNS == nil {
		return
	}
	var links []names.Link
	for _, l := range m.links {
		if l.suffix != "" {
			served := l.Link
			served.Addresses = union(l.state.Addresses, l.Addresses)
			links = append(links, names.Link{Link: served, Suffix: l.suffix, Resolver: m.resolverOf(l)})
		}
	}
	slices.SortFunc(links, func(a, b names.Link) int { return a.Index - b.Index })
	for _, conflict := range m.DNS.Update(m.machines, links) {
		m.warnOnce(conflict)
	}
}

// resolverOf returns where the host's own resolver may ask for the names.
func (m *Manager) resolverOf(l *link) netip.Addr {
	if l.file != nil && !l.file.Config.Resolving.Empty() {
		return netip.Addr{} // the file says whom to ask over this link
	}
	for _, a := range l.state.Addresses {
		if a.Addr().Is4() && l.servesNames(a.Addr()) && !m.Owner.Manages(l.Index) {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// servesNames reports whether the link has a DNS server at the address.
func (l *link) servesNames(address netip.Addr) bool { return l.nameServer(address) >= 0 }

// nameServer returns where in l.names the DNS server at an address is; -1: there is none.
func (l *link) nameServer(address netip.Addr) int {
	return slices.IndexFunc(l.names, func(s *nameServer) bool { return s.address == address })
}

// nameAddresses returns the addresses at which the link has a DNS server, in order.
func (l *link) nameAddresses() (addresses []netip.Addr) {
	for _, s := range l.names {
		addresses = append(addresses, s.address)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses
}

// offerNames has the DHCP server tell containers of the DNS server of the link, unless the file names others.
func (l *link) offerNames(config *dhcp.Config, s *network.DHCPServer) {
	address := config.ServerAddress.Addr()
	if !l.servesNames(address) || !s.DNS.Emit || len(s.DNS.Addresses) > 0 || s.Uplink != ":auto" {
		return
	}
	config.DNS = []netip.Addr{address}
	if s.NoDomain {
		return
	}
	config.Search = []string{l.suffix}
	if config.Domain == "" {
		config.Domain = l.suffix
	} else {
		config.Search = []string{config.Domain, l.suffix}
	}
}

// stopNamesIf ends DNS servers of the link.
func (l *link) stopNamesIf(ends func(*nameServer) bool) {
	l.names = slices.DeleteFunc(l.names, func(s *nameServer) bool {
		if !ends(s) {
			return false
		}
		s.stop()
		return true
	})
}

// stopNames ends all DNS servers of the link.
func (l *link) stopNames() {
	l.stopNamesIf(func(*nameServer) bool { return true })
	l.suffix = ""
}
