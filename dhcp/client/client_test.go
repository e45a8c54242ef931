package client_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"nspawnkit/dhcp"
	"nspawnkit/dhcp/client"
)

// begun is when the tests begin, since the host was started.
const begun = 1000 * time.Second

func hardware() [6]byte { return [6]byte{2, 0, 0, 0, 0, 1} }

// newServer is one of ours, for 10.0.0.0/28.
func newServer(t *testing.T, change func(*dhcp.Config)) *dhcp.Server {
	t.Helper()
	config := dhcp.Config{
		Link: "ve-web", ServerAddress: netip.MustParsePrefix("10.0.0.1/28"), PoolOffset: 2, PoolSize: 13,
		DefaultLeaseTime: time.Hour, MaxLeaseTime: 12 * time.Hour, RapidCommit: true, Now: time.Now,
		Router: netip.MustParseAddr("10.0.0.1"), DNS: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Domain: "nspawn.internal",
	}
	change(&config)
	server, err := dhcp.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// talk is a client and the time.
type talk struct {
	*testing.T
	client.Client
	now    time.Duration
	wall   time.Time
	random uint32
}

func newTalk(t *testing.T) *talk {
	return &talk{T: t, now: begun, wall: time.Unix(1e9, 0), Client: client.Client{
		Identity: client.Identity{Hardware: hardware(), HostName: "web"}, State: client.Selecting, Began: begun,
	}}
}

// act waits until the client acts, which goes on as another program might have it, and reads its message with another codec.
func (k *talk) act() (*dhcpv4.DHCPv4, *client.Message, client.Change) {
	k.Helper()
	data, err := json.Marshal(&k.Client)
	if err != nil {
		k.Fatal(err)
	}
	k.Client = client.Client{}
	if err := json.Unmarshal(data, &k.Client); err != nil {
		k.Fatal(err)
	}
	k.pass(max(k.Due-k.now, 0))
	k.random += 7919
	message, change := k.Act(k.now, k.random)
	if message == nil {
		return nil, nil, change
	}
	request, err := dhcpv4.FromBytes(message.Payload)
	if err != nil {
		k.Fatalf("cannot be read: %v", err)
	}
	if request.HostName() != "web" || request.ClientHWAddr.String() != "02:00:00:00:00:01" || len(message.Payload) < 300 {
		k.Errorf("%d bytes: %v", len(message.Payload), request.Summary())
	}
	return request, message, change
}

func (k *talk) pass(d time.Duration) { k.now, k.wall = k.now+d, k.wall.Add(d) }

// exchange has a server answer what the client sends, if it does.
func (k *talk) exchange(server *dhcp.Server) (*dhcpv4.DHCPv4, client.Change) {
	k.Helper()
	request, _, change := k.act()
	if request == nil || change.Old != nil {
		return request, change
	}
	reply, _ := server.Reply(request, k.wall)
	if reply == nil {
		return request, change
	}
	change, err := k.Receive(reply.ToBytes(), k.now)
	if err != nil {
		k.Error(err)
	}
	return request, change
}

func (k *talk) expect(state client.State) {
	k.Helper()
	if k.State != state {
		k.Errorf("%s, want %s", k.State, state)
	}
}

// An exchange of two messages with a server that commits rapidly, of four with another, and what the lease has.
func TestLease(t *testing.T) {
	for rapid, messages := range map[bool][]dhcpv4.MessageType{
		true:  {dhcpv4.MessageTypeDiscover},
		false: {dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest},
	} {
		k := newTalk(t)
		server := newServer(t, func(c *dhcp.Config) { c.RapidCommit = rapid })
		var change client.Change
		for _, want := range messages {
			var request *dhcpv4.DHCPv4
			if request, change = k.exchange(server); request.MessageType() != want {
				t.Errorf("%v, want %v", request.MessageType(), want)
			}
		}
		k.expect(client.Bound)
		want := &client.Lease{
			Address: change.New.Address, Server: netip.MustParseAddr("10.0.0.1"), DNS: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
			Routes: []client.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1")}},
			Search: []string{"nspawn.internal"},
			Renew:  begun + 30*time.Minute, Rebind: begun + 52*time.Minute + 30*time.Second, Ends: begun + time.Hour,
		}
		if !reflect.DeepEqual(change, client.Change{New: want}) || want.Address.Bits() != 28 || k.Due != want.Renew {
			t.Errorf("%+v", change.New)
		}
		if left := want.Left(k.now + time.Second/2); left != time.Hour-time.Second/2 {
			t.Errorf("%v left", left)
		}
	}
}

// A lease is renewed at the server that gave it, from the address; when that is silent, at any server; then it ends.
func TestRenewal(t *testing.T) {
	server := newServer(t, func(*dhcp.Config) {})
	k := newTalk(t)
	_, change := k.exchange(server)
	address := change.New.Address
	for range 3 {
		old := k.Lease
		request, change := k.exchange(server)
		if !slices.Equal(request.ClientIPAddr.To4(), address.Addr().AsSlice()) || change.Old == nil || change.New.Address != address || change.New.Ends != old.Renew+time.Hour {
			t.Errorf("%v: %+v", request.Summary(), change)
		}
		k.expect(client.Bound)
	}
	lease := k.Lease
	var sent []string
	for k.Lease != nil {
		_, message, change := k.act()
		sent = append(sent, string(k.State)+" "+(k.now-lease.Renew).String()+" to "+message.To.String()+" from "+message.From.String())
		if change.Old != nil && (change.New != nil || change.Old.Address != address || k.now != lease.Ends) {
			t.Errorf("%+v at %v", change, k.now)
		}
	}
	a := address.Addr().String()
	want := []string{
		"renewing 0s to 10.0.0.1 from " + a, "renewing 11m15s to 10.0.0.1 from " + a, "renewing 16m52.5s to 10.0.0.1 from " + a,
		"renewing 19m41.25s to 10.0.0.1 from " + a, "renewing 21m5.625s to 10.0.0.1 from " + a, "renewing 22m5.625s to 10.0.0.1 from " + a,
		"rebinding 22m30s to 255.255.255.255 from " + a, "rebinding 26m15s to 255.255.255.255 from " + a,
		"rebinding 28m7.5s to 255.255.255.255 from " + a, "rebinding 29m7.5s to 255.255.255.255 from " + a,
		"selecting 30m0s to 255.255.255.255 from 0.0.0.0",
	}
	if !slices.Equal(sent, want) {
		t.Errorf("%q", sent)
	}
	if _, change := k.exchange(server); change.New == nil || change.New.Address != address {
		t.Errorf("afterwards %+v", change)
	}
}

// Another server answers the broadcast.
func TestRebinding(t *testing.T) {
	k := newTalk(t)
	k.exchange(newServer(t, func(*dhcp.Config) {}))
	for k.State != client.Rebinding {
		k.act()
	}
	other := newServer(t, func(c *dhcp.Config) { c.DNS = []netip.Addr{netip.MustParseAddr("10.0.0.9")} })
	if _, change := k.exchange(other); change.New == nil || change.New.DNS[0].String() != "10.0.0.9" {
		t.Errorf("%+v", change)
	}
	k.expect(client.Bound)
}

// After a refusal there is no lease, and another one is asked for.
func TestRefusal(t *testing.T) {
	k := newTalk(t)
	_, change := k.exchange(newServer(t, func(*dhcp.Config) {}))
	renumbered := newServer(t, func(c *dhcp.Config) {
		c.ServerAddress, c.Router = netip.MustParsePrefix("10.0.1.1/28"), netip.Addr{}
	})
	request, _, _ := k.act()
	k.expect(client.Renewing)
	reply, _ := renumbered.Reply(request, k.wall)
	if reply.MessageType() != dhcpv4.MessageTypeNak {
		t.Fatal(reply.Summary())
	}
	if _, err := k.Receive(reply.ToBytes(), k.now); err == nil {
		t.Error("believes a server that it has not asked")
	}
	reply.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 1)))
	if lost, err := k.Receive(reply.ToBytes(), k.now); err != nil || lost.Old == nil || lost.New != nil || lost.Old.Address != change.New.Address {
		t.Errorf("%+v, %v", lost, err)
	}
	k.expect(client.Selecting)
	if _, change := k.exchange(renumbered); change.New == nil || change.New.Address.Masked().String() != "10.0.1.0/28" || change.Old != nil {
		t.Errorf("%+v", change)
	}
}

// Who offers and then refuses, or says no more, is asked less and less often.
func TestFailures(t *testing.T) {
	server := newServer(t, func(c *dhcp.Config) { c.RapidCommit = false })
	for name, answer := range map[string]func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4{
		"refuses": func(ack *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			ack.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
			return ack
		},
		"is silent": func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return nil },
	} {
		k := newTalk(t)
		messages := 0
		for k.now < begun+time.Hour {
			request, _, _ := k.act()
			if request == nil {
				continue
			}
			messages++
			reply, _ := server.Reply(request, k.wall)
			if request.MessageType() == dhcpv4.MessageTypeRequest {
				reply = answer(reply)
			}
			if reply == nil {
				continue
			}
			if _, err := k.Receive(reply.ToBytes(), k.now); err != nil {
				t.Error(name, err)
			}
		}
		if messages < 50 || messages > 500 {
			t.Errorf("%s: %d messages in an hour", name, messages)
		}
	}
}

// Without a server there are some messages in the first seconds, and one a minute later on.
func TestNoServer(t *testing.T) {
	k := newTalk(t)
	times := []int{}
	for limit := 5 * time.Second; len(times) < 3; limit *= 20 {
		messages := 0
		for k.Due < begun+limit {
			k.act()
			messages++
		}
		times = append(times, messages)
	}
	if times[0] != 6 || times[1] > 10 || times[2] > 40 {
		t.Errorf("%d messages in 5 seconds, then in 100, then in 2000", times)
	}
	if message, change := k.Act(k.now, 0); message != nil || change != (client.Change{}) {
		t.Error("acts before it is due")
	}
}

// What is no answer to the last question is none.
func TestNotOurs(t *testing.T) {
	for name, change := range map[string]func(*dhcpv4.DHCPv4){
		"transaction":     func(m *dhcpv4.DHCPv4) { m.TransactionID[3]++ },
		"other client":    func(m *dhcpv4.DHCPv4) { m.ClientHWAddr[5]++ },
		"request":         func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootRequest },
		"slow ack":        func(m *dhcpv4.DHCPv4) { delete(m.Options, dhcpv4.OptionRapidCommit.Code()) },
		"nak":             func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak)) },
		"no lease time":   func(m *dhcpv4.DHCPv4) { delete(m.Options, dhcpv4.OptionIPAddressLeaseTime.Code()) },
		"no server":       func(m *dhcpv4.DHCPv4) { delete(m.Options, dhcpv4.OptionServerIdentifier.Code()) },
		"no address":      func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IPv4zero },
		"loopback":        func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IPv4(127, 0, 0, 1) },
		"multicast":       func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IPv4(224, 0, 0, 1) },
		"mask with holes": func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptSubnetMask(net.IPMask{255, 0, 255, 0})) },
	} {
		k := newTalk(t)
		request, _, _ := k.act()
		reply, _ := newServer(t, func(*dhcp.Config) {}).Reply(request, k.wall)
		change(reply)
		before := k.Client
		if got, err := k.Receive(reply.ToBytes(), k.now); err == nil || got != (client.Change{}) || !reflect.DeepEqual(before, k.Client) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A link that shares its hardware address is known by an identifier, and does not receive what is sent to an address that it does not have.
func TestSharedLink(t *testing.T) {
	var addresses []netip.Prefix
	server := newServer(t, func(*dhcp.Config) {})
	for _, identifier := range []string{"\x00one", "\x00two"} {
		k := newTalk(t)
		k.Identifier, k.Broadcast = []byte(identifier), true
		for range 2 { // also when it is renewed
			request, change := k.exchange(server)
			if !request.IsBroadcast() || string(request.GetOneOption(dhcpv4.OptionClientIdentifier)) != identifier {
				t.Errorf("%v", request.Summary())
			}
			addresses = append(addresses, change.New.Address)
		}
	}
	if addresses[0] != addresses[1] || addresses[2] != addresses[3] || addresses[0] == addresses[2] {
		t.Errorf("%v", addresses)
	}
}

// After the carrier was away a client asks whether its lease is still good: it is, it is not, or nobody says so.
func TestReconnect(t *testing.T) {
	server := newServer(t, func(*dhcp.Config) {})
	other := newServer(t, func(c *dhcp.Config) {
		c.ServerAddress, c.Router = netip.MustParsePrefix("10.0.1.1/28"), netip.Addr{}
	})
	k := newTalk(t)
	k.exchange(server)
	address := k.Lease.Address
	k.pass(time.Minute)
	k.Reconnect(k.now)
	request, change := k.exchange(server)
	if !request.ClientIPAddr.IsUnspecified() || request.Options.Has(dhcpv4.OptionServerIdentifier) || !slices.Equal(request.RequestedIPAddress().To4(), address.Addr().AsSlice()) {
		t.Errorf("%v", request.Summary())
	}
	if k.expect(client.Bound); change.New == nil || change.New.Address != address || change.New.Ends != begun+time.Minute+time.Hour {
		t.Errorf("%+v", change)
	}
	k.Reconnect(k.now)
	for k.State != client.Renewing {
		k.act()
	}
	if k.Lease == nil || k.now > begun+2*time.Minute || k.Due < k.now+time.Minute {
		t.Errorf("nobody answers: %+v at %v", k.Client, k.now)
	}
	k.Reconnect(k.now)
	if _, change := k.exchange(other); change.Old == nil || change.New != nil {
		t.Errorf("refused: %+v", change)
	}
	if _, change := k.exchange(other); change.New == nil || change.New.Address.Masked().String() != "10.0.1.0/28" {
		t.Errorf("afterwards: %+v", change)
	}
	without := newTalk(t)
	for range 10 {
		without.act()
	}
	without.Reconnect(without.now)
	if without.expect(client.Selecting); without.Due != without.now {
		t.Errorf("without a lease: due in %v", without.Due-without.now)
	}
}
