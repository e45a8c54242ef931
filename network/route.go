package network

import "net/netip"

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

// Overlap returns a route that has addresses in common with a subnet, if there is one: the host does not reach them over that route, or
// containers do not reach what is behind it. routes are those out of links that are not ours.
func Overlap(subnet netip.Prefix, routes []Route) (Route, bool) {
	for _, r := range routes {
		if overlapsAny(subnet, []netip.Prefix{r.Destination}) {
			return r, true
		}
	}
	return Route{}, false
}
