package manager

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"testing/fstest"

	"nspawnkit/network"
)

// published is what a [host] has for ports.
type published struct {
	leases     map[string]netip.Addr // by link
	neighbours []network.Neighbour
	flows      []network.Flow
}

// publish makes the host that of a manager.
func (h *host) publish(m *Manager) {
	m.Lease = func(link network.Link, _ network.HardwareAddr) netip.Addr { return h.leases[link.Name] }
	m.Proxy = h
	m.Neighbours = func() ([]network.Neighbour, error) { return h.neighbours, nil }
	m.ForgetFlows = func(stale func(network.Flow) bool) error {
		h.flows = slices.DeleteFunc(h.flows, stale)
		return nil
	}
}

// Lead is the [Proxy] of a host with one listener.
func (h *host) Lead(l network.Loopback) map[network.Listener]uint16 {
	if len(l.Ports) == 0 {
		return nil
	}
	return map[network.Listener]uint16{{Protocol: "tcp"}: 40000}
}

// updatePorts is what [host.Update] does with ports.
func (h *host) updatePorts(table *network.Firewall, add, remove network.Firewall) {
	change := func(from, add, remove network.PortMap) network.PortMap {
		to := network.PortMap{}
		maps.Copy(to, from)
		for key := range remove {
			delete(to, key)
		}
		maps.Copy(to, add)
		return to
	}
	before := h.table.Ports
	table.Ports.Forward = change(before.Forward, add.Ports.Forward, remove.Ports.Forward)
	table.Ports.Loopback = change(before.Loopback, add.Ports.Loopback, remove.Ports.Loopback)
}

// machine writes the machine file of the container on ve-web.
func (h *host) machine(text string) {
	h.files["run/nspawnkit/machines/web.json"] = &fstest.MapFile{Data: []byte(text)}
}

const webMachine = `{"version":1,"name":"web","began":1,"links":[{"host":"ve-web","containerMAC":"02:00:00:00:00:01"}],
"ports":[{"protocol":"tcp","host":8080,"container":80}]}`

// A port leads to the container while that has a link and an address, and its connections end with it.
func TestPorts(t *testing.T) {
	h, m := running(t)
	h.machine(webMachine)
	h.look(m, "")
	if len(h.table.Ports.Forward) != 0 {
		t.Errorf("without an address: %v", h.table.Ports)
	}
	h.leases = map[string]netip.Addr{"ve-web": netip.MustParseAddr("192.168.177.55")}
	h.look(m, "<6>web: ports lead to 192.168.177.55")
	key := network.PortKey{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Protocol: 6, First: 8080, Last: 8080}
	if got := h.table.Ports.Forward[key]; got.String() != "192.168.177.55:80" {
		t.Errorf("table %v", h.table.Ports)
	}
	to := netip.MustParseAddrPort
	other := network.Flow{Protocol: 6, Destination: to("192.0.2.1:22"), Answers: to("192.0.2.1:22")}
	h.flows = []network.Flow{{Protocol: 6, Destination: to("192.0.2.1:8080"), Answers: to("192.168.177.55:80")}, other}
	h.look(m, "")
	if len(h.flows) != 2 {
		t.Errorf("connections left: %v", h.flows)
	}
	h.remove(3)
	h.look(m, "<6>ve-web: gone", "-ve-web")
	if len(h.table.Ports.Forward) != 0 || !slices.Equal(h.flows, []network.Flow{other}) {
		t.Errorf("after the end: %v, connections %v", h.table.Ports, h.flows)
	}
	if got := m.PortsStatus().Ports; len(got) != 0 {
		t.Errorf("status %v", got)
	}
}
