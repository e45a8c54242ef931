package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Bounds of what the clients of one link can keep busy.
const (
	maxForwarded   = 64 // queries at the host's servers
	maxConnections = 32
	idleTime       = 10 * time.Second // of a connection (RFC 7766, section 6.2.3)
)

// Server answers the clients of one address. At rest it is neither a goroutine nor a buffer.
type Server struct {
	// Zone returns what a client may know at the moment.
	Zone func(client netip.Addr) *Zone
	// Forwarder asks others.
	Forwarder *Forwarder
	// Report takes problems that are not the clients', from several goroutines.
	Report func(error)

	mu                     sync.Mutex
	forwarded, connections int             // that are under way
	ctx                    context.Context // of these, from the first one on
	cancel                 context.CancelFunc
	closed                 bool
	work                   sync.WaitGroup
}

// begin takes in what needs a goroutine, unless there are too many of its kind, which counter counts, or the server is closed. The
// caller ends it.
func (s *Server) begin(counter *int, most int) (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || *counter >= most {
		return nil, false
	}
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	*counter++
	s.work.Add(1)
	return func() {
		s.mu.Lock()
		*counter--
		s.mu.Unlock()
		s.work.Done()
	}, true
}

// Close ends all that is under way, and returns when nothing is.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// Datagram answers one query that came over UDP, and does not wait: send is called at once or, from a goroutine, when others have
// answered. message is valid during the call only.
func (s *Server) Datagram(message []byte, client netip.AddrPort, send func(reply []byte, client netip.AddrPort)) {
	z := s.Zone(client.Addr())
	if !z.MayAsk(client.Addr()) {
		return
	}
	q, err := ParseQuery(message)
	if err != nil {
		return
	}
	reply, known := s.local(z, &q, nil, q.UDPSize)
	if known {
		if reply != nil {
			send(reply, client)
		}
		return
	}
	end, ok := s.begin(&s.forwarded, maxForwarded)
	if !ok {
		if reply, err := q.Refuse(nil, dnsmessage.RCodeServerFailure); err == nil {
			send(reply, client)
		}
		return
	}
	message = append([]byte(nil), message...)
	go func() {
		defer end()
		if reply := s.forward("udp", &q, message); reply != nil {
			send(q.cut(reply), client)
		}
	}()
}

// local writes the reply to a query that needs nobody else; known is false for others.
func (s *Server) local(z *Zone, q *Query, buffer []byte, max int) (reply []byte, known bool) {
	var err error
	if q.RCode != 0 {
		reply, err = q.Refuse(buffer, q.RCode)
	} else if answer, ok := z.Answer(q); ok {
		reply, err = q.Reply(buffer, z, answer, max)
	} else if z.Closed {
		reply, err = q.Refuse(buffer, dnsmessage.RCodeRefused)
	} else {
		return nil, false
	}
	if err != nil {
		s.Report(err)
	}
	return reply, true
}

// forward returns the answer of others, or SERVFAIL; nil when the server stops.
func (s *Server) forward(network string, q *Query, message []byte) []byte {
	reply, err := s.Forwarder.Forward(s.ctx, network, q, message)
	if err == nil {
		return reply
	}
	if s.ctx.Err() != nil {
		return nil
	}
	if !errors.Is(err, ErrBusy) {
		s.Report(fmt.Errorf("no DNS server of the host answers: %w", err))
	}
	reply, err = q.Refuse(nil, dnsmessage.RCodeServerFailure)
	if err != nil {
		s.Report(err)
	}
	return reply
}

// cut returns an answer as it may go over UDP: what the client cannot take is left out, and the client told so (TC).
func (q *Query) cut(answer []byte) []byte {
	if len(answer) <= q.UDPSize {
		return answer
	}
	short, err := q.Refuse(nil, dnsmessage.RCode(answer[3]&0xf))
	if err != nil {
		return nil
	}
	short[2] |= 1 << 1 // TC
	return short
}

// Connection answers the queries that come over a connection from a goroutine, which closes it.
func (s *Server) Connection(conn net.Conn, client netip.Addr) {
	if !s.Zone(client).MayAsk(client) {
		conn.Close()
		return
	}
	end, ok := s.begin(&s.connections, maxConnections)
	if !ok {
		conn.Close()
		return
	}
	go func() {
		defer end()
		s.serveConnection(conn, client)
	}()
}

// serveConnection answers the queries of one connection, in their order.
func (s *Server) serveConnection(conn net.Conn, client netip.Addr) {
	defer conn.Close()
	stop := context.AfterFunc(s.ctx, func() { conn.Close() })
	defer stop()
	buffer := make([]byte, 0, maxUDPSize)
	for {
		conn.SetDeadline(time.Now().Add(idleTime))
		message, err := readTCP(conn)
		if err != nil {
			return
		}
		q, err := ParseQuery(message)
		if err != nil {
			return
		}
		reply, known := s.local(s.Zone(client), &q, buffer, maxMessage)
		if !known {
			reply = s.forward("tcp", &q, message)
			conn.SetDeadline(time.Now().Add(idleTime))
		}
		if reply == nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reply)), uint16(len(reply)))
		if _, err := conn.Write(append(framed, reply...)); err != nil {
			return
		}
	}
}
