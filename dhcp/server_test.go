package dhcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// start is the wall clock at the beginning of each test.
func start() time.Time { return time.Unix(1_700_000_000, 0) }

// vethConfig is what networkd-lite serves on a ve- link.
func vethConfig() Config {
	server := netip.MustParsePrefix("10.0.0.1/28")
	return Config{Link: "ve-web", ServerAddress: server, Router: server.Addr(), DNS: []netip.Addr{server.Addr()}}
}

func newServer(t testing.TB, config Config) *Server {
	t.Helper()
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// mac is the hardware address number n.
func mac(n int) HardwareAddr {
	return HardwareAddr{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// ask builds a client's request.
func ask(kind dhcpv4.MessageType, hardware HardwareAddr, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	request := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, ClientHWAddr: hardware[:],
		TransactionID: dhcpv4.TransactionID{1, 2, 3, 4},
		ClientIPAddr:  net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{},
	}
	request.UpdateOption(dhcpv4.OptMessageType(kind))
	for _, modify := range modifiers {
		modify(request)
	}
	return request
}

func wants(address string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(address)))
}

func selects(server string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(server)))
}

func from(address string) dhcpv4.Modifier { return dhcpv4.WithClientIP(net.ParseIP(address).To4()) }

func calls(identifier string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte(identifier)))
}

// obtain runs DISCOVER, OFFER, REQUEST, ACK and returns the address.
func obtain(t testing.TB, server *Server, now time.Time, hardware HardwareAddr, modifiers ...dhcpv4.Modifier) netip.Addr {
	t.Helper()
	offer, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, hardware, modifiers...), now)
	if err != nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
		t.Fatalf("DISCOVER from %v: %v, %v", hardware, offer, err)
	}
	request := ask(dhcpv4.MessageTypeRequest, hardware, append(modifiers,
		wants(offer.YourIPAddr.String()), selects(server.Address().String()))...)
	ack, err := server.Reply(request, now)
	if err != nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Fatalf("REQUEST from %v: %v, %v", hardware, ack, err)
	}
	if !ack.YourIPAddr.Equal(offer.YourIPAddr) {
		t.Fatalf("%v was offered %v and got %v", hardware, offer.YourIPAddr, ack.YourIPAddr)
	}
	return given(ack.YourIPAddr)
}

func TestObtain(t *testing.T) {
	server := newServer(t, vethConfig())
	seen := map[netip.Addr]bool{}
	for n := range 13 {
		address := obtain(t, server, start(), mac(n))
		if seen[address] || address == server.Address() || !server.policy.assignable(address) {
			t.Errorf("client %d got %v", n, address)
		}
		seen[address] = true
		if again := obtain(t, server, start(), mac(n)); again != address {
			t.Errorf("client %d got %v, then %v", n, address, again)
		}
	}
	if reply, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(99)), start()); reply != nil || err == nil {
		t.Errorf("full pool: %v, %v", reply, err)
	}
}
