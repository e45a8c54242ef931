package manager

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"

	"nspawnkit/network"
)

// PortsFile is the file of a [Store] that says what is published.
const PortsFile = "ports.json"

// ports is what the manager knows of published ports.
type ports struct {
	list      []network.Publication
	conflicts []network.PortConflict
	places    map[string]place // by machine
	local     network.Set[netip.Addr]
	broken    map[string]bool   // conflicts that were reported
	table     network.Ports     // what the packet filter holds, as far as is known
	saved     [sha256.Size]byte // of the last ports.json
	published atomic.Bool       // there are any
}

// place is where a machine is.
type place struct {
	network.Addresses
	began int64 // of the machine
	index int   // of the link that its addresses are on
	link  string
}

// choosePorts finds out which ports of the host lead where: those of machines with a link. A machine file without is one of a container
// that was killed, or has not come up yet.
func (m *Manager) choosePorts(list []network.Link) error {
	byName := map[string]network.Link{}
	for _, l := range list {
		byName[l.Name] = l
	}
	var running network.Machines
	for _, machine := range m.machines {
		here := func(l network.MachineLink) bool { return byName[l.Host].Name != "" }
		if len(machine.Ports) > 0 && slices.ContainsFunc(machine.Links, here) {
			running = append(running, machine)
		}
	}
	m.ports.list, m.ports.conflicts = running.Publish()
	m.ports.published.Store(len(running) > 0)
	m.ports.local = network.Set[netip.Addr]{}
	if before := m.ports.table; len(running)+len(before.Forward)+len(before.Loopback) > 0 { // see forgetFlows
		for _, l := range list {
			for _, a := range l.Addresses {
				m.ports.local.Add(a.Addr())
			}
		}
	}
	m.warnOfConflicts()
	var neighbours []network.Neighbour
	if len(running) > 0 {
		var err error
		if neighbours, err = m.Neighbours(); err != nil {
			return err
		}
	}
	places := map[string]place{}
	for i := range running {
		places[running[i].Name] = m.findPlace(&running[i], byName, neighbours)
	}
	m.reportPlaces(places)
	m.ports.places = places
	return m.forward(m.reached(), list)
}

// findPlace returns where a machine can be reached: on the first of its links that it has an address on.
func (m *Manager) findPlace(machine *network.Machine, byName map[string]network.Link, neighbours []network.Neighbour) place {
	last, known := m.ports.places[machine.Name]
	for _, l := range machine.Links {
		on, found := byName[cmp.Or(l.Bridge, l.Host)]
		hardware, err := network.ParseHardwareAddr(l.ContainerMAC)
		if !found || err != nil {
			continue
		}
		if !known || last.began != machine.Began || last.index != on.Index {
			last = place{}
		}
		here := place{began: machine.Began, index: on.Index, link: on.Name}
		here.Addresses = network.ContainerAddresses(on, hardware, m.Lease(on, hardware), neighbours, last.Addresses)
		if here.Addresses != (network.Addresses{}) {
			return here
		}
	}
	return place{began: machine.Began}
}

// reached says in which families ports are published.
func (m *Manager) reached() (families network.Families) {
	for _, p := range m.ports.places {
		families.IPv4 = families.IPv4 || p.IPv4.IsValid()
		families.IPv6 = families.IPv6 || p.IPv6.IsValid()
	}
	return families
}

// portTable is what the packet filter is to hold.
func (m *Manager) portTable() network.Ports {
	addresses := map[string]network.Addresses{}
	hairpin := network.Set[string]{}
	for name, p := range m.ports.places {
		addresses[name] = p.Addresses
		if p.link != "" {
			hairpin.Add(p.link)
		}
	}
	loopback := network.Loopback{Ports: m.ports.list, Addresses: addresses}
	return network.Ports{
		Forward: network.Forward(m.ports.list, addresses), Loopback: loopback.PortMap(m.Proxy.Lead(loopback)), Hairpin: hairpin,
	}
}

// forgetFlows has connections end that go on to where a port does not lead any more; now is what the packet filter holds.
func (m *Manager) forgetFlows(now network.Ports) {
	added, removed := now.Missing(m.ports.table), m.ports.table.Missing(now)
	m.ports.table = now
	for _, change := range []struct{ added, removed network.PortMap }{{added.Forward, removed.Forward}, {added.Loopback, removed.Loopback}} {
		if len(change.added)+len(change.removed) == 0 {
			continue
		}
		local := func(a netip.Addr) bool { _, found := m.ports.local[a]; return found || a.IsLoopback() }
		if err := m.ForgetFlows(network.StaleFlows(change.added, change.removed, local)); err != nil {
			m.Report(Warning, err.Error())
		}
	}
}

// warnOfConflicts reports each port that a container does not get, once.
func (m *Manager) warnOfConflicts() {
	broken := map[string]bool{}
	for _, c := range m.ports.conflicts {
		text := c.Machine + ": " + c.String()
		if broken[text] = true; !m.ports.broken[text] {
			m.Report(Warning, text)
		}
	}
	m.ports.broken = broken
}

// reportPlaces reports where the ports of machines lead, when that changes.
func (m *Manager) reportPlaces(places map[string]place) {
	for _, name := range slices.Sorted(maps.Keys(places)) {
		if now, before := places[name], m.ports.places[name]; now.Addresses != before.Addresses {
			m.Report(Info, fmt.Sprintf("%s: ports lead to %s", name, now.describe()))
		}
	}
}

func (p place) describe() string {
	switch {
	case !p.IPv4.IsValid() && !p.IPv6.IsValid():
		return "no address"
	case !p.IPv6.IsValid():
		return p.IPv4.String()
	case !p.IPv4.IsValid():
		return p.IPv6.String()
	}
	return p.IPv4.String() + ", " + p.IPv6.String()
}

// PortsStatus is what is published, as ports.json has it.
type PortsStatus struct {
	Version int          `json:"version"` // 1
	Ports   []PortStatus `json:"ports"`
}

// PortStatus is one Port= line of a container that runs.
type PortStatus struct {
	network.MachinePort
	Machine string       `json:"machine"`
	Targets []netip.Addr `json:"targets,omitempty"` // the addresses of the container; none: not known yet
	Owner   string       `json:"owner,omitempty"`   // the container that has the port instead
}

// PortsStatus returns the ports in the order of the containers' beginnings, and then those that another container has.
func (m *Manager) PortsStatus() PortsStatus {
	status := PortsStatus{Version: 1, Ports: []PortStatus{}}
	for _, p := range m.ports.list {
		s := PortStatus{MachinePort: p.MachinePort, Machine: p.Machine}
		for _, a := range []netip.Addr{m.ports.places[p.Machine].IPv4, m.ports.places[p.Machine].IPv6} {
			if a.IsValid() {
				s.Targets = append(s.Targets, a)
			}
		}
		status.Ports = append(status.Ports, s)
	}
	for _, c := range m.ports.conflicts {
		status.Ports = append(status.Ports, PortStatus{MachinePort: c.Port, Machine: c.Machine, Owner: c.Owner})
	}
	return status
}

// savePorts writes ports.json when it says something new.
func (m *Manager) savePorts() {
	data, err := json.MarshalIndent(m.PortsStatus(), "", "\t")
	sum := sha256.Sum256(data)
	if err == nil && sum == m.ports.saved {
		return
	}
	if err == nil {
		err = m.Runtime.Save(PortsFile, data)
	}
	if err != nil {
		m.Report(Warning, fmt.Sprintf("save %s: %v", PortsFile, err))
		return
	}
	m.ports.saved = sum
}
