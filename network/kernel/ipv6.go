package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// usableLinkLocal reports whether packets can come from addr, an IPv6 link-local address: duplicate address detection has ended well.
func usableLinkLocal(m rtnetlink.AddressMessage, addr netip.Addr) bool {
	return addr.Is6() && addr.IsLinkLocalUnicast() && m.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
}

// hardwareAddr returns an Ethernet address, or zero for one of another kind.
func hardwareAddr(a net.HardwareAddr) network.HardwareAddr {
	if len(a) != len(network.HardwareAddr{}) {
		return network.HardwareAddr{}
	}
	return network.HardwareAddr(a)
}

// AdvertisedRoutes returns the indices of the links with a route that the kernel or another program took from a router advertisement
// (RTPROT_RA).
func (k *Links) AdvertisedRoutes() (map[int]bool, error) {
	routes, err := k.conn.Route.List()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	links := map[int]bool{}
	for _, m := range routes {
		if m.Family != unix.AF_INET6 || m.Protocol != unix.RTPROT_RA {
			continue
		}
		links[int(m.Attributes.OutIface)] = true
		for _, hop := range m.Attributes.Multipath {
			links[int(hop.Hop.IfIndex)] = true
		}
	}
	return links, nil
}
