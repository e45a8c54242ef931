package network

import "net/netip"

// Loopback is where ports of the host's loopback link lead. No packet can be sent from there to a container (it would have a source
// address of that link, unless route_localnet let such addresses out, CVE-2020-8558), so a proxy of the host takes the connections.
type Loopback struct {
	Ports     []Publication
	Addresses map[string]Addresses // of containers by name
}

// Listener is where the proxy listens, at 127.0.0.1 or ::1.
type Listener struct {
	Protocol string // "tcp" or "udp"
	IPv6     bool
}

// Address is the address of the loopback link that the listener has; programs mean it when they say "localhost".
func (l Listener) Address() netip.Addr {
	if l.IPv6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// Listeners are what the proxy needs, by the protocols of the ports.
func (l Loopback) Listeners() Set[Listener] {
	needed := Set[Listener]{}
	for _, p := range l.Ports {
		if p.Protocol != "sctp" {
			needed.Add(Listener{p.Protocol, false})
			needed.Add(Listener{p.Protocol, true})
		}
	}
	return needed
}

// PortMap returns where packets of the host to its loopback link are to go: to listeners of the proxy with these ports. A port that is
// published on all addresses is so on 127.0.0.1 and ::1, but on no other of that link: there may be 127.0.0.53 with the host's DNS.
func (l Loopback) PortMap(listeners map[Listener]uint16) PortMap {
	m := PortMap{}
	for listener, port := range listeners {
		for _, p := range l.Ports {
			known := l.Addresses[p.Machine] != Addresses{}
			if address, ok := p.loopback(listener.IPv6); ok && known && p.Protocol == listener.Protocol {
				number, _ := protocolNumber(p.Protocol)
				key := PortKey{netip.PrefixFrom(address, address.BitLen()), number, p.Host, p.Last()}
				m[key] = netip.AddrPortFrom(listener.Address(), port)
			}
		}
	}
	return m
}

// Find returns at which addresses a container answers for a port of the loopback link, those to be tried first in front. IPv4 is: an
// IPv6 address may be one that nobody has heard of yet, see [ContainerAddresses].
func (l Loopback) Find(protocol string, at netip.AddrPort) (to []netip.AddrPort) {
	for _, p := range l.Ports {
		address, ok := p.loopback(at.Addr().Is6())
		if !ok || p.Protocol != protocol || address != at.Addr() || at.Port() < p.Host || at.Port() > p.Last() {
			continue
		}
		for _, container := range []netip.Addr{l.Addresses[p.Machine].IPv4, l.Addresses[p.Machine].IPv6} {
			if container.IsValid() {
				to = append(to, netip.AddrPortFrom(container, p.Container+at.Port()-p.Host))
			}
		}
		break
	}
	return to
}

// loopback returns on which address of the loopback link the port is published.
func (p MachinePort) loopback(isIPv6 bool) (address netip.Addr, ok bool) {
	address = Listener{IPv6: isIPv6}.Address()
	switch {
	case p.Address.IsLoopback():
		return p.Address, p.Address.Is6() == isIPv6
	case p.Address.IsValid():
		return address, p.Address.IsUnspecified() && p.Address.Is6() == isIPv6
	}
	return address, true
}
