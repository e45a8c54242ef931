// Package resolved tells systemd-resolved where to ask for the names of containers, so that programs on the host know them, too.
//
// It stands beside network/networkd, since it asks another program over D-Bus instead of the kernel: [Choose] decides what is to be told,
// [Client] tells it.
package resolved

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"nspawnkit/network"
	"nspawnkit/network/names"
)

// Route says whom to ask for what over a link.
type Route struct {
	network.LinkResolving
	Unsigned bool // nobody signs what the servers say (DNSSEC)
}

// OfFile is what the .network file of a link says.
func OfFile(l network.LinkResolving) Route { return Route{LinkResolving: l} }

// ofNames says that a server of the host's, on the link, knows the names of containers below some domains, and nothing else.
func ofNames(l *names.Link, domains []string) Route {
	r := Route{network.LinkResolving{Index: l.Index, Name: l.Name}, true}
	r.DNS, r.DefaultRoute = []network.NameServer{{Address: l.Resolver}}, network.No
	for _, domain := range domains {
		r.Domains = append(r.Domains, network.SearchDomain{Name: domain, RoutingOnly: true})
	}
	return r
}

// Choose picks a link for each domain of names: every server of the host's knows all of them, and systemd-resolved would ask all links at
// once. What was chosen before stays as long as it can, and links without a
// Resolver are not considered.
func Choose(links []names.Link, before []Route) []Route {
	var routes []Route
	add := func(l *names.Link) {
		taken := slices.ContainsFunc(routes, func(r Route) bool { return r.Domains[0].Name == l.Suffix })
		if !l.Resolver.IsValid() || taken {
			return
		}
		routes = append(routes, ofNames(l, append([]string{l.Suffix}, reverseDomains(links, l.Suffix)...)))
	}
	for _, r := range before {
		for i := range links {
			if links[i].Index == r.Index && links[i].Name == r.Name {
				add(&links[i])
			}
		}
	}
	for i := range links {
		add(&links[i])
	}
	slices.SortFunc(routes, func(a, b Route) int { return a.Index - b.Index })
	return routes
}

func ipv4(l *names.Link) (netip.Prefix, bool) {
	for _, a := range l.Addresses {
		if a.Addr().Is4() {
			return a, true
		}
	}
	return netip.Prefix{}, false
}

// reverseDomains are those of the addresses on the links with a suffix, as far as a subnet is a domain of its own (RFC 1035, section 3.5):
// what is in a larger one is somebody else's.
func reverseDomains(links []names.Link, suffix string) []string {
	var domains []string
	for i := range links {
		a, ok := ipv4(&links[i])
		if !ok || links[i].Suffix != suffix || a.Bits()%8 != 0 || a.Bits() == 0 {
			continue
		}
		ip := a.Addr().As4()
		var labels []string
		for j := a.Bits()/8 - 1; j >= 0; j-- {
			labels = append(labels, strconv.Itoa(int(ip[j])))
		}
		domains = append(domains, strings.Join(labels, ".")+".in-addr.arpa")
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

func (r Route) equal(other Route) bool {
	return r.Unsigned == other.Unsigned && r.LinkResolving.Equal(other.LinkResolving)
}
