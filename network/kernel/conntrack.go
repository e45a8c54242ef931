package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// staleFlows is a filter of connections.
type staleFlows func(network.Flow) bool

// MatchConntrackFlow is part of [netlink.CustomConntrackFilter].
func (stale staleFlows) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	end := func(ip net.IP, port uint16) netip.AddrPort {
		address, _ := netip.AddrFromSlice(ip)
		return netip.AddrPortFrom(address.Unmap(), port)
	}
	return stale(network.Flow{
		Protocol: f.Forward.Protocol, Destination: end(f.Forward.DstIP, f.Forward.DstPort), Answers: end(f.Reverse.SrcIP, f.Reverse.SrcPort),
	})
}

// ForgetFlows makes the kernel forget the connections that stale picks: the next packet of each is the first of a new one.
func ForgetFlows(stale func(network.Flow) bool) error {
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, staleFlows(stale)); err != nil {
			return fmt.Errorf("forget connections of published ports: %w", err)
		}
	}
	return nil
}
