package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/packet"
)

// Inside is how the other end of a link is configured.
type Inside struct {
	Interface string
	Hardware  net.HardwareAddr
	Up        bool
	Addresses []netip.Prefix // IPv4, without link-local ones
	Router    netip.Addr     // of the default route; zero: none
}

// Inside reads how the other end is configured.
func (n *Namespace) Inside() (in Inside, err error) {
	err = n.Do(func() error {
		link, err := netlink.LinkByIndex(n.peer)
		if err != nil {
			return fmt.Errorf("find the other end: %w", err)
		}
		in.Hardware = link.Attrs().HardwareAddr
		in.Interface, in.Up = link.Attrs().Name, link.Attrs().Flags&net.FlagUp != 0
		addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", in.Interface, err)
		}
		for _, a := range addresses {
			address, _ := netip.AddrFromSlice(a.IP.To4())
			if bits, _ := a.Mask.Size(); address.IsValid() && !address.IsLinkLocalUnicast() {
				in.Addresses = append(in.Addresses, netip.PrefixFrom(address, bits))
			}
		}
		in.Router, err = Router()
		return err
	})
	return in, err
}

// Router returns the router of the IPv4 default route in the network namespace of the calling thread; zero: none.
func Router() (netip.Addr, error) {
	router, _, err := defaultRoute(netlink.FAMILY_V4)
	return router, err
}

// Router6 is the same of IPv6, and reports whether there is such a route at all: one that leads straight to a link has no router.
func Router6() (router netip.Addr, found bool, err error) { return defaultRoute(netlink.FAMILY_V6) }

func defaultRoute(family int) (router netip.Addr, found bool, err error) {
	routes, err := netlink.RouteList(nil, family)
	if err != nil {
		return netip.Addr{}, false, fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if r.Type != unix.RTN_UNICAST || r.Dst != nil && !isDefault(r.Dst) {
			continue
		}
		found = true
		for _, hop := range append([]*netlink.NexthopInfo{{Gw: r.Gw}}, r.MultiPath...) {
			if address, ok := netip.AddrFromSlice(hop.Gw); ok {
				return address.Unmap(), true, nil
			}
		}
	}
	return netip.Addr{}, found, nil
}

func isDefault(destination *net.IPNet) bool {
	bits, _ := destination.Mask.Size()
	return bits == 0
}

// Discover asks for a DHCP server from the other end, see [packet.Discover].
func (n *Namespace) Discover(ctx context.Context) (offer *dhcpv4.DHCPv4, err error) {
	err = n.Do(func() error {
		link, err := net.InterfaceByIndex(n.peer)
		if err != nil {
			return fmt.Errorf("find the other end: %w", err)
		}
		offer, err = packet.Discover(ctx, link)
		return err
	})
	return offer, err
}

// Configure gives the other end an address and a default route.
func (n *Namespace) Configure(address netip.Prefix, router netip.Addr) error {
	return n.Do(func() error {
		link, err := netlink.LinkByIndex(n.peer)
		if err != nil {
			return fmt.Errorf("find the other end: %w", err)
		}
		ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ip}); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address %v: %w", address, err)
		}
		if !router.IsValid() {
			return nil
		}
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: n.peer, Gw: router.AsSlice()}); err != nil {
			return fmt.Errorf("add default route by %v: %w", router, err)
		}
		return nil
	})
}

// Neighbour reports whether ARP, or neighbour discovery of IPv6, has found the hardware address of a neighbour of the other end.
func (n *Namespace) Neighbour(address netip.Addr) (known bool, err error) {
	family := netlink.FAMILY_V4
	if address.Is6() {
		family = netlink.FAMILY_V6
	}
	err = n.Do(func() error {
		neighbours, err := netlink.NeighList(n.peer, family)
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		const resolved = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT
		for _, found := range neighbours {
			if found.IP.Equal(address.AsSlice()) && found.State&resolved != 0 {
				known = true
			}
		}
		return nil
	})
	return known, err
}

// Master returns the name of the bridge that a link of the host is a port of; empty: none.
func Master(link string) string {
	found, err := netlink.LinkByName(link)
	if err != nil || found.Attrs().MasterIndex == 0 {
		return ""
	}
	bridge, err := netlink.LinkByIndex(found.Attrs().MasterIndex)
	if err != nil {
		return ""
	}
	return bridge.Attrs().Name
}

// LinkTo returns the name of the link through which the network namespace of the calling thread sends packets to an address; empty: it
// has no route.
func LinkTo(address netip.Addr) string {
	routes, err := netlink.RouteGet(address.AsSlice())
	if err != nil || len(routes) == 0 {
		return ""
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return ""
	}
	return link.Attrs().Name
}

// Owners asks from the other end who uses an address, see [packet.Owners].
func (n *Namespace) Owners(address netip.Addr) (owners []dhcp.HardwareAddr, err error) {
	err = n.Do(func() (err error) {
		owners, err = packet.Owners(n.peer, address)
		return err
	})
	return owners, err
}
