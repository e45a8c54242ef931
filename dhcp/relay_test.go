package dhcp

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var agent = Relay{netip.MustParseAddr("10.9.0.1"), "link", "host"}

func TestRelayRequest(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(m *dhcpv4.DHCPv4)
		ok     bool
		giaddr string
		option string
	}{
		{"of a client", func(*dhcpv4.DHCPv4) {}, true, "10.9.0.1", "\x01\x04link\x02\x04host"},
		{"of another agent", func(m *dhcpv4.DHCPv4) { m.GatewayIPAddr = net.IPv4(10, 8, 0, 1) }, true, "10.8.0.1", ""},
		{"after 16 agents", func(m *dhcpv4.DHCPv4) { m.HopCount = 16 }, false, "", ""},
		{"in our name", func(m *dhcpv4.DHCPv4) { m.GatewayIPAddr = net.IPv4(10, 9, 0, 1) }, false, "", ""},
		{"with an option of agents", func(m *dhcpv4.DHCPv4) { m.Options[82] = []byte{1, 1, 'x'} }, false, "", ""},
		{"a reply", func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootReply }, false, "", ""},
	} {
		m, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1})
		if err != nil {
			t.Fatal(err)
		}
		test.change(m)
		packet, err := agent.Request(m.ToBytes())
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			continue
		}
		got, err := dhcpv4.FromBytes(packet)
		if err != nil || got.GatewayIPAddr.String() != test.giaddr || got.HopCount != m.HopCount+1 || string(got.Options[82]) != test.option {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

func TestRelayReply(t *testing.T) {
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}, YourIPAddr: net.IPv4(10, 9, 0, 5),
		GatewayIPAddr: net.IPv4(10, 9, 0, 1), Options: dhcpv4.Options{53: {2}, 82: {1, 1, 'x'}}}
	packet, to, err := agent.Reply(m.ToBytes())
	if err != nil || to != (Destination{netip.MustParseAddrPort("10.9.0.5:68"), HardwareAddr{2, 0, 0, 0, 0, 1}}) {
		t.Errorf("to %v, %v", to, err)
	}
	if got, err := dhcpv4.FromBytes(packet); err != nil || got.Options.Has(dhcpv4.OptionRelayAgentInformation) {
		t.Errorf("%v, %v", got, err)
	}
	m.GatewayIPAddr = net.IPv4(10, 8, 0, 1)
	if _, _, err := agent.Reply(m.ToBytes()); err == nil {
		t.Error("a reply for another agent was taken")
	}
}

func FuzzRelay(f *testing.F) {
	m, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.ToBytes())
	m.OpCode, m.GatewayIPAddr = dhcpv4.OpcodeBootReply, net.IPv4(10, 9, 0, 1)
	f.Add(m.ToBytes())
	f.Fuzz(func(t *testing.T, packet []byte) {
		if request, err := agent.Request(packet); err == nil {
			if m, err := dhcpv4.FromBytes(request); err != nil || m.HopCount > maxHops || !given(m.GatewayIPAddr).IsValid() {
				t.Errorf("relays %v, %v", m, err)
			}
		}
		if reply, to, err := agent.Reply(packet); err == nil && (len(reply) == 0 || !to.Address.IsValid()) {
			t.Errorf("%d bytes to %v", len(reply), to)
		}
	})
}
