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

// Server answers the clients of one address.
type Server struct {
	// Zone returns what a client may know at the moment.
	Zone func(client netip.Addr) *Zone
	// Forwarder asks others.
	Forwarder *Forwarder
	// Report takes problems that are not the clients', from several goroutines.
	Report func(error)
}

// run is one run of Serve.
type run struct {
	*Server
	ctx         context.Context
	udp         *net.UDPConn
	forwarded   chan struct{}
	connections chan struct{}
	work        sync.WaitGroup
}

// Serve answers what comes through the sockets until ctx ends (it then returns nil) or one of them fails. It closes both.
func (s *Server) Serve(ctx context.Context, udp *net.UDPConn, tcp *net.TCPListener) error {
	inner, cancel := context.WithCancel(ctx)
	r := &run{Server: s, ctx: inner, udp: udp, forwarded: make(chan struct{}, maxForwarded), connections: make(chan struct{}, maxConnections)}
	failed := make(chan error, 2)
	r.work.Go(func() { failed <- r.serveUDP() })
	r.work.Go(func() { failed <- r.serveTCP(tcp) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	udp.Close()
	tcp.Close()
	r.work.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *run) serveUDP() error {
	message, buffer := make([]byte, maxUDPSize), make([]byte, 0, maxUDPSize)
	for {
		n, client, err := r.udp.ReadFromUDPAddrPort(message)
		if err != nil {
			return fmt.Errorf("receive DNS queries: %w", err)
		}
		r.receive(message[:n], buffer, client)
	}
}

// receive answers one query over UDP, at once or, from a goroutine of its own, when others have answered.
func (r *run) receive(message, buffer []byte, client netip.AddrPort) {
	z := r.Zone(client.Addr())
	if !z.MayAsk(client.Addr()) {
		return
	}
	q, err := ParseQuery(message)
	if err != nil {
		return
	}
	reply, known := r.local(z, &q, buffer, q.UDPSize)
	if known {
		r.udp.WriteToUDPAddrPort(reply, client) // a client that has gone asks again
		return
	}
	select {
	case r.forwarded <- struct{}{}:
	default:
		if reply, err := q.Refuse(buffer, dnsmessage.RCodeServerFailure); err == nil {
			r.udp.WriteToUDPAddrPort(reply, client)
		}
		return
	}
	message = append([]byte(nil), message...)
	r.work.Go(func() {
		defer func() { <-r.forwarded }()
		if reply := r.forward("udp", &q, message); reply != nil {
			r.udp.WriteToUDPAddrPort(q.cut(reply), client)
		}
	})
}

// local writes the reply to a query that needs nobody else; known is false for others.
func (r *run) local(z *Zone, q *Query, buffer []byte, max int) (reply []byte, known bool) {
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
		r.Report(err)
	}
	return reply, true
}

// forward returns the answer of others, or SERVFAIL; nil when the server stops.
func (r *run) forward(network string, q *Query, message []byte) []byte {
	reply, err := r.Forwarder.Forward(r.ctx, network, q, message)
	if err == nil {
		return reply
	}
	if r.ctx.Err() != nil {
		return nil
	}
	if !errors.Is(err, ErrBusy) {
		r.Report(fmt.Errorf("no DNS server of the host answers: %w", err))
	}
	reply, err = q.Refuse(nil, dnsmessage.RCodeServerFailure)
	if err != nil {
		r.Report(err)
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

func (r *run) serveTCP(listener *net.TCPListener) error {
	for {
		conn, err := listener.AcceptTCP()
		if err != nil {
			return fmt.Errorf("accept DNS connections: %w", err)
		}
		client, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		if !r.Zone(client.Addr()).MayAsk(client.Addr()) {
			conn.Close()
			continue
		}
		select {
		case r.connections <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		r.work.Go(func() {
			defer func() { <-r.connections }()
			r.serveConnection(conn, client.Addr())
		})
	}
}

// serveConnection answers the queries of one connection, in their order.
func (r *run) serveConnection(conn *net.TCPConn, client netip.Addr) {
	defer conn.Close()
	stop := context.AfterFunc(r.ctx, func() { conn.Close() })
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
		reply, known := r.local(r.Zone(client), &q, buffer, maxMessage)
		if !known {
			reply = r.forward("tcp", &q, message)
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
