package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Routes6 returns all IPv6 routes, of every table but that of the host's own addresses.
func (k *Links) Routes6() ([]network.Route, error) {
	routes, err := k.conn.Route.List()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var list []network.Route
	for _, m := range routes {
		if m.Family != unix.AF_INET6 || m.Table == unix.RT_TABLE_LOCAL {
			continue
		}
		addr, ok := netip.AddrFromSlice(m.Attributes.Dst)
		if !ok {
			addr = netip.IPv6Unspecified() // the default route has no RTA_DST
		}
		route := network.Route{
			Destination: netip.PrefixFrom(addr, int(m.DstLength)), Link: int(m.Attributes.OutIface), Advertised: m.Protocol == unix.RTPROT_RA,
		}
		if len(m.Attributes.Multipath) == 0 {
			list = append(list, route)
		}
		for _, hop := range m.Attributes.Multipath {
			route.Link = int(hop.Hop.IfIndex)
			list = append(list, route)
		}
	}
	return list, nil
}
