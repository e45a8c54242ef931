package dhcp

import (
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// What is said of a client without a lease.
func TestOutcome(t *testing.T) {
	now := start()
	discover := func(s *Server) { s.Reply(ask(dhcpv4.MessageTypeDiscover, mac(1)), now) }
	decline := func(s *Server) {
		address := obtain(t, s, now, mac(1))
		s.Reply(ask(dhcpv4.MessageTypeDecline, mac(1), wants(address.String())), now)
	}
	for _, test := range []struct {
		name string
		do   func(s *Server)
		want string
	}{
		{"silent", func(*Server) {}, "no DHCP request came"},
		{"offered", discover, "it was offered 10.0.0.7 and does not ask for it"},
		{"another server", func(s *Server) {
			discover(s)
			s.Reply(ask(dhcpv4.MessageTypeRequest, mac(1), selects("10.0.0.9"), wants("10.0.0.8")), now)
		}, "it chose another DHCP server, 10.0.0.9"},
		{"refused", func(s *Server) {
			for n := 2; n < 15; n++ {
				obtain(t, s, now, mac(n))
			}
			discover(s)
		}, "its DHCP request was refused: no free address in the pool of 14; a larger subnet or PoolSize= has more"},
		{"unknown to us", func(s *Server) {
			s.Reply(ask(dhcpv4.MessageTypeRequest, mac(1), wants("10.0.0.8")), now)
		}, "its DHCP requests need no answer"},
		{"declined", decline, "it declined 10.0.0.7, which is in use by somebody else"},
		{"declined, and offered another one", func(s *Server) { decline(s); discover(s) }, "it declined 10.0.0.7, which is in use by somebody else"},
		{"declined what it did not have", func(s *Server) {
			discover(s)
			s.Reply(ask(dhcpv4.MessageTypeDecline, mac(1), wants("10.0.0.8")), now)
		}, "it was offered 10.0.0.7 and does not ask for it"},
		{"declined, and refused", func(s *Server) {
			decline(s)
			for n := 2; n < 14; n++ {
				obtain(t, s, now, mac(n))
			}
			discover(s)
		}, "its DHCP request was refused: no free address in the pool of 14; a larger subnet or PoolSize= has more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := vethConfig()
			config.Now = func() time.Time { return now }
			server := newServer(t, config)
			test.do(server)
			got := server.Outcome(mac(1))
			if got.String() != test.want || got.Leased {
				t.Errorf("%+v: %q, want %q", got, got, test.want)
			}
		})
	}
}

// A lease of the journal is one, but nobody asked for it yet; when it is over there is none.
func TestOutcomeOfLease(t *testing.T) {
	now := start()
	config := vethConfig()
	config.Now = func() time.Time { return now }
	first := newServer(t, config)
	obtain(t, first, now, mac(1))
	if got := first.Outcome(mac(1)); !got.Leased || !got.Heard || first.Outcome(mac(2)).Leased {
		t.Errorf("%+v", got)
	}
	second := newServer(t, config)
	for lease := range first.Leases() {
		if err := second.Restore(lease, now); err != nil {
			t.Fatal(err)
		}
	}
	if got := second.Outcome(HardwareAddr{}); !got.Leased || got.Heard {
		t.Errorf("%+v", got)
	}
	now = now.Add(24 * time.Hour)
	if got := second.Outcome(mac(1)); got.Leased {
		t.Errorf("%+v", got)
	}
}

// Clients that invent addresses cannot make the server remember them all.
func TestOutcomesAreBounded(t *testing.T) {
	server := newServer(t, vethConfig())
	for n := range 1000 {
		server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(n)), start())
	}
	if n := len(server.outcomes.byHardware); n != maxOutcomes {
		t.Errorf("%d outcomes", n)
	}
	if !server.Outcome(mac(999)).Asked {
		t.Error("the latest is forgotten")
	}
}

// A client that gets another address after it declined one has nothing to be said of it; that holds for the only client of a link, too.
func TestOutcomeAfterDecline(t *testing.T) {
	now := start()
	config := vethConfig()
	config.Now = func() time.Time { return now }
	server := newServer(t, config)
	declined := obtain(t, server, now, mac(1))
	server.Reply(ask(dhcpv4.MessageTypeDecline, mac(1), wants(declined.String())), now)
	if got := server.Outcome(HardwareAddr{}); got.Declined != declined || got.Leased {
		t.Errorf("%+v", got)
	}
	obtain(t, server, now, mac(1))
	for _, client := range []HardwareAddr{{}, mac(1)} {
		if got := server.Outcome(client); got.Declined.IsValid() || !got.Leased {
			t.Errorf("%+v", got)
		}
	}
}
