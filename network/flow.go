package network

import "net/netip"

// Flow is a connection as the kernel tracks it.
type Flow struct {
	Protocol    uint8
	Destination netip.AddrPort // as the first packet had it
	Answers     netip.AddrPort // who answers: another one than Destination where that was translated
}

// StaleFlows picks the connections that must not go on after a change of published ports: those to what is not published any more, and
// those to a published port that lead elsewhere. local reports whether an address is the host's.
//
// A connection that is not translated, to a port that is published from now on, goes on if it is of TCP or SCTP: it belongs to a program
// of the host that had the port before. One of UDP does not end by itself as long as its client sends.
func StaleFlows(added, removed PortMap, local func(netip.Addr) bool) func(Flow) bool {
	gone, come := removed.byPort(), added.byPort()
	return func(f Flow) bool {
		if target, found := gone.find(f); found && f.answeredBy(target) {
			target, found := come.find(f)
			return !found || !f.answeredBy(target)
		}
		target, found := come.find(f)
		if !found || f.answeredBy(target) {
			return false
		}
		return local(f.Destination.Addr()) && (f.Answers != f.Destination || f.Protocol == 17)
	}
}

// answeredBy reports whether the flow leads to a target of a [PortMap].
func (f Flow) answeredBy(target netip.AddrPort) bool {
	return f.Answers.Addr() == target.Addr() && (target.Port() == 0 && f.Answers.Port() == f.Destination.Port() || f.Answers.Port() == target.Port())
}

// portIndex finds entries by protocol and port; ranges are apart.
type portIndex struct {
	single map[[2]uint16][]PortKey
	ranges []PortKey
	of     PortMap
}

func (p PortMap) byPort() portIndex {
	x := portIndex{single: map[[2]uint16][]PortKey{}, of: p}
	for key := range p {
		if key.First != key.Last {
			x.ranges = append(x.ranges, key)
			continue
		}
		at := [2]uint16{uint16(key.Protocol), key.First}
		x.single[at] = append(x.single[at], key)
	}
	return x
}

func (x portIndex) find(f Flow) (target netip.AddrPort, found bool) {
	address, port := f.Destination.Addr(), f.Destination.Port()
	for _, list := range [][]PortKey{x.single[[2]uint16{uint16(f.Protocol), port}], x.ranges} {
		for _, key := range list {
			if key.Protocol == f.Protocol && key.First <= port && port <= key.Last && key.covers(address) {
				return x.of[key], true
			}
		}
	}
	return netip.AddrPort{}, false
}

// covers reports whether packets to the address meet the entry: those to the loopback link only where it says so.
func (k PortKey) covers(address netip.Addr) bool {
	return k.Prefix.Contains(address) && (!address.IsLoopback() || k.Prefix.Addr().IsLoopback())
}
