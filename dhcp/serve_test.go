package dhcp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// wire is a Conn whose other end is the test.
type wire struct {
	requests chan []byte
	replies  chan *dhcpv4.DHCPv4
	closed   chan struct{}
	once     sync.Once
}

func newWire() *wire {
	return &wire{requests: make(chan []byte, 1000), replies: make(chan *dhcpv4.DHCPv4, 1000), closed: make(chan struct{})}
}

func (w *wire) Receive(buffer []byte) (int, error) {
	select {
	case request, ok := <-w.requests:
		if !ok {
			return 0, io.ErrUnexpectedEOF
		}
		return copy(buffer, request), nil
	case <-w.closed:
		return 0, net.ErrClosed
	}
}

func (w *wire) Send(reply []byte, _ Destination) error {
	select {
	case <-w.closed:
		return net.ErrClosed
	default:
	}
	message, err := dhcpv4.FromBytes(reply)
	if err != nil {
		return err
	}
	w.replies <- message
	return nil
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
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
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error)
		go func() {
			served <- Serve(ctx, conn, server, journal, func(problem error) { t.Error(problem) })
		}()
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
		if err := <-served; err != nil {
			t.Errorf("stopped: %v", err)
		}
	})
}

// A lease that waits for the disk when the server is told to stop is still written, and that nobody can be told is no problem.
func TestServeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{}
		journal, server, _ := open(t, store, wide())
		conn := newWire()
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error)
		go func() { served <- Serve(ctx, conn, server, journal, func(problem error) { t.Error(problem) }) }()
		conn.requests <- request(1)
		synctest.Wait()
		stop()
		if err := <-served; err != nil || !strings.Contains(string(store.content), "10.0.1.1") {
			t.Errorf("error %v, journal %q", err, store.content)
		}
	})
}

// A reply that cannot be sent is a problem of its client only.
func TestServeCannotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &mute{newWire()}
		ctx, stop := context.WithCancel(context.Background())
		var problems []string
		served := make(chan error)
		go func() {
			served <- Serve(ctx, conn, newServer(t, wide()), nil, func(problem error) { problems = append(problems, problem.Error()) })
		}()
		conn.requests <- request(1)
		synctest.Wait()
		stop()
		if err := <-served; err != nil || len(problems) != 1 || problems[0] != "ve-web: send ACK to 10.0.1.1:68: network is down" {
			t.Errorf("error %v, problems %q", err, problems)
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
		served := make(chan error)
		go func() {
			served <- Serve(context.Background(), conn, server, journal, func(problem error) { problems = append(problems, problem.Error()) })
		}()
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
		close(conn.requests)
		if err := <-served; !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "ve-web") {
			t.Errorf("a socket that failed: %v", err)
		}
	})
}

func TestServeWithoutJournal(t *testing.T) {
	conn := newWire()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- Serve(ctx, conn, newServer(t, wide()), nil, func(error) {}) }()
	conn.requests <- request(1)
	if ack := <-conn.replies; ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Error(ack)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
