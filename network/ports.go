package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// protocols are those whose ports can be published, by their numbers (IANA, "Protocol Numbers").
func protocolNumber(name string) (number uint8, ok bool) {
	switch name {
	case "tcp":
		return 6, true
	case "udp":
		return 17, true
	case "sctp":
		return 132, true
	}
	return 0, false
}

// check finds out whether the numbers make sense: a file may be of another version, or of somebody else.
func (p MachinePort) check() error {
	_, known := protocolNumber(p.Protocol)
	last := max(int(p.Host), int(p.Container)) + p.count() - 1
	if !known || p.Host == 0 || p.Container == 0 || last > 65535 || p.Address.Zone() != "" || p.Address.Is4In6() {
		return fmt.Errorf("ports that cannot be: %+v", p)
	}
	return nil
}

func (p MachinePort) count() int { return max(1, int(p.Count)) }

// Last returns the last port of the host.
func (p MachinePort) Last() uint16 { return p.Host + uint16(p.count()-1) }

// String is "tcp:80", "udp:127.0.0.1:53", "tcp:[::1]:8000-8009".
func (p MachinePort) String() string {
	text := fmt.Sprint(p.Host)
	if p.Address.IsValid() {
		text = netip.AddrPortFrom(p.Address, p.Host).String()
	}
	if p.count() > 1 {
		text += fmt.Sprintf("-%d", p.Last())
	}
	return p.Protocol + ":" + text
}

// Overlaps reports whether both want a port of the same addresses.
func (p MachinePort) Overlaps(other MachinePort) bool {
	return p.Protocol == other.Protocol && p.Host <= other.Last() && other.Host <= p.Last() &&
		slices.ContainsFunc(p.prefixes(), func(a netip.Prefix) bool {
			return slices.ContainsFunc(other.prefixes(), a.Overlaps)
		})
}

// prefixes are the addresses of the host that the port is published on.
func (p MachinePort) prefixes() []netip.Prefix {
	every := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	switch {
	case !p.Address.IsValid():
		return every
	case !p.Address.IsUnspecified():
		return []netip.Prefix{netip.PrefixFrom(p.Address, p.Address.BitLen())}
	case p.Address.Is4():
		return every[:1]
	}
	return every[1:]
}

// PortConflict is a port that a container wants and another one has.
type PortConflict struct {
	Machine string      // that does not get it
	Port    MachinePort // as it wants it
	Owner   string
	Owned   MachinePort // as the owner has it
}

// String is "web.nspawn:3: port tcp:80 of the host is published by container db (db.nspawn:4)".
func (c PortConflict) String() string {
	text := fmt.Sprintf("port %s of the host is published by container %s", c.Port, c.Owner)
	if c.Port.Origin != "" {
		text = c.Port.Origin + ": " + text
	}
	if c.Owned.Origin != "" {
		text += fmt.Sprintf(" (%s)", c.Owned.Origin)
	}
	return text
}

// Publication is a port of the host that leads to a container.
type Publication struct {
	Machine string
	MachinePort
}

// Publish returns which ports of the host lead to which container, and what cannot be had: what two containers want is that one's
// which began first. Another Port= of the other one is published nevertheless.
func (m Machines) Publish() (list []Publication, conflicts []PortConflict) {
	ordered := slices.Clone(m)
	slices.SortStableFunc(ordered, func(a, b Machine) int {
		return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.Name, b.Name))
	})
	for _, machine := range ordered {
		for _, port := range machine.Ports {
			owner := slices.IndexFunc(list, func(p Publication) bool { return p.Machine != machine.Name && p.Overlaps(port) })
			if owner < 0 {
				list = append(list, Publication{machine.Name, port})
				continue
			}
			conflicts = append(conflicts, PortConflict{machine.Name, port, list[owner].Machine, list[owner].MachinePort})
		}
	}
	return list, conflicts
}

// PortConflicts returns what cannot be had, see [Machines.Publish].
func (m Machines) PortConflicts() []PortConflict {
	_, conflicts := m.Publish()
	return conflicts
}
