package network

import (
	"net/netip"
	"time"
)

// Neighbour is an entry of the neighbour table: a hardware address that has answered for an address.
type Neighbour struct {
	Index     int // of the link
	Address   netip.Addr
	Hardware  HardwareAddr
	Confirmed time.Duration // since it did so last
}

// ContainerAddresses returns at which addresses a container answers on a link of the host, l: the bridge, or the host side of its own
// link. lease is what the DHCP server of the link gave it, zero for none; neighbours is the neighbour table; last is what this function
// returned before for the same container.
//
// Only addresses of the link's own subnets count: a container must not have packets sent elsewhere by claiming their address. Of
// several that it has answered for, the one that is in use stays, or else the one heard of last counts. An IPv6 address that nobody has
// heard of yet is taken for the one that the container makes from its hardware address (RFC 4291, appendix A), as the kernel and
// systemd-networkd do.
func ContainerAddresses(l Link, hardware HardwareAddr, lease netip.Addr, neighbours []Neighbour, last Addresses) Addresses {
	var found Addresses
	var since4, since6 time.Duration
	choose := func(chosen *netip.Addr, since *time.Duration, n Neighbour, last netip.Addr) {
		if !chosen.IsValid() || *chosen != last && (n.Address == last || n.Confirmed < *since) {
			*chosen, *since = n.Address, n.Confirmed
		}
	}
	for _, n := range neighbours {
		switch {
		case n.Index != l.Index || n.Hardware != hardware || !l.reaches(n.Address):
		case n.Address.Is4():
			choose(&found.IPv4, &since4, n, last.IPv4)
		default:
			choose(&found.IPv6, &since6, n, last.IPv6)
		}
	}
	switch {
	case lease.IsValid():
		found.IPv4 = lease
	case !found.IPv4.IsValid() && l.reaches(last.IPv4):
		found.IPv4 = last.IPv4 // the table forgets
	}
	switch {
	case found.IPv6.IsValid():
	case l.reaches(last.IPv6):
		found.IPv6 = last.IPv6
	default:
		found.IPv6 = l.expected(hardware)
	}
	return found
}

// reaches reports whether an address belongs to a subnet of the link, and is not the host's.
func (l Link) reaches(address netip.Addr) bool {
	inside := false
	for _, p := range l.Addresses {
		if p.Addr() == address {
			return false
		}
		inside = inside || p.Contains(address)
	}
	return inside && !address.IsLinkLocalUnicast()
}

// expected returns the IPv6 address that a container makes in the first subnet of the link; zero if there is none.
func (l Link) expected(hardware HardwareAddr) netip.Addr {
	for _, p := range l.Addresses {
		if p.Addr().Is6() && p.Bits() == 64 && !p.Addr().IsLinkLocalUnicast() {
			b := p.Masked().Addr().As16()
			copy(b[8:], []byte{hardware[0] ^ 2, hardware[1], hardware[2], 0xff, 0xfe, hardware[3], hardware[4], hardware[5]})
			return netip.AddrFrom16(b)
		}
	}
	return netip.Addr{}
}
