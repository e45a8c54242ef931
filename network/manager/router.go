package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"nspawnkit/network"
	"nspawnkit/network/ra"
)

// router advertises the host on a link.
type router struct {
	says *ra.Advertisement
	from netip.Addr
	stop func(cause error)
	failure
}

// advertise starts router advertisements on a link, changes what they say, or stops them, as the link's state says. They wait for a
// link-local address to come from, which the kernel tells of.
func (m *Manager) advertise(l *link) error {
	s := &l.file.Config.SendRA
	if !s.Enabled || !l.LinkLocal.IsValid() || l.noIPv6 != "" {
		l.stopRouter(ra.ErrWithdrawn)
		return nil
	}
	if err := l.routerError(); err != nil {
		return err
	}
	host := m.hostNow()
	says := s.Advertisement(l.Link, l.prefix, host.Uplink6)
	l.advertiseNames(says, s)
	if l.router != nil && l.router.from == l.LinkLocal && reflect.DeepEqual(l.router.says, says) {
		return nil
	}
	l.stopRouter(nil) // hosts keep what they know until they hear what is new
	failure := m.newFailure()
	stop, err := m.Router(l.Link, says, failure.report)
	if err != nil {
		return fmt.Errorf("router advertisements: %w", err)
	}
	l.router = &router{says: says, from: l.LinkLocal, stop: stop, failure: failure}
	return nil
}

// advertiseNames has containers use the DNS server of the link, unless the file names others. Until it has an IPv6 address they are told of
// none: what they heard once they would go on using.
func (l *link) advertiseNames(a *ra.Advertisement, s *network.IPv6SendRA) {
	if len(l.names) == 0 || !s.EmitDNS || len(s.DNS) > 0 || s.Uplink != ":auto" {
		return
	}
	a.DNS = nil
	for _, own := range append(slices.Clone(l.state.Addresses), netip.PrefixFrom(l.LinkLocal, 64)) {
		if own.Addr().Is6() && l.servesNames(own.Addr()) {
			a.DNS = []netip.Addr{own.Addr()}
			break
		}
	}
	if s.EmitDomains && len(s.Domains) == 0 {
		a.Domains = append(slices.Clone(a.Domains), l.suffix)
	}
}

// routerError returns why router advertisements have ended by themselves, once.
func (l *link) routerError() error {
	if l.router == nil {
		return nil
	}
	err := l.router.take()
	if err != nil {
		l.stopRouter(nil)
		err = fmt.Errorf("router advertisements: %w", err)
	}
	return err
}

// stopRouter ends router advertisements: with [ra.ErrWithdrawn], hosts are told that there is no router any more.
func (l *link) stopRouter(cause error) {
	if l.router != nil {
		l.router.stop(cause)
		l.router = nil
	}
}

// dropIPv6 leaves out of what a link is to have what it cannot have without IPv6. Somebody who switched that off meant it.
func (m *Manager) dropIPv6(l *link, s *network.IPv6SendRA, want *network.State) {
	isIPv6 := func(a netip.Prefix) bool { return a.Addr().Is6() }
	l.noIPv6 = ""
	if !s.Enabled && !slices.ContainsFunc(want.Addresses, isIPv6) && !slices.ContainsFunc(want.Routes, network.StaticRoute.NeedsIPv6) &&
		!slices.ContainsFunc(want.NextHops, func(n network.NextHop) bool { return n.IPv6 }) {
		return
	}
	name := "net/ipv6/conf/" + l.Name + "/disable_ipv6"
	value, err := m.Sysctls.Get(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.noIPv6 = "no IPv6 on this host"
	case strings.TrimSpace(value) == "1":
		l.noIPv6 = "no IPv6 (sysctl " + name + "=1)"
	default:
		return
	}
	want.Addresses = slices.DeleteFunc(want.Addresses, isIPv6)
	want.NextHops = slices.DeleteFunc(slices.Clone(want.NextHops), func(n network.NextHop) bool { return n.IPv6 })
	want.Routes = slices.DeleteFunc(slices.Clone(want.Routes), network.StaticRoute.NeedsIPv6)
}
