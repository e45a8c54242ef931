package dhcp

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// wire is a Conn whose other end is the test.
type wire struct {
	requests chan []byte
	replies  chan *dhcpv4.DHCPv4
}

func newWire() *wire {
	return &wire{requests: make(chan []byte, 1000), replies: make(chan *dhcpv4.DHCPv4, 1000)}
}

func (w *wire) Send(reply []byte, _ Destination) error {
	message, err := dhcpv4.FromBytes(reply)
	if err != nil {
		return err
	}
	w.replies <- message
	return nil
}

// respond answers what comes over the wire until stop, and sends replies through conn.
func (w *wire) respond(conn Conn, server *Server, journal *Journal, report func(error)) (stop func()) {
	r := NewResponder(conn, server, journal, make(Writers, 1), report)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for request := range w.requests {
			r.Receive(request)
		}
	}()
	return func() {
		close(w.requests)
		<-done
		r.Close()
	}
}

// slow is a Store whose writes take a second.
type slow struct{ memory }

func (s *slow) Append(lines []byte) error {
	time.Sleep(time.Second)
	return s.memory.Append(lines)
}

func request(n int) []byte {
	return ask(dhcpv4.MessageTypeRequest, mac(n), selects("10.0.0.1"), wants(address(0x0a000100+uint32(n)).String())).ToBytes()
}

// A DHCPACK leaves when its lease is on disk, those that wait are written together, and a DHCPOFFER waits for nothing.
func TestServeCommitsInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{}
		journal, server, _ := open(t, store, wide())
		conn := newWire()
		stop := conn.respond(conn, server, journal, func(problem error) { t.Error(problem) })
		began := time.Now()
		conn.requests <- request(1)
		synctest.Wait()
		for n := 2; n <= 100; n++ {
			conn.requests <- request(n)
		}
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(1000)).ToBytes()
		if first := <-conn.replies; first.MessageType() != dhcpv4.MessageTypeOffer || time.Since(began) != 0 {
			t.Errorf("first came %v after %v", first.MessageType(), time.Since(began))
		}
		for range 100 {
			ack := <-conn.replies
			if ack.MessageType() != dhcpv4.MessageTypeAck || !strings.Contains(string(store.content), ack.YourIPAddr.String()) {
				t.Errorf("%v of %v before its lease was written", ack.MessageType(), ack.YourIPAddr)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("two writes of a second took %v", took)
		}
		stop()
	})
}

// A lease that waits for the disk when the server is told to stop is still written, and its client told.
func TestServeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{}
		journal, server, _ := open(t, store, wide())
		conn := newWire()
		stop := conn.respond(conn, server, journal, func(problem error) { t.Error(problem) })
		conn.requests <- request(1)
		synctest.Wait()
		stop()
		if !strings.Contains(string(store.content), "10.0.1.1") || len(conn.replies) != 1 {
			t.Errorf("journal %q, %d replies", store.content, len(conn.replies))
		}
	})
}

// A reply that cannot be sent is a problem of its client only.
func TestServeCannotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &mute{newWire()}
		var problems []string
		stop := conn.respond(conn, newServer(t, wide()), nil, func(problem error) { problems = append(problems, problem.Error()) })
		conn.requests <- request(1)
		stop()
		if len(problems) != 1 || problems[0] != "ve-web: send ACK to 10.0.1.1:68: network is down" {
			t.Errorf("problems %q", problems)
		}
	})
}

// mute is a wire that sends nothing.
type mute struct{ *wire }

func (*mute) Send([]byte, Destination) error { return errors.New("network is down") }

func TestServeProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{fail: errors.New("no space left on device")}
		journal, server, _ := open(t, store, wide())
		conn := newWire()
		var problems []string
		stop := conn.respond(conn, server, journal, func(problem error) { problems = append(problems, problem.Error()) })
		conn.requests <- request(1)
		if ack := <-conn.replies; ack.MessageType() != dhcpv4.MessageTypeAck {
			t.Errorf("with a full disk: %v", ack)
		}
		for range 500 {
			conn.requests <- []byte("rubbish")
		}
		synctest.Wait()
		if len(problems) != reportsPerMinute || !strings.Contains(problems[0], "ve-web: append to lease journal: no space") ||
			!strings.Contains(problems[1], "ve-web: request of 7 bytes") {
			t.Errorf("problems %q", problems)
		}
		time.Sleep(time.Minute)
		conn.requests <- []byte("rubbish")
		synctest.Wait()
		if len(problems) != reportsPerMinute+2 || problems[reportsPerMinute] != "491 more problems were not reported" {
			t.Errorf("problems %q", problems)
		}
		stop()
	})
}

func TestServeWithoutJournal(t *testing.T) {
	conn := newWire()
	stop := conn.respond(conn, newServer(t, wide()), nil, func(error) {})
	conn.requests <- request(1)
	if ack := <-conn.replies; ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Error(ack)
	}
	stop()
}

// What comes while too much waits for the disk is dropped, so that what waits is bounded; afterwards requests are answered again.
func TestServeBoundsWhatWaits(t *testing.T) {
	for maxLeases, bound := range map[int]int{0: maxWaiting, 1: maxWaitingOne} {
		synctest.Test(t, func(t *testing.T) {
			config := wide()
			config.MaxLeases = maxLeases
			journal, server, _ := open(t, &slow{}, config)
			conn := newWire()
			conn.replies = make(chan *dhcpv4.DHCPv4, 2*maxWaiting)
			stop := conn.respond(conn, server, journal, func(problem error) { t.Error(problem) })
			defer stop()
			conn.requests <- request(1)
			synctest.Wait() // it is being written
			for range maxWaiting + 100 {
				conn.requests <- request(1)
			}
			time.Sleep(time.Minute)
			if got := len(conn.replies); got != 1+bound {
				t.Errorf("%d replies, want %d", got, 1+bound)
			}
			conn.requests <- request(1)
			time.Sleep(time.Minute)
			if got := len(conn.replies); got != 2+bound {
				t.Errorf("%d replies after the flood, want %d", got, 2+bound)
			}
		})
	}
}
