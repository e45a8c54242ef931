package network

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// MachineAccess is what a container reaches of the host besides what its network is made of.
type MachineAccess struct {
	Ports []MachinePortRange `json:"ports"`
}

// MachinePortRange is ports of the host.
type MachinePortRange struct {
	Protocol string `json:"protocol"` // "tcp" or "udp"
	First    uint16 `json:"first"`
	Last     uint16 `json:"last"`
}

// Access is what the packet filter is to hold so that containers reach no more than they may. The link of a [Sender] is the one that its
// packets come to the host through: the bridge for a container in a zone.
type Access struct {
	Zones      Set[string]     // bridges of zones
	ZoneAccess Set[ZoneAccess] // who gets into them from outside
	Limited    Set[Sender]     // who does not reach everything of the host
	HostPorts  Set[HostPorts]  // what they do reach
}

// ZoneAccess says that a container gets into the zone with that bridge.
type ZoneAccess struct {
	Sender
	Bridge string
}

// HostPorts says that a container reaches these ports of the host. Protocol is a number of IP.
type HostPorts struct {
	Sender
	Protocol    byte
	First, Last uint16
}

// NewAccess returns what follows from links that exist and containers that run. A container counts before its link appears, so that
// nothing is open for a moment.
func NewAccess(links []Link, machines Machines) Access {
	a := Access{Set[string]{}, Set[ZoneAccess]{}, Set[Sender]{}, Set[HostPorts]{}}
	for _, l := range links {
		if strings.HasPrefix(l.Name, ZonePrefix) {
			a.Zones.Add(l.Name)
		}
	}
	for i := range machines {
		for _, l := range machines[i].Links {
			link := l.Host
			if strings.HasPrefix(l.Bridge, ZonePrefix) {
				link = l.Bridge
			}
			if mac, err := ParseHardwareAddr(l.ContainerMAC); err == nil {
				a.add(Sender{link, mac}, &machines[i])
			}
		}
	}
	return a
}

// protocols are the numbers of those in files.
var protocols = map[string]byte{"tcp": 6, "udp": 17}

func (a *Access) add(sender Sender, m *Machine) {
	for _, zone := range m.ZoneAccess {
		a.ZoneAccess.Add(ZoneAccess{sender, ZoneBridgeName(zone)})
	}
	if m.HostAccess == nil {
		return
	}
	a.Limited.Add(sender)
	for _, r := range m.HostAccess.Ports {
		a.HostPorts.Add(HostPorts{sender, protocols[r.Protocol], r.First, r.Last})
	}
}

// Equal reports whether both hold the same.
func (a Access) Equal(other Access) bool {
	return maps.Equal(a.Zones, other.Zones) && maps.Equal(a.ZoneAccess, other.ZoneAccess) && maps.Equal(a.Limited, other.Limited) &&
		maps.Equal(a.HostPorts, other.HostPorts)
}

// Missing returns what a holds and other does not.
func (a Access) Missing(other Access) Access {
	return Access{
		a.Zones.Missing(other.Zones), a.ZoneAccess.Missing(other.ZoneAccess), a.Limited.Missing(other.Limited),
		a.HostPorts.Missing(other.HostPorts),
	}
}

// checkAccess says what is wrong with the access of a machine file.
func (m *Machine) checkAccess() error {
	for _, zone := range m.ZoneAccess {
		if err := ValidZone(zone); err != nil {
			return err
		}
	}
	if m.HostAccess == nil {
		return nil
	}
	for _, l := range m.Links {
		if l.ContainerMAC == "" {
			return errors.New("hostAccess without a hardware address")
		}
	}
	for _, r := range m.HostAccess.Ports {
		if protocols[r.Protocol] == 0 || r.First == 0 || r.Last < r.First {
			return fmt.Errorf("%q %d-%d are not ports", r.Protocol, r.First, r.Last)
		}
	}
	return nil
}
