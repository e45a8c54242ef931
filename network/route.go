package network

import (
	"net/netip"
	"slices"
)

// Route is what the kernel says about a route of any table.
type Route struct {
	Destination netip.Prefix
	Link        int  // index of the link that it goes out of; 0: none, as with "blackhole"
	Advertised  bool // an IPv6 router advertised it (RTPROT_RA)
}

// Destinations returns where the routes lead that do not go out of the link with index except.
func Destinations(routes []Route, except int) []netip.Prefix {
	var list []netip.Prefix
	for _, r := range routes {
		if r.Link != except {
			list = append(list, r.Destination)
		}
	}
	return list
}

// Overlap returns a route that has addresses in common with the subnet of the link with index own, if there is one: the host does not
// reach them over that route, or containers do not reach what is behind it. Routes out of the links in ours are left out.
func Overlap(subnet netip.Prefix, routes []Route, ours []int) (Route, bool) {
	for _, r := range routes {
		if !slices.Contains(ours, r.Link) && overlapsAny(subnet, []netip.Prefix{r.Destination}) {
			return r, true
		}
	}
	return Route{}, false
}
