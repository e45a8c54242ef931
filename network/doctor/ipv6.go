package doctor

import (
	"net/netip"
	"slices"
	"strings"
)

// IPv6 are the facts about the same way for IPv6.
type IPv6 struct {
	Off        string // why the link has none, where somebody wants it so; empty: it has
	Advertises bool   // the .network file has IPv6SendRA=yes
	Forwards   bool   // it has IPv6 forwarded

	Inside        Inside6
	Advertisement Advertisement
	Gateway       Reachable
	ReverseLink   string // as that of IPv4
	Foreign       []Foreign
	WayOut        bool // the host has a default route
	Outside       []Path
	DNS           []Path // to the servers that are advertised
	Ports         []Port
}

// Inside6 is the container's side of the link.
type Inside6 struct {
	Off        string         // why it has none; empty: it has
	Ignores    bool           // the kernel takes no router advertisements: a network client does, or nobody
	Addresses  []netip.Prefix // without link-local ones, and those that cannot be used
	Duplicates []netip.Addr   // somebody else on the link has them
	Router     netip.Addr     // of the default route; zero: none
}

// Advertisement is what came of a router solicitation from inside.
type Advertisement struct {
	Tried    bool
	Router   netip.Addr // whose it is; zero: no answer
	Default  bool       // it is a default router
	Prefixes []netip.Prefix
	DNS      []netip.Addr
}

// Sysctls6 returns the paths of the kernel parameters that are wanted for IPv6.
func Sysctls6() []string { return []string{forwardingAll6} }

const forwardingAll6 = "net/ipv6/conf/all/forwarding"

// steps6 are those about IPv6, where there is any.
func steps6() []step {
	return []step{
		{"ra", advertisement}, {"container6", container6}, {"reverse6", reverse6}, {"gateway6", gateway6}, {"forwarding6", forwarding6},
		{"masquerade6", masquerade6}, {"firewall6", firewall6}, {"outside6", outside6}, {"dns6", dns6}, {"ports6", ports6},
	}
}

// reverse6 comes before gateway6: also what the host says of its hardware address (RFC 4861, section 7.2.4) takes the way back.
func reverse6(f *Facts) Hop { return f.reverse(f.IPv6.Inside.Addresses, f.IPv6.ReverseLink) }

func gateway6(f *Facts) Hop { return f.IPv6.Gateway.hop("neighbour discovery") }

func firewall6(f *Facts) Hop { return f.forwards(f.IPv6.Foreign, f.IPv6.lost()) }

func address6(f *Facts) Hop {
	isIPv6 := func(p netip.Prefix) bool { return p.Addr().Is6() }
	isGlobal := func(p netip.Prefix) bool { return isIPv6(p) && !p.Addr().IsLinkLocalUnicast() }
	switch addresses := f.Server.Addresses; {
	case !f.Server.Exists:
		return unknown("not tried")
	case f.IPv6.Off != "":
		return unknown("no IPv6: %s", f.IPv6.Off)
	case slices.ContainsFunc(addresses, isGlobal):
		return ok("%s has %v", f.Server.Name, addresses[slices.IndexFunc(addresses, isGlobal)])
	case slices.ContainsFunc(addresses, isIPv6):
		return ok("%s has a link-local address alone", f.Server.Name)
	}
	return fail(readLog, "%s has no IPv6 address on the host", f.Server.Name)
}

func advertisement(f *Facts) Hop {
	heard, status := f.IPv6.Advertisement, f.Server.Status
	switch {
	case !heard.Tried:
		return unknown("not tried")
	case heard.Router.IsValid() && !f.isHost(heard.Router):
		return fail("tcpdump -eni "+f.Server.Name+" icmp6", "%v advertises itself as a router, not %s", heard.Router, f.Server.Name)
	case heard.Router.IsValid() && len(heard.Prefixes) == 0:
		return ok("%s advertises no prefix", f.Server.Name)
	case heard.Router.IsValid():
		return ok("%s advertises %s", f.Server.Name, list(heard.Prefixes))
	case status != nil && status.Owner == "systemd-networkd":
		return unknown("systemd-networkd advertises nothing")
	case !f.IPv6.Advertises:
		return unknown("the .network file of %s does not say IPv6SendRA=yes", f.Server.Name)
	}
	if input := chains(f.IPv6.Foreign, true); len(input) > 0 {
		return fail(input[0].Allow, "no answer to a router solicitation from %s: %s (%s) may drop what comes in", f.Inside.Interface, input[0].Chain, input[0].Rule)
	}
	return fail(readLog+"; nft list ruleset", "no answer to a router solicitation from %s: nobody advertises, or a firewall of the host drops ICMPv6", f.Inside.Interface)
}

// isHost reports whether an address is the host's on the link.
func (f *Facts) isHost(a netip.Addr) bool {
	return slices.ContainsFunc(f.Server.Addresses, func(own netip.Prefix) bool { return own.Addr() == a })
}

// list puts prefixes into words.
func list(prefixes []netip.Prefix) string {
	var words []string
	for _, p := range prefixes {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

func container6(f *Facts) Hop {
	in, name, heard := f.IPv6.Inside, f.Inside.Interface, f.IPv6.Advertisement
	const look = "ip -6 address; sysctl -a -r 'ipv6.conf.*(accept_ra|autoconf)$' (in the container)"
	switch {
	case !f.Inside.Found || !f.Inside.Up:
		return unknown("not tried")
	case in.Off != "":
		return unknown("%s has no IPv6: %s", name, in.Off)
	case len(in.Addresses) == 0 && len(in.Duplicates) > 0:
		return fail("networkd-lite names; ip -6 neighbour", "somebody else on the link has %v, which %s was to have", in.Duplicates[0], name)
	case len(in.Addresses) == 0 && len(heard.Prefixes) == 0:
		return unknown("%s has no IPv6 address: no prefix is advertised", name)
	case len(in.Addresses) == 0 && in.Ignores:
		return unknown("%s has no IPv6 address: the container takes no router advertisements (sysctl net/ipv6/conf/%[1]s/accept_ra=0)", name)
	case len(in.Addresses) == 0:
		return fail(look, "%s has no IPv6 address although %s advertises %s", name, f.Server.Name, list(heard.Prefixes))
	case in.Router.IsValid() && f.isHost(in.Router):
		return ok("%s has %v, default route by %s", name, in.Addresses[0], f.Server.Name)
	case in.Router.IsValid():
		return ok("%s has %v, default route by %v", name, in.Addresses[0], in.Router)
	case heard.Default && !in.Ignores:
		return fail(look, "%s has %v, but the container has no default route for IPv6", name, in.Addresses[0])
	}
	return ok("%s has %v, no default route", name, in.Addresses[0])
}

func forwarding6(f *Facts) Hop {
	value, known := f.Sysctls[forwardingAll6]
	switch {
	case !known:
		return unknown("not known")
	case value == "1":
		return ok("the host forwards packets")
	case !f.IPv6.Forwards:
		return unknown("IPv6 is not forwarded, and no .network file of networkd-lite asks for it")
	}
	return fail("sysctl -w "+forwardingAll6+"=1; grep -r forward /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d", "sysctl %s is %s: the host forwards nothing", forwardingAll6, value)
}

func masquerade6(f *Facts) Hop {
	s := f.Server.Status
	return f.masquerades(s != nil && s.Masquerade6, f.Table.Masquerades6)
}

// reaches reports whether a packet from inside reaches the target, which the host's does.
func (p Path) reaches() bool {
	return p.Inside == Answer || p.Inside == Refused && p.Host == Refused // who refuses a connection is there
}

// lost reports whether packets of the container get lost on the host.
func (i *IPv6) lost() bool {
	return !slices.ContainsFunc(i.Outside, Path.reaches) &&
		slices.ContainsFunc(i.Outside, func(p Path) bool { return p.Host == Answer || p.Host == Refused })
}

func outside6(f *Facts) Hop {
	i := f.IPv6
	if at := slices.IndexFunc(i.Outside, Path.reaches); at >= 0 {
		return ok("%s answers the container", i.Outside[at].Target)
	}
	s := f.Server.Status
	switch {
	case len(i.Inside.Addresses) == 0:
		return unknown("not tried")
	case !i.WayOut:
		return unknown("the host has no default route for IPv6")
	case !i.Forwards && f.Sysctls[forwardingAll6] != "1":
		return unknown("IPv6 is not forwarded")
	case s != nil && s.Owner == "networkd-lite" && !s.Masquerade6 && i.Inside.Addresses[0].Addr().IsPrivate():
		return unknown("%v is private, and not masqueraded", i.Inside.Addresses[0].Addr())
	case len(i.Outside) == 0:
		return unknown("no IPv6 address beyond the host is known: it has a link-local router, and no DNS server there")
	case i.lost():
		at := slices.IndexFunc(i.Outside, func(p Path) bool { return p.Host == Answer || p.Host == Refused })
		target := i.Outside[at].Target
		return fail("nft list ruleset; tcpdump -ni any host "+target, "%s answers the host, but not the container", target)
	}
	return unknown("%s does not answer, the host neither", i.Outside[len(i.Outside)-1].Target)
}

func dns6(f *Facts) Hop {
	if f.IPv6.Advertisement.Router.IsValid() && len(f.IPv6.Advertisement.DNS) == 0 {
		return unknown("%s advertises no DNS server", f.Server.Name)
	}
	return answers(f.IPv6.DNS)
}

// ports6 lets a service that listens for IPv4 alone be: it is reached that way.
func ports6(f *Facts) Hop {
	alone := func(p Port) bool {
		return p.Inside == Refused && slices.ContainsFunc(f.Ports, func(p4 Port) bool { return p4.Container == p.Container && p4.Inside == Answer })
	}
	list := slices.DeleteFunc(slices.Clone(f.IPv6.Ports), alone)
	if len(list) == 0 && len(f.IPv6.Ports) > 0 {
		return unknown("the services in the container listen for IPv4 alone")
	}
	return published(list)
}
