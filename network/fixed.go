package network

import (
	"net/netip"
	"slices"
)

// HostSide returns the address, with prefix length, that the host's side of a link gets for a container with a fixed address: the
// first of its network, or the second where the container has that. It is the container's router. The network must have room for
// both.
func HostSide(container netip.Prefix) netip.Prefix {
	first := container.Masked().Addr()
	if container.Bits() < container.Addr().BitLen()-1 { // RFC 3021, RFC 6164: else all are addresses of hosts
		first = first.Next()
	}
	if first == container.Addr() {
		first = first.Next()
	}
	if !container.Contains(first) { // the container has the last one of two
		first = container.Masked().Addr()
	}
	return netip.PrefixFrom(first, container.Bits())
}

// FixedOf returns the fixed addresses of the containers behind a link: of the one at its other end, or of those of a bridge.
func (m Machines) FixedOf(link string) (containers []MachineLink) {
	for i := range m {
		for _, l := range m[i].Links {
			if len(l.Addresses) > 0 && (l.Bridge == link || l.Host == link && l.Bridge == "") {
				containers = append(containers, l)
			}
		}
	}
	return containers
}

// HasFixed reports whether the container whose link, or port of a bridge, it is has a fixed address of the kind.
func (m Machines) HasFixed(link string, kind func(netip.Addr) bool) bool {
	_, end := m.OfLink(link)
	return end != nil && slices.ContainsFunc(end.Addresses, func(a netip.Prefix) bool { return kind(a.Addr()) })
}
