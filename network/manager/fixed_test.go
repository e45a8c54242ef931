package manager

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// A container with fixed addresses finds the host's side in their networks; on its own link that takes the place of a chosen subnet.
func TestFixedAddresses(t *testing.T) {
	h := newHost(t)
	h.add(2, "eth0", "")
	h.add(3, "ve-web", "veth")
	const machine = `{"version":1,"name":%q,"links":[{"host":%q,"bridge":%q,"container":"host0","containerMAC":"02:00:00:00:00:0%d","addresses":[%s]}]}`
	add := func(name, host, bridge string, number int, addresses string) {
		h.files["run/nspawnkit/machines/"+name+".json"] = &fstest.MapFile{Data: fmt.Appendf(nil, machine, name, host, bridge, number, addresses)}
	}
	add("web", "ve-web", "", 1, `"10.1.2.3/24","fd01::3/64"`)
	add("db", "vb-db", "vz-app", 2, `"10.5.5.1/24"`)
	m := h.start()
	h.look(m, forwarding+"<6>ve-web: 10.1.2.1/24, fd01::1/64, DHCP server, masquerading", "+ve-web 10.1.2.1/24 yes")
	h.add(4, "vz-app", "bridge")
	h.look(m, "<6>vz-app: 192.168.230.241/28, 10.5.5.2/24, DHCP server, masquerading", "+vz-app 192.168.230.241/28 yes")
	if lease := m.links[3].server.config.StaticLeases; len(lease) != 1 || lease[0].Address != netip.MustParseAddr("10.1.2.3") {
		t.Errorf("reservations %v", lease)
	}
}

func TestFixedReservations(t *testing.T) {
	container := func(number byte, addresses ...string) network.Machine {
		l := network.MachineLink{Host: "vb-x", Bridge: "vz-app", ContainerMAC: fmt.Sprintf("02:00:00:00:00:%02x", number)}
		for _, a := range addresses {
			l.Addresses = append(l.Addresses, netip.MustParsePrefix(a))
		}
		return network.Machine{Links: []network.MachineLink{l}}
	}
	config := dhcp.Config{
		ServerAddress: netip.MustParsePrefix("10.0.0.1/28"),
		StaticLeases:  []dhcp.StaticLease{{MACAddress: dhcp.HardwareAddr{2, 0, 0, 0, 0, 1}, Address: netip.MustParseAddr("10.0.0.9")}},
	}
	addFixed(&config, "vz-app", network.Machines{
		container(1, "10.0.0.2/28"),                                // reserved by a file
		container(2, "10.0.0.9/28"),                                // its address is
		container(3, "10.0.0.1/28"),                                // the host's own
		container(4, "10.0.0.15/24", "10.0.0.16/24", "fd00::2/64"), // not of this network
		container(5, "10.0.0.5/28", "10.0.0.6/28"),
	})
	if got := fmt.Sprint(config.StaticLeases[1:]); got != "[{02:00:00:00:00:05 10.0.0.5 }]" {
		t.Errorf("reservations %s", got)
	}
}
