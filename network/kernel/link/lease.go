package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Leased is what a link of a container has from a DHCP server.
type Leased struct {
	Address  netip.Prefix
	Lifetime time.Duration // after which the kernel takes the address away, and the routes with it; 0: never
	Routes   []LeasedRoute
}

// LeasedRoute is a route of a lease. Without Gateway its destination is on the link.
type LeasedRoute struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// leaseMetric is the metric of routes of a lease, as in systemd-networkd: those that the container sets itself count more.
const leaseMetric = 1024

// Prepare brings up a link and returns its index, by which it is known from now on whatever the container calls it, and its address.
func (c *Conn) Prepare(name string) (index int, address net.HardwareAddr, err error) {
	found, err := c.find(name)
	if err != nil || found == nil {
		return 0, nil, fmt.Errorf("look up %s: %w", name, errors.Join(err, ErrNoDevice))
	}
	if err := c.handle.LinkSetUp(found); err != nil {
		return 0, nil, fmt.Errorf("bring up %s: %w", name, err)
	}
	return found.Attrs().Index, found.Attrs().HardwareAddr, nil
}

// HasAddress reports whether the link with that index has an address.
func (c *Conn) HasAddress(index int, address netip.Prefix) (bool, error) {
	addresses, err := c.handle.AddrList(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}, netlink.FAMILY_V4)
	if err != nil {
		return false, fmt.Errorf("list addresses: %w", err)
	}
	return slices.ContainsFunc(addresses, func(a netlink.Addr) bool { return a.IP.Equal(address.Addr().AsSlice()) }), nil
}

// SetLeased gives the link with that index what is in a lease, or does so again for one that goes on. A route that the kernel does not
// take keeps nothing else out.
func (c *Conn) SetLeased(index int, l Leased) error {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	address := netlink.Addr{IPNet: ipNet(l.Address)}
	if seconds := int(l.Lifetime / time.Second); seconds > 0 {
		address.ValidLft, address.PreferedLft = seconds, seconds
	}
	if err := c.handle.AddrReplace(link, &address); err != nil {
		return fmt.Errorf("add address %s: %w", l.Address, err)
	}
	var problems []error
	for _, r := range l.Routes {
		if err := c.handle.RouteReplace(leasedRoute(index, l.Address, r)); err != nil {
			problems = append(problems, fmt.Errorf("add route to %s by %s: %w", r.Destination, r.Gateway, err))
		}
	}
	return errors.Join(problems...)
}

// DropLeased takes away what is of a lease that has ended, or of one that goes on with less: address says whether it is of the former
// kind. What is not there any more needs nothing.
func (c *Conn) DropLeased(index int, l Leased, address bool) error {
	var problems []error
	for _, r := range l.Routes {
		if err := c.handle.RouteDel(leasedRoute(index, l.Address, r)); err != nil && !errors.Is(err, unix.ESRCH) {
			problems = append(problems, fmt.Errorf("remove route to %s: %w", r.Destination, err))
		}
	}
	if address {
		link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
		err := c.handle.AddrDel(link, &netlink.Addr{IPNet: ipNet(l.Address)})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			problems = append(problems, fmt.Errorf("remove address %s: %w", l.Address, err))
		}
	}
	return errors.Join(problems...)
}

func leasedRoute(index int, address netip.Prefix, r LeasedRoute) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: index, Dst: ipNet(r.Destination), Src: address.Addr().AsSlice(), Priority: leaseMetric, Protocol: unix.RTPROT_DHCP,
		Scope: netlink.SCOPE_LINK,
	}
	if r.Gateway.IsValid() {
		route.Gw, route.Flags, route.Scope = r.Gateway.AsSlice(), int(netlink.FLAG_ONLINK), netlink.SCOPE_UNIVERSE
	}
	return route
}
