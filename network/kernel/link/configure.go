package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Configuration is what a link of a container gets.
type Configuration struct {
	Name      string
	Addresses []netip.Prefix
	Lifetime  time.Duration // after which the kernel takes the addresses away; 0: never
	Routers   []netip.Addr  // of the default routes, on the link, whether or not one of the addresses says so
}

// Configure brings up a link and gives it addresses and default routes, or does so again. IPv6 addresses can be used at once: who chose
// them has seen to it that nobody else has them.
func (c *Conn) Configure(configuration Configuration) error {
	found, err := c.find(configuration.Name)
	if err != nil || found == nil {
		return fmt.Errorf("look up %s: %w", configuration.Name, errors.Join(err, ErrNoDevice))
	}
	if err := c.handle.LinkSetUp(found); err != nil {
		return fmt.Errorf("bring up %s: %w", configuration.Name, err)
	}
	for _, prefix := range configuration.Addresses {
		address := netlink.Addr{IPNet: ipNet(prefix)}
		if prefix.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if seconds := int(configuration.Lifetime / time.Second); seconds > 0 {
			address.ValidLft, address.PreferedLft = seconds, seconds
		}
		if err := c.handle.AddrReplace(found, &address); err != nil {
			return fmt.Errorf("add address %s to %s: %w", prefix, configuration.Name, err)
		}
	}
	for _, router := range configuration.Routers {
		route := netlink.Route{LinkIndex: found.Attrs().Index, Gw: router.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
		if err := c.handle.RouteReplace(&route); err != nil {
			return fmt.Errorf("add default route by %s on %s: %w", router, configuration.Name, err)
		}
	}
	return nil
}

// Addresses returns the addresses that the link has, also by an alternative name.
func (c *Conn) Addresses(name string) (prefixes []netip.Prefix, err error) {
	found, err := c.handle.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", name, err)
	}
	addresses, err := c.handle.AddrList(found, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", name, err)
	}
	for _, a := range addresses {
		if address, ok := netip.AddrFromSlice(a.IP); ok {
			ones, _ := a.Mask.Size()
			prefixes = append(prefixes, netip.PrefixFrom(address.Unmap(), ones))
		}
	}
	return prefixes, nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
