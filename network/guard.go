package network

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Set is a set of elements of an nft set.
type Set[E comparable] map[E]struct{}

// Add adds an element; the set must not be nil.
func (s Set[E]) Add(e E) { s[e] = struct{}{} }

// Missing returns what s holds and other does not.
func (s Set[E]) Missing(other Set[E]) Set[E] {
	missing := Set[E]{}
	for e := range s {
		if _, found := other[e]; !found {
			missing.Add(e)
		}
	}
	return missing
}

// HardwareAddr is an Ethernet address.
type HardwareAddr [6]byte

// ParseHardwareAddr reads six bytes in hexadecimal with colons between them.
func ParseHardwareAddr(text string) (HardwareAddr, error) {
	parsed, err := net.ParseMAC(text)
	if err != nil || len(parsed) != len(HardwareAddr{}) {
		return HardwareAddr{}, fmt.Errorf("%q is not the hardware address of an Ethernet link", text)
	}
	return HardwareAddr(parsed), nil
}

// Sender is a container as others see it: the link that its packets come in through, and their hardware address.
type Sender struct {
	Link string // "ve-web"; for a container in a zone its port "vb-web"
	MAC  HardwareAddr
}

// Guard is what the packet filter is to hold so that no container sends in the name of another.
type Guard struct {
	// Links are those through which containers reach the host. A packet from one of them must have a source address that the host
	// would answer through the same link (RFC 3704, section 2.2).
	Links Set[string]
	// Sole are those of Links with one machine behind them, and Senders are these machines.
	Sole    Set[string]
	Senders Set[Sender]
	// Bridge is for the ports of the bridges of zones.
	Bridge BridgeGuard
}

// Holder is a container that an address belongs to.
type Holder struct {
	Link    string // its port of a bridge, "vb-web"
	Address netip.Addr
}

// BridgeGuard is what the packet filter is to hold for the ports of the bridges of zones.
type BridgeGuard struct {
	Senders Set[Sender] // the machines behind the ports
	// Held are the addresses that belong to somebody: to the host, or to a container that has them from a DHCP server or by Address=.
	// Nobody but Holders uses them. Any other address is free for whoever takes it.
	Held    Set[netip.Addr]
	Holders Set[Holder]
}

// NewGuard returns the guard of links, which networkd-lite serves, by what is known of the machines behind them. several reports
// whether there may be more machines behind a link than its container, and lease returns what the DHCP server of a bridge gave to one,
// zero if nothing.
func NewGuard(links []Link, machines Machines, several func(l Link) bool, lease func(bridge string, to HardwareAddr) netip.Addr) Guard {
	g := Guard{Set[string]{}, Set[string]{}, Set[Sender]{}, BridgeGuard{Set[Sender]{}, Set[netip.Addr]{}, Set[Holder]{}}}
	known := machines.byHostLink()
	for _, l := range links {
		isPort := strings.HasPrefix(l.Name, BridgePrefix)
		if !isPort {
			g.Links.Add(l.Name)
		}
		if strings.HasPrefix(l.Name, ZonePrefix) {
			for _, address := range l.Addresses {
				g.Bridge.Held.Add(address.Addr())
			}
		}
		machine, found := known[l.Name]
		if !found {
			continue
		}
		mac, err := ParseHardwareAddr(machine.ContainerMAC)
		switch {
		case err != nil: // not said; what is wrong is not read at all
		case !isPort && (machine.limited || !several(l)):
			g.Sole.Add(l.Name)
			g.Senders.Add(Sender{l.Name, mac})
		case isPort && strings.HasPrefix(machine.Bridge, ZonePrefix):
			g.Bridge.add(Sender{l.Name, mac}, machine.Addresses, lease(machine.Bridge, mac))
		}
	}
	return g
}

// Equal reports whether both hold the same.
func (g Guard) Equal(other Guard) bool {
	return maps.Equal(g.Links, other.Links) && maps.Equal(g.Sole, other.Sole) && maps.Equal(g.Senders, other.Senders) &&
		g.Bridge.Equal(other.Bridge)
}

// add adds a container with its addresses; lease may be zero.
func (g *BridgeGuard) add(port Sender, fixed []netip.Prefix, lease netip.Addr) {
	g.Senders.Add(port)
	if lease.IsValid() {
		fixed = append(slices.Clone(fixed), netip.PrefixFrom(lease, lease.BitLen()))
	}
	for _, address := range fixed {
		g.Held.Add(address.Addr())
		g.Holders.Add(Holder{port.Link, address.Addr()})
	}
}

// Equal reports whether both hold the same.
func (g BridgeGuard) Equal(other BridgeGuard) bool {
	return maps.Equal(g.Senders, other.Senders) && maps.Equal(g.Held, other.Held) && maps.Equal(g.Holders, other.Holders)
}

// Missing returns what g holds and other does not, but for Bridge, which is put in place as a whole.
func (g Guard) Missing(other Guard) Guard {
	return Guard{
		Links: g.Links.Missing(other.Links), Sole: g.Sole.Missing(other.Sole), Senders: g.Senders.Missing(other.Senders),
	}
}

// hostLink is a link of a machine.
type hostLink struct {
	MachineLink
	limited bool // its hardware address decides what the machine reaches of the host
}

// byHostLink returns the links of all machines by the name of their host side.
func (m Machines) byHostLink() map[string]hostLink {
	links := map[string]hostLink{}
	for i := range m {
		for _, l := range m[i].Links {
			links[l.Host] = hostLink{l, m[i].HostAccess != nil}
		}
	}
	return links
}
