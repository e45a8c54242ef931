package dhcp

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// segment is a link on which some addresses are in use.
type segment struct {
	mu     sync.Mutex
	used   map[netip.Addr]bool
	probed []netip.Addr
	err    error
}

func (s *segment) probe(address netip.Addr) (HardwareAddr, error) {
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probed = append(s.probed, address)
	if s.used[address] {
		return mac(99), s.err
	}
	return HardwareAddr{}, s.err
}

// serveSegment serves a link; stop ends it and returns what was reported.
func serveSegment(t *testing.T, s *segment, config Config) (conn *wire, stop func() []string) {
	config.Probe = s.probe
	conn = newWire()
	var problems []string
	end := conn.respond(conn, newServer(t, config), nil, func(problem error) { problems = append(problems, problem.Error()) })
	return conn, func() []string {
		end()
		return problems
	}
}

// An address that a client did not have before is probed first, and no other request waits for that.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segment{used: map[netip.Addr]bool{netip.MustParseAddr("10.0.0.5"): true}}
		conn, stop := serveSegment(t, s, vethConfig())
		began := time.Now()
		discover := ask(dhcpv4.MessageTypeDiscover, mac(1), wants("10.0.0.5")).ToBytes()
		conn.requests <- discover
		conn.requests <- discover // again, while it is probed
		conn.requests <- ask(dhcpv4.MessageTypeInform, mac(3), from("10.0.0.7")).ToBytes()
		if first := <-conn.replies; first.MessageType() != dhcpv4.MessageTypeAck || time.Since(began) != 0 {
			t.Errorf("%v after %v", first.MessageType(), time.Since(began))
		}
		offer := <-conn.replies
		if offer.YourIPAddr.String() == "10.0.0.5" || time.Since(began) != 200*time.Millisecond {
			t.Errorf("offered %v after %v", offer.YourIPAddr, time.Since(began))
		}
		address := offer.YourIPAddr.String()
		conn.requests <- ask(dhcpv4.MessageTypeRequest, mac(1), wants(address), selects("10.0.0.1")).ToBytes()
		if ack := <-conn.replies; ack.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("%v", ack)
		}
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(1)).ToBytes() // its own by now
		<-conn.replies
		conn.requests <- ask(dhcpv4.MessageTypeRelease, mac(1), from(address)).ToBytes()
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(1)).ToBytes() // and once more
		<-conn.replies
		if len(s.probed) != 2 || time.Since(began) != 200*time.Millisecond {
			t.Errorf("probed %v in %v", s.probed, time.Since(began))
		}
		problems := stop()
		want := "ve-web: 10.0.0.5 is in use by 02:00:00:00:00:63, which has no lease: not given to others for 10 minutes"
		if len(problems) != 1 || problems[0] != want {
			t.Errorf("problems %q", problems)
		}
	})
}

// An administrator's static lease and a client behind a relay agent are not probed for; a probe that fails keeps nobody waiting.
func TestNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segment{}
		config := vethConfig()
		config.StaticLeases = []StaticLease{{mac(1), netip.MustParseAddr("10.0.0.2"), ""}}
		conn, stop := serveSegment(t, s, config)
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(1)).ToBytes()
		<-conn.replies
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(2), dhcpv4.WithRelay([]byte{10, 0, 0, 14})).ToBytes()
		<-conn.replies
		if len(s.probed) > 0 {
			t.Errorf("probed %v", s.probed)
		}
		s.err = errors.New("no socket")
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(3)).ToBytes()
		<-conn.replies
		if problems := stop(); len(problems) != 1 || !strings.Contains(problems[0], "no socket") {
			t.Errorf("problems %q", problems)
		}
	})
}

// A flood of clients starts a bounded number of probes, and the next request of a client that was passed over is answered.
func TestProbeFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segment{}
		conn, stop := serveSegment(t, s, wide())
		for n := range 2 * maxProbes {
			conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(n)).ToBytes()
		}
		synctest.Wait()
		time.Sleep(150 * time.Millisecond)
		if len(s.probed) != maxProbes || len(conn.replies) != maxProbes {
			t.Errorf("%d probes, %d replies", len(s.probed), len(conn.replies))
		}
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(2*maxProbes-1)).ToBytes()
		time.Sleep(150 * time.Millisecond)
		if len(conn.replies) != maxProbes+1 {
			t.Errorf("%d replies", len(conn.replies))
		}
		stop()
	})
}

// What a client had before a restart of the server is its own.
func TestNoProbeAfterRestart(t *testing.T) {
	config := vethConfig()
	before := newServer(t, config)
	obtain(t, before, start(), mac(1))
	config.Probe = (&segment{}).probe
	server := newServer(t, config)
	if err := server.Restore(leasesOf(before)[0], start()); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{1: false, 2: true} {
		if a, err := server.answer(ask(dhcpv4.MessageTypeDiscover, mac(n)), start()); err != nil || a.probe.IsValid() != want {
			t.Errorf("client %d: %+v, %v", n, a, err)
		}
	}
}
