package kernel

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Neighbours lists who was heard of on the link with that index (arp(7), RFC 4861), as far as the kernel knows a hardware address.
func Neighbours(ifindex int) ([]network.Neighbour, error) {
	found, err := netlink.NeighList(ifindex, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	var list []network.Neighbour
	for _, n := range found {
		address, ok := netip.AddrFromSlice(n.IP)
		if !ok || len(n.HardwareAddr) != 6 || n.State&(unix.NUD_FAILED|unix.NUD_INCOMPLETE|unix.NUD_NOARP) != 0 {
			continue
		}
		list = append(list, network.Neighbour{Address: address.Unmap(), Hardware: [6]byte(n.HardwareAddr)})
	}
	return list, nil
}
