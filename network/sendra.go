package network

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"nspawnkit/network/ra"
	"nspawnkit/settings"
)

// IPv6SendRA is IPv6SendRA= of [Network], with the [IPv6SendRA], [IPv6Prefix], [IPv6RoutePrefix] and [IPv6PREF64Prefix] sections.
type IPv6SendRA struct {
	Enabled bool
	section section // that enables it

	HopLimit       uint8
	Managed, Other bool
	Preference     ra.Preference
	RouterLifetime time.Duration
	ReachableTime  time.Duration
	Retransmit     time.Duration

	HomeAgent           bool
	HomeAgentLifetime   time.Duration // 0: that of the router
	HomeAgentPreference uint16

	Uplink      string // name or index of a link, ":auto" or ":none"
	EmitDNS     bool
	DNS         []netip.Addr // as the file has them; "::" stands for the link-local address ("_link_local"). None: those of the uplink.
	EmitDomains bool
	Domains     []string // none: those of the uplink
	DNSLifetime time.Duration

	Prefixes []IPv6Prefix
	Routes   []IPv6RoutePrefix
	PREF64   []IPv6PREF64Prefix
}

// IPv6Prefix is an [IPv6Prefix] section.
type IPv6Prefix struct {
	ra.Prefix
	Assign bool       // the link has an address of it
	Token  netip.Addr // the low bits of that address; zero: EUI-64

	section section
}

// IPv6RoutePrefix is an [IPv6RoutePrefix] section.
type IPv6RoutePrefix struct {
	ra.Route
	section section
}

// IPv6PREF64Prefix is an [IPv6PREF64Prefix] section.
type IPv6PREF64Prefix struct {
	ra.PREF64
	section section
}

// defaultHopLimit is that of RFC 1700, which RFC 4861, section 6.2.1, refers to.
const defaultHopLimit = 64

// defaultSendRA has the defaults of systemd.network(5).
func defaultSendRA() IPv6SendRA {
	return IPv6SendRA{
		HopLimit: defaultHopLimit, RouterLifetime: 30 * time.Minute, Uplink: ":auto", EmitDNS: true, EmitDomains: true, DNSLifetime: time.Hour,
	}
}

// DefaultPrefix returns how a prefix is advertised where the file says nothing else: with the defaults of [IPv6Prefix].
func DefaultPrefix(p netip.Prefix) ra.Prefix {
	return ra.Prefix{Prefix: p.Masked(), OnLink: true, Autonomous: true, Preferred: 30 * time.Minute, Valid: time.Hour}
}

// finishSendRA drops what cannot be used, each with a problem.
func (f *File) finishSendRA() {
	s := &f.Config.SendRA
	if s.Enabled && !f.Config.LinkLocal.IPv6 {
		s.Enabled = false
		f.Problems = append(f.Problems, settings.Problem{
			Origin: s.section.origin, Text: "[Network] IPv6SendRA=: not in effect without an IPv6 link-local address, see LinkLocalAddressing=",
		})
	}
	seen := map[netip.Prefix]bool{}
	keep := func(s section, key string, p netip.Prefix) bool {
		switch {
		case !p.IsValid():
			f.drop(s, "has no "+key+"=")
			return false
		case seen[p]:
			f.drop(s, fmt.Sprintf("an earlier one is for %v already", p))
			return false
		}
		seen[p] = true
		return true
	}
	s.Prefixes = filter(s.Prefixes, func(p IPv6Prefix) bool {
		switch {
		case p.Valid < p.Preferred:
			f.drop(p.section, "PreferredLifetimeSec= is longer than ValidLifetimeSec=")
			return false
		case p.Assign && !p.Token.IsValid() && p.Prefix.Prefix.Bits() > 64:
			f.drop(p.section, "Assign= needs a prefix of at most 64 bits, or Token=static:ADDRESS")
			return false
		}
		return keep(p.section, "Prefix", p.Prefix.Prefix)
	})
	clear(seen)
	s.Routes = filter(s.Routes, func(r IPv6RoutePrefix) bool { return keep(r.section, "Route", r.Prefix) })
	clear(seen)
	s.PREF64 = filter(s.PREF64, func(p IPv6PREF64Prefix) bool { return keep(p.section, "Prefix", p.Prefix) })
}

// filter returns the elements that are kept.
func filter[E any](list []E, keep func(E) bool) []E {
	var kept []E
	for _, e := range list {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// assigned returns the addresses that the link has by Assign= of [IPv6Prefix].
func (s *IPv6SendRA) assigned(l Link) []netip.Prefix {
	if !s.Enabled {
		return nil
	}
	var list []netip.Prefix
	for _, p := range s.Prefixes {
		token := p.Token
		if !token.IsValid() {
			token = eui64(l.HardwareAddr)
		}
		if p.Assign && token.IsValid() {
			list = append(list, netip.PrefixFrom(combine(p.Prefix.Prefix, token), p.Prefix.Prefix.Bits()))
		}
	}
	return list
}

// eui64 returns "::" and the interface identifier of an Ethernet address (RFC 4291, appendix A), or nothing where there is none.
func eui64(mac HardwareAddr) netip.Addr {
	if mac == (HardwareAddr{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte{8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// combine returns the upper bits of p with the lower ones of token.
func combine(p netip.Prefix, token netip.Addr) netip.Addr {
	address, low := p.Masked().Addr().As16(), token.As16()
	ofToken := netip.PrefixFrom(token, p.Bits()).Masked().Addr().As16()
	for i := range address {
		address[i] |= low[i] ^ ofToken[i]
	}
	return netip.AddrFrom16(address)
}

// Advertisement returns what the router on the link says. chosen is the prefix for Address=::/N; zero: none. uplink says which servers
// and domains a link of the host has.
func (s *IPv6SendRA) Advertisement(l Link, chosen netip.Prefix, uplink func(name string) Uplink) *ra.Advertisement {
	a := &ra.Advertisement{
		HopLimit: s.HopLimit, Managed: s.Managed, Other: s.Other, Preference: s.Preference,
		RouterLifetime: s.RouterLifetime, ReachableTime: s.ReachableTime, RetransTimer: s.Retransmit,
		LinkLayerAddress: l.HardwareAddr, MTU: uint32(l.MTU), DNSLifetime: s.DNSLifetime,
	}
	if s.HomeAgent {
		a.HomeAgent = &ra.HomeAgent{Preference: s.HomeAgentPreference, Lifetime: s.HomeAgentLifetime}
		if s.HomeAgentLifetime == 0 {
			a.HomeAgent.Lifetime = s.RouterLifetime
		}
	}
	if chosen.IsValid() {
		a.Prefixes = append(a.Prefixes, DefaultPrefix(chosen))
	}
	for _, p := range s.Prefixes {
		a.Prefixes = append(a.Prefixes, p.Prefix)
	}
	for _, r := range s.Routes {
		a.Routes = append(a.Routes, r.Route)
	}
	for _, p := range s.PREF64 {
		a.PREF64 = append(a.PREF64, p.PREF64)
	}
	s.addNames(a, l, uplink)
	return a
}

// addNames adds DNS servers and search domains.
func (s *IPv6SendRA) addNames(a *ra.Advertisement, l Link, uplink func(name string) Uplink) {
	var up Uplink
	if s.EmitDNS && len(s.DNS) == 0 || s.EmitDomains && len(s.Domains) == 0 {
		up = uplink(s.Uplink)
	}
	if s.EmitDNS {
		for _, server := range s.DNS {
			if server.IsUnspecified() {
				server = l.LinkLocal
			}
			a.DNS = append(a.DNS, server)
		}
		if len(s.DNS) == 0 {
			a.DNS = up.DNS6
		}
	}
	if s.EmitDomains {
		a.Domains = s.Domains
		if len(s.Domains) == 0 {
			a.Domains = up.Domains
		}
	}
}

// FreePrefix returns the size of the free IPv6 prefix that the file asks for with Address=::/N, if it does.
func (c *Config) FreePrefix() (bits int, wanted bool) {
	for _, a := range c.Addresses {
		if a.Addr().IsUnspecified() && a.Addr().Is6() {
			return a.Bits(), true
		}
	}
	return 0, false
}

// errNoPrefix is about a value that is no prefix of hosts.
var errNoPrefix = errors.New("not an IPv6 PREFIX/LENGTH of unicast addresses")

// parseIPv6Prefix takes a prefix of unicast addresses that routers forward.
func parseIPv6Prefix(value string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(value)
	a := p.Addr()
	if err != nil || !a.Is6() || a.Is4In6() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return netip.Prefix{}, errNoPrefix
	}
	return p.Masked(), nil
}
