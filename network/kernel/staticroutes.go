package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// StaticRoutes returns the routes with RTPROT_STATIC, of every table, by the link that they go out of. Those of several hops are somebody
// else's.
func (k *Links) StaticRoutes() (map[int][]network.StaticRoute, error) {
	filter := &netlink.Route{Protocol: unix.RTPROT_STATIC}
	routes, err := k.handle.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list static routes: %w", err)
	}
	list := map[int][]network.StaticRoute{}
	for i := range routes {
		if len(routes[i].MultiPath) == 0 && (routes[i].Family == unix.AF_INET || routes[i].Family == unix.AF_INET6) {
			list[routes[i].LinkIndex] = append(list[routes[i].LinkIndex], staticRouteOf(&routes[i]))
		}
	}
	return list, nil
}

// staticRouteOf reads a route of the kernel.
func staticRouteOf(r *netlink.Route) network.StaticRoute {
	s := network.StaticRoute{
		GatewayOnLink: r.Flags&unix.RTNH_F_ONLINK != 0, Metric: uint32(r.Priority), Table: uint32(r.Table), Scope: uint8(r.Scope), Type: uint8(r.Type),
	}
	s.Destination = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if r.Family == unix.AF_INET {
		s.Destination = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	if r.Dst != nil {
		if bits, _ := r.Dst.Mask.Size(); bits > 0 { // the library writes 0.0.0.0 of a default route in 16 bytes
			addr, _ := netip.AddrFromSlice(r.Dst.IP)
			s.Destination = netip.PrefixFrom(addr, bits)
		}
	}
	s.Gateway, _ = netip.AddrFromSlice(r.Gw)
	if via, ok := r.Via.(*netlink.Via); ok {
		s.Gateway, _ = netip.AddrFromSlice(via.Addr)
	}
	s.PreferredSource, _ = netip.AddrFromSlice(r.Src)
	return s
}

// routeMessage is a route as the kernel takes it.
func routeMessage(l network.Link, s network.StaticRoute) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: l.Index, Protocol: unix.RTPROT_STATIC, Priority: int(s.Metric), Table: int(s.Table), Scope: netlink.Scope(s.Scope), Type: int(s.Type),
		Dst: &net.IPNet{IP: s.Destination.Addr().AsSlice(), Mask: net.CIDRMask(s.Destination.Bits(), s.Destination.Addr().BitLen())},
	}
	if s.GatewayOnLink {
		r.Flags = unix.RTNH_F_ONLINK
	}
	switch {
	case s.Gateway.Is6() && s.Destination.Addr().Is4(): // RFC 8950
		r.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: s.Gateway.AsSlice()}
	case s.Gateway.IsValid():
		r.Gw = s.Gateway.AsSlice()
	}
	if s.PreferredSource.IsValid() {
		r.Src = s.PreferredSource.AsSlice()
	}
	return r
}

// ApplyRoutes removes and adds routes of the link. It goes on after an error: each is a thing of its own. Routes of others stay.
func (k *Links) ApplyRoutes(l network.Link, d network.RouteDifference) error {
	var problems []error
	for _, s := range d.Remove {
		if err := k.handle.RouteDel(routeMessage(l, s)); err != nil && !errors.Is(err, unix.ESRCH) {
			problems = append(problems, fail("remove route", s, err))
		}
	}
	for _, s := range d.Add {
		if err := k.handle.RouteAdd(routeMessage(l, s)); err != nil {
			problems = append(problems, fail("add route", s, explainRoute(err, s)))
		}
	}
	return errors.Join(problems...)
}

// explainRoute says what to do about an error of the kernel.
func explainRoute(err error, s network.StaticRoute) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("somebody else's route has the same destination, table and Metric=%d: %w", s.Metric, err)
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return fmt.Errorf("the gateway is in no subnet of the link, and GatewayOnLink= is off: %w", err)
	case errors.Is(err, unix.EINVAL) && s.PreferredSource.IsValid():
		return fmt.Errorf("the host may not have the address PreferredSource=%v: %w", s.PreferredSource, err)
	}
	return err
}
