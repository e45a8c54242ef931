package network

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Hop is one of the ways of a route that has several: MultiPathRoute= of [Route].
type Hop struct {
	Gateway   netip.Addr `json:"gateway,omitzero"` // zero: the destination is on the link
	Interface string     `json:"-"`                // name or index, as the file has it; empty: the link that the file is for
	Link      int        `json:"link"`             // its index; 0: not looked up yet
	Weight    int        `json:"weight"`           // from 1 to 256: the share of connections that goes this way
}

// addHop takes one more way; an empty value takes all back. A bad one is not left out: the rest would carry what it was to carry.
func addHop(f *File, value string) error {
	r := f.route()
	if value == "" {
		r.route.Hops = nil
		return r.wrongIf(f.key, nil)
	}
	hop, err := parseHop(value)
	if err == nil && slices.ContainsFunc(r.route.Hops, func(h Hop) bool { return h.Gateway == hop.Gateway && h.Interface == hop.Interface }) {
		err = errors.New("an earlier one leads the same way")
	}
	if err != nil {
		r.wrong = f.key
		return err
	}
	r.route.Hops = append(r.route.Hops, hop)
	return nil
}

// parseHop takes GATEWAY, @LINK or GATEWAY@LINK, and a weight behind that.
func parseHop(value string) (Hop, error) {
	fields := strings.Fields(value)
	hop := Hop{Weight: 1}
	gateway, name, named := strings.Cut(fields[0], "@")
	if gateway != "" || !named {
		var err error
		if hop.Gateway, err = parseHost(gateway); err != nil || hop.Gateway.IsUnspecified() {
			return Hop{}, errors.New("not GATEWAY, @LINK or GATEWAY@LINK, and a weight")
		}
	}
	if hop.Interface = name; named && !validLinkName(name) {
		return Hop{}, errors.New("not the name or index of a link behind \"@\"")
	}
	if len(fields) > 1 {
		weight, err := strconv.ParseUint(fields[1], 10, 16)
		if err != nil || weight < 1 || weight > 256 || len(fields) > 2 {
			return Hop{}, errors.New("not a weight from 1 to 256")
		}
		hop.Weight = int(weight)
	}
	return hop, nil
}

// validLinkName reports whether text can be the index, the name or an alternative name of a link.
func validLinkName(text string) bool {
	if index, err := strconv.ParseUint(text, 10, 31); err == nil {
		return index > 0
	}
	if len(text) > maxAltName {
		return false
	}
	err := ValidInterfaceName(text[:min(len(text), maxInterfaceName)])
	return err == nil && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/:%", r) })
}

// family returns a gateway that tells the family of the route: all hops are of one, or it is IPv4 by gateways of IPv6.
func (r *StaticRoute) family() (gateway netip.Addr) {
	for _, hop := range r.Hops {
		if hop.Gateway.IsValid() && (!gateway.IsValid() || hop.Gateway.Is4()) {
			gateway = hop.Gateway
		}
	}
	return gateway
}

// hasGateway reports whether the route, or a hop of it, has a gateway of the kind.
func (r *StaticRoute) hasGateway(fits func(netip.Addr) bool) bool {
	return r.Gateway.IsValid() && fits(r.Gateway) || slices.ContainsFunc(r.Hops, func(h Hop) bool { return h.Gateway.IsValid() && fits(h.Gateway) })
}

// NeedsIPv6 reports whether a link without IPv6 cannot have the route.
func (r StaticRoute) NeedsIPv6() bool {
	return r.Destination.Addr().Is6() || r.hasGateway(netip.Addr.Is6)
}

// Divisible reports whether some of the hops may be there without the others: the kernel has each of IPv6 as a route of its own.
func (r StaticRoute) Divisible() bool { return len(r.Hops) > 0 && r.Destination.Addr().Is6() }

// Equal reports whether the kernel would say the same of both.
func (r StaticRoute) Equal(other StaticRoute) bool { return reflect.DeepEqual(r, other) }

// ContainsRoute reports whether a list has the route.
func ContainsRoute(list []StaticRoute, r StaticRoute) bool { return slices.ContainsFunc(list, r.Equal) }

// SortHops puts the hops in the one order in which they are compared.
func SortHops(hops []Hop) {
	slices.SortFunc(hops, func(a, b Hop) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Gateway.Compare(b.Gateway), cmp.Compare(a.Weight, b.Weight))
	})
}

// over returns the route with the links of its hops looked up, for the file of link l; not ok: one does not exist, or is down.
func (r StaticRoute) over(l Link, links []Link) (route StaticRoute, ok bool) {
	if len(r.Hops) == 0 {
		return r, true
	}
	r.Hops = slices.Clone(r.Hops)
	for i := range r.Hops {
		hop := &r.Hops[i]
		out := l
		if hop.Interface != "" {
			at := slices.IndexFunc(links, func(other Link) bool { return other.is(hop.Interface) })
			if at < 0 {
				return r, false
			}
			out = links[at]
		}
		if hop.Link, hop.Interface = out.Index, ""; !out.Up {
			return r, false
		}
	}
	SortHops(r.Hops)
	if len(r.Hops) == 1 {
		r.Hops[0].Weight = 1 // to the kernel it is a route of one hop, which has none
	}
	return r, true
}

// Waits reports whether the route cannot be yet, as a link that it leads over is not there.
func (r StaticRoute) Waits(l Link, links []Link) bool {
	_, ok := r.over(l, links)
	return l.Up && !ok
}

// RoutesThere returns those of the kernel's routes, by link, that are among the wanted ones, or in the way of them.
func (l Link) RoutesThere(all map[int][]StaticRoute, wanted []StaticRoute) []StaticRoute {
	there := slices.Concat(all[l.Index], all[0])
	for _, r := range wanted {
		if len(r.Hops) != 1 {
			continue
		}
		for _, plain := range all[r.Hops[0].Link] {
			plain.Hops = []Hop{{Gateway: plain.Gateway, Link: r.Hops[0].Link, Weight: 1}}
			plain.Gateway = netip.Addr{}
			there = append(there, plain)
		}
	}
	return there
}

// is reports whether text is the name, an alternative name, or the index of the link.
func (l *Link) is(text string) bool {
	return l.Name == text || slices.Contains(l.AltNames, text) || strconv.Itoa(l.Index) == text
}

func (h Hop) String() string {
	text := "nexthop"
	if h.Gateway.IsValid() {
		text += " via " + h.Gateway.String()
	}
	switch {
	case h.Interface != "":
		text += " dev " + h.Interface
	case h.Link != 0:
		text += " dev " + strconv.Itoa(h.Link)
	}
	return fmt.Sprintf("%s weight %d", text, h.Weight)
}
