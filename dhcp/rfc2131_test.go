package dhcp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The client of the tables below, which has 10.0.0.5 for an hour, and another one, which has 10.0.0.6.
const (
	ours   = 1
	others = 2
)

// leased returns a server with the two leases.
func leased(t *testing.T) *Server {
	server := newServer(t, vethConfig())
	for n, address := range map[int]string{ours: "10.0.0.5", others: "10.0.0.6"} {
		if got := obtain(t, server, start(), mac(n), wants(address)); got.String() != address {
			t.Fatalf("client %d asked for %s, got %v", n, address, got)
		}
	}
	return server
}

// RFC 2131, section 4.3, row by row.
func TestReply(t *testing.T) {
	type modifiers = []dhcpv4.Modifier
	const none = dhcpv4.MessageTypeNone
	const discover, request, inform = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform
	const offer, ack, nak = dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak
	late := 2 * time.Hour // both leases are over
	for _, test := range []struct {
		name   string
		client int
		after  time.Duration
		kind   dhcpv4.MessageType
		with   modifiers
		answer dhcpv4.MessageType
		yiaddr string
		to     string
		err    string
	}{
		// 4.3.1 DHCPDISCOVER
		{"current binding", ours, 0, discover, nil, offer, "10.0.0.5", "10.0.0.5:68 02:00:00:00:00:01", ""},
		{"previous address", ours, late, discover, modifiers{wants("10.0.0.9")}, offer, "10.0.0.5", "10.0.0.5:68 02:00:00:00:00:01", ""},
		{"requested address", 3, 0, discover, modifiers{wants("10.0.0.9")}, offer, "10.0.0.9", "10.0.0.9:68 02:00:00:00:00:03", ""},
		{"requested address of another", 3, 0, discover, modifiers{wants("10.0.0.5")}, offer, "10.0.0.7", "10.0.0.7:68 02:00:00:00:00:03", ""},
		{"requested address elsewhere", 3, 0, discover, modifiers{wants("192.0.2.1")}, offer, "10.0.0.7", "10.0.0.7:68 02:00:00:00:00:03", ""},
		{"the server's address", 3, 0, discover, modifiers{wants("10.0.0.1")}, offer, "10.0.0.7", "10.0.0.7:68 02:00:00:00:00:03", ""},
		{"broadcast flag", ours, 0, discover, modifiers{dhcpv4.WithBroadcast(true)}, offer, "10.0.0.5", "255.255.255.255:68", ""},
		{"through a relay", ours, 0, discover, modifiers{dhcpv4.WithRelay([]byte{10, 0, 0, 14})}, offer, "10.0.0.5", "10.0.0.14:67", ""},
		{"through a foreign relay", ours, 0, discover, modifiers{dhcpv4.WithRelay([]byte{192, 0, 2, 1})}, none, "", "", "relay agent 192.0.2.1 is not in 10.0.0.0/28"},
		// 4.3.2 SELECTING
		{"selecting", ours, 0, request, modifiers{selects("10.0.0.1"), wants("10.0.0.5")}, ack, "10.0.0.5", "10.0.0.5:68 02:00:00:00:00:01", ""},
		{"selecting another server", ours, 0, request, modifiers{selects("10.0.0.2"), wants("10.0.0.5")}, none, "", "", ""},
		{"selecting without an offer", 3, 0, request, modifiers{selects("10.0.0.1"), wants("10.0.0.9")}, ack, "10.0.0.9", "10.0.0.9:68 02:00:00:00:00:03", ""},
		{"selecting another's address", 3, 0, request, modifiers{selects("10.0.0.1"), wants("10.0.0.5")}, nak, "", "255.255.255.255:68", "address is not available"},
		{"selecting a second address", ours, 0, request, modifiers{selects("10.0.0.1"), wants("10.0.0.9")}, nak, "", "255.255.255.255:68", "lease of another address"},
		{"selecting with ciaddr", ours, 0, request, modifiers{selects("10.0.0.1"), from("10.0.0.9")}, nak, "", "255.255.255.255:68", "lease of another address"},
		{"selecting nothing", ours, 0, request, modifiers{selects("10.0.0.1")}, none, "", "", "without an address"},
		// 4.3.2 INIT-REBOOT
		{"reboot", ours, 0, request, modifiers{wants("10.0.0.5")}, ack, "10.0.0.5", "10.0.0.5:68 02:00:00:00:00:01", ""},
		{"reboot after the lease", ours, late, request, modifiers{wants("10.0.0.5")}, ack, "10.0.0.5", "10.0.0.5:68 02:00:00:00:00:01", ""},
		{"reboot, wrong network", ours, 0, request, modifiers{wants("192.0.2.5")}, nak, "", "255.255.255.255:68", "not on this network"},
		{"reboot, wrong network, relay", ours, 0, request, modifiers{wants("192.0.2.5"), dhcpv4.WithRelay([]byte{10, 0, 0, 14})}, nak, "", "10.0.0.14:67", "not on this network"},
		{"reboot, wrong address", ours, 0, request, modifiers{wants("10.0.0.7")}, nak, "", "255.255.255.255:68", "lease of another address"},
		{"reboot, unknown client", 3, 0, request, modifiers{wants("10.0.0.7")}, none, "", "", ""},
		{"reboot, unknown client, wrong network", 3, 0, request, modifiers{wants("192.0.2.7")}, nak, "", "255.255.255.255:68", "not on this network"},
		// 4.3.2 RENEWING and REBINDING differ in how they were sent, not in what they say
		{"renew", ours, 30 * time.Minute, request, modifiers{from("10.0.0.5")}, ack, "10.0.0.5", "10.0.0.5:68", ""},
		{"renew late", ours, late, request, modifiers{from("10.0.0.5")}, ack, "10.0.0.5", "10.0.0.5:68", ""},
		{"renew another's", 3, 0, request, modifiers{from("10.0.0.5")}, nak, "", "255.255.255.255:68", "not available"},
		{"renew, lease unknown", 3, 0, request, modifiers{from("10.0.0.9")}, ack, "10.0.0.9", "10.0.0.9:68", ""},
		{"renew, wrong network", ours, 0, request, modifiers{from("192.0.2.5")}, nak, "", "255.255.255.255:68", "not on this network"},
		{"renew the broadcast address", 3, 0, request, modifiers{from("10.0.0.15")}, nak, "", "255.255.255.255:68", "not on this network"},
		// 4.3.3 DHCPDECLINE, 4.3.4 DHCPRELEASE: no answer
		{"decline", ours, 0, dhcpv4.MessageTypeDecline, modifiers{wants("10.0.0.5")}, none, "", "", "in use by somebody else"},
		{"decline another's", 3, 0, dhcpv4.MessageTypeDecline, modifiers{wants("10.0.0.5")}, none, "", "", ""},
		{"release", ours, 0, dhcpv4.MessageTypeRelease, modifiers{from("10.0.0.5")}, none, "", "", ""},
		// 4.3.5 DHCPINFORM
		{"inform", 3, 0, inform, modifiers{from("10.0.0.9")}, ack, "", "10.0.0.9:68", ""},
		{"inform from nowhere", 3, 0, inform, nil, none, "", "", ""},
		{"inform from elsewhere", 3, 0, inform, modifiers{from("192.0.2.5")}, none, "", "", ""},
		// what no client sends
		{"an offer", 3, 0, offer, nil, none, "", "", "not a client's"},
		{"BOOTP", 3, 0, none, nil, none, "", "", "not a client's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			reply, err := leased(t).Reply(ask(test.kind, mac(test.client), test.with...), start().Add(test.after))
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			checkReply(t, reply, test.answer, test.yiaddr, test.to)
		})
	}
}

func checkReply(t *testing.T, reply *dhcpv4.DHCPv4, kind dhcpv4.MessageType, yiaddr, to string) {
	t.Helper()
	if reply == nil {
		if kind != dhcpv4.MessageTypeNone {
			t.Errorf("no answer, want %v", kind)
		}
		return
	}
	address := ""
	if given(reply.YourIPAddr).IsValid() {
		address = reply.YourIPAddr.String()
	}
	destination := ReplyTo(reply)
	where := destination.Address.String()
	if destination.Hardware != (HardwareAddr{}) {
		where += " " + destination.Hardware.String()
	}
	if reply.MessageType() != kind || address != yiaddr || where != to {
		t.Errorf("%v of %q to %s, want %v of %q to %s", reply.MessageType(), address, where, kind, yiaddr, to)
	}
	hasTime := reply.Options.Has(dhcpv4.OptionIPAddressLeaseTime)
	if hasTime != (yiaddr != "") {
		t.Errorf("lease time present: %v", hasTime)
	}
}

func TestDecline(t *testing.T) {
	server := leased(t)
	if _, err := server.Reply(ask(dhcpv4.MessageTypeDecline, mac(ours), wants("10.0.0.5")), start()); err == nil {
		t.Error("a conflict was not reported")
	}
	if got := obtain(t, server, start(), mac(ours), wants("10.0.0.5")); got.String() == "10.0.0.5" {
		t.Error("the declined address was given out again")
	}
	later := start().Add(declineTime * time.Second)
	if got := obtain(t, server, later, mac(3), wants("10.0.0.5")); got.String() != "10.0.0.5" {
		t.Errorf("after the time set aside: got %v", got)
	}
}

func TestRelease(t *testing.T) {
	for _, test := range []struct {
		name    string
		request *dhcpv4.DHCPv4
		free    bool
	}{
		{"own", ask(dhcpv4.MessageTypeRelease, mac(ours), from("10.0.0.5")), true},
		{"another's address", ask(dhcpv4.MessageTypeRelease, mac(others), from("10.0.0.5")), false},
		{"another's identifier", ask(dhcpv4.MessageTypeRelease, mac(3), from("10.0.0.5"), calls("\x01\x02\x00\x00\x00\x00\x01")), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := leased(t)
			server.Reply(test.request, start())
			if free := server.leases.vacant(number(netip.MustParseAddr("10.0.0.5"))); free != test.free {
				t.Errorf("address free: %v", free)
			}
		})
	}
}

// A released address is remembered: the client gets it again, others get it last.
func TestReleasedAddressIsKept(t *testing.T) {
	server := leased(t)
	server.Reply(ask(dhcpv4.MessageTypeRelease, mac(ours), from("10.0.0.5")), start())
	for n := 3; n < 14; n++ {
		if got := obtain(t, server, start(), mac(n)); got.String() == "10.0.0.5" {
			t.Fatalf("client %d got the address with others free", n)
		}
	}
	if got := obtain(t, server, start(), mac(ours)); got.String() != "10.0.0.5" {
		t.Errorf("got %v", got)
	}
	server.Reply(ask(dhcpv4.MessageTypeRelease, mac(ours), from("10.0.0.5")), start())
	if got := obtain(t, server, start(), mac(99)); got.String() != "10.0.0.5" {
		t.Errorf("the last address was not given out: got %v", got)
	}
}
