package network

import (
	"errors"
	"net/netip"
	"strings"
)

// Link is what the kernel says about a network interface.
type Link struct {
	Index     int      // ifindex: a link that is created again under the same name has a new one
	Name      string   // at most 15 bytes, without "/"
	AltNames  []string // alternative names: the full name of a container whose link's name had to be cut
	Kind      string   // IFLA_INFO_KIND: "veth", "bridge", …; empty for hardware
	Up        bool     // administratively (IFF_UP)
	Carrier   bool     // the other end is up, too (IFF_LOWER_UP)
	Addresses []netip.Prefix

	Unusable     []netip.Addr // those of Addresses that the kernel still checks for duplicates, or found one of
	HardwareAddr HardwareAddr // zero: none, or none of Ethernet
	MTU          int          // in bytes
	LinkLocal    netip.Addr   // an IPv6 link-local address that can be used: not tentative any more; zero: none
}

// ErrNoLink says that a link does not exist any more, as happens when a container ends.
var ErrNoLink = errors.New("link is gone")

// Served reports whether networkd-lite may touch the link: ve-* and vb-*, which are the host sides of a container's
// veth pair, and vz-*, the bridge of a zone (systemd-nspawn(1), --network-veth, --network-zone=). A link of another
// kind under such a name is somebody else's.
func (l Link) Served() bool {
	switch {
	case ValidInterfaceName(l.Name) != nil:
		return false // the kernel takes names that would have to be escaped in messages
	case strings.HasPrefix(l.Name, VethPrefix), strings.HasPrefix(l.Name, BridgePrefix):
		return l.Kind == "veth"
	case strings.HasPrefix(l.Name, ZonePrefix):
		return l.Kind == "bridge"
	}
	return false
}

// deviceType is what networkctl(1) calls the type: udev's DEVTYPE, which the kernel sets for bridges, or the ARPHRD name.
func (l Link) deviceType() string {
	if l.Kind == "bridge" {
		return "bridge"
	}
	return "ether"
}

// driver is what ethtool -i reports; it is the kind for the links that are served.
func (l Link) driver() string { return l.Kind }
