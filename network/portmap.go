package network

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// Ports is what the packet filter is to hold so that ports of the host lead to containers.
type Ports struct {
	Forward  PortMap     // for packets to the host's addresses, but for those of its loopback link
	Loopback PortMap     // for packets of the host to its loopback link: to the proxy
	Hairpin  Set[string] // links of containers with ports: what comes in and leaves through the same one is masqueraded
}

// Equal reports whether both hold the same.
func (p Ports) Equal(other Ports) bool {
	return maps.Equal(p.Forward, other.Forward) && maps.Equal(p.Loopback, other.Loopback) && maps.Equal(p.Hairpin, other.Hairpin)
}

// Missing returns what p holds and other does not, or otherwise.
func (p Ports) Missing(other Ports) Ports {
	return Ports{p.Forward.Missing(other.Forward), p.Loopback.Missing(other.Loopback), p.Hairpin.Missing(other.Hairpin)}
}

// PortKey is what packets are told by: destination address, protocol (its number in IPv4) and destination port.
type PortKey struct {
	Prefix      netip.Prefix
	Protocol    uint8
	First, Last uint16
}

// Compare orders keys by protocol, port and address.
func (k PortKey) Compare(other PortKey) int {
	return cmp.Or(
		cmp.Compare(k.Protocol, other.Protocol), cmp.Compare(k.First, other.First),
		k.Prefix.Addr().Compare(other.Prefix.Addr()), cmp.Compare(k.Prefix.Bits(), other.Prefix.Bits()),
	)
}

// PortMap says where packets go instead. Port 0 leaves the port as it is.
type PortMap map[PortKey]netip.AddrPort

// Missing returns the entries that p has and other has not, or with another target.
func (p PortMap) Missing(other PortMap) PortMap {
	missing := PortMap{}
	for key, target := range p {
		if other[key] != target {
			missing[key] = target
		}
	}
	return missing
}

// add adds the entries of a publication for one family. Only a range with the same numbers on both sides is one entry: the packet
// filter cannot count.
func (p PortMap) add(publication Publication, to netip.Addr) {
	number, _ := protocolNumber(publication.Protocol)
	same := publication.Host == publication.Container
	for _, prefix := range publication.prefixes() {
		if prefix.Addr().Is4() != to.Is4() || prefix.Addr().IsLoopback() {
			continue
		}
		if same && publication.count() > 1 {
			p[PortKey{prefix, number, publication.Host, publication.Last()}] = netip.AddrPortFrom(to, 0)
			continue
		}
		for i := range publication.count() {
			host := publication.Host + uint16(i)
			p[PortKey{prefix, number, host, host}] = netip.AddrPortFrom(to, publication.Container+uint16(i))
		}
	}
}

// Addresses are those of a container that its ports are published to; zero where it has none.
type Addresses struct{ IPv4, IPv6 netip.Addr }

// Forward returns where packets to the host's addresses, but for those of its loopback link, are to go. addresses are those of
// machines by name.
func Forward(list []Publication, addresses map[string]Addresses) PortMap {
	m := PortMap{}
	for _, p := range list {
		for _, to := range []netip.Addr{addresses[p.Machine].IPv4, addresses[p.Machine].IPv6} {
			if to.IsValid() {
				m.add(p, to)
			}
		}
	}
	return m
}

// Keys returns the entries that packets to the port may meet.
func (p MachinePort) Keys() []PortKey {
	m := PortMap{}
	for _, to := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		m.add(Publication{MachinePort: p}, to)
	}
	return slices.Collect(maps.Keys(m))
}
