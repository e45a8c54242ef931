package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// patience is how long one server has for an answer over UDP before the next is asked. Clients wait 5 s (resolv.conf(5), timeout).
	patience = 1500 * time.Millisecond
	// patienceTCP is the same for a connection, which has to be made first.
	patienceTCP = 4 * time.Second
	// rounds is how often all servers are asked over UDP, which loses packets.
	rounds = 2

	headerSize = 12
	maxMessage = 1<<16 - 1 // over TCP
)

// ErrBusy says that too many queries are under way.
var ErrBusy = errors.New("too many queries are under way")

// Forwarder asks the servers of the host. Its methods may be called from several goroutines.
//
// A query goes out from a socket of its own, so from a port that the kernel chooses at random, with a random ID, and the kernel lets
// through what comes from the server only: RFC 5452 asks for that against answers that somebody else made up.
type Forwarder struct {
	servers func() []netip.AddrPort
	slots   chan struct{}
	dialer  net.Dialer

	last atomic.Pointer[netip.AddrPort] // the server that answered last
}

// NewForwarder returns a forwarder to the servers as servers lists them at each query, in order of preference, with at most limit queries
// under way.
func NewForwarder(servers func() []netip.AddrPort, limit int) *Forwarder {
	return &Forwarder{servers: servers, slots: make(chan struct{}, limit)}
}

// Forward asks for an answer to a query, which is sent as the client wrote it but for its ID: options that nobody here knows reach the
// server, as RFC 5625 asks for. network is "udp" or "tcp", as the client has it. The servers are asked one after the other, first the one
// that answered last; when none answers, the error says why of each.
func (f *Forwarder) Forward(ctx context.Context, network string, q *Query, message []byte) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return nil, ErrBusy
	}
	servers := f.inOrder()
	if len(servers) == 0 {
		return nil, errors.New("the host has no DNS server")
	}
	var problems []error
	var refused []byte
	for round := range rounds {
		for _, server := range servers {
			answer, err := f.ask(ctx, network, server, q, message)
			switch {
			case err == nil && serverFailed(answer):
				refused = answer // another server may do better
			case err == nil:
				f.last.Store(&server)
				return restoreID(answer, q.ID), nil
			case round == 0:
				problems = append(problems, fmt.Errorf("%v: %w", server, err))
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		if refused != nil || network == "tcp" {
			break
		}
	}
	if refused != nil {
		return restoreID(refused, q.ID), nil
	}
	return nil, errors.Join(problems...)
}

// inOrder lists the servers, that which answered last first.
func (f *Forwarder) inOrder() []netip.AddrPort {
	servers := f.servers()
	last := f.last.Load()
	if last == nil {
		return servers
	}
	ordered := make([]netip.AddrPort, 0, len(servers))
	for _, server := range servers {
		if server == *last {
			ordered = append(ordered, server)
		}
	}
	for _, server := range servers {
		if server != *last {
			ordered = append(ordered, server)
		}
	}
	return ordered
}

// serverFailed reports whether an answer says more of the server than of the name.
func serverFailed(answer []byte) bool {
	switch dnsmessage.RCode(answer[3] & 0xf) {
	case dnsmessage.RCodeServerFailure, dnsmessage.RCodeNotImplemented, dnsmessage.RCodeRefused:
		return true
	}
	return false
}

func restoreID(answer []byte, id uint16) []byte {
	binary.BigEndian.PutUint16(answer, id)
	return answer
}

// ask sends the query to one server and waits for its answer.
func (f *Forwarder) ask(ctx context.Context, network string, server netip.AddrPort, q *Query, message []byte) ([]byte, error) {
	wait := patience
	if network == "tcp" {
		wait = patienceTCP
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	conn, err := f.dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, reason(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	sent := append(make([]byte, 0, 2+len(message)), 0, 0)
	binary.BigEndian.PutUint16(sent, uint16(len(message)))
	sent = append(sent, message...)
	query := sent[2:]
	rand.Read(query[:2]) // never fails
	if network == "tcp" {
		query = sent
	}
	if _, err := conn.Write(query); err != nil {
		return nil, reason(err)
	}
	return receive(network, conn, binary.BigEndian.Uint16(sent[2:]), q)
}

// receive waits for the answer with that ID. What else comes over UDP may be of an earlier query or made up: it is passed over.
func receive(network string, conn net.Conn, id uint16, q *Query) ([]byte, error) {
	if network == "tcp" {
		answer, err := readTCP(conn)
		if err == nil {
			err = CheckAnswer(q, id, answer)
		}
		return answer, reason(err)
	}
	buffer := make([]byte, maxUDPSize+1)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, reason(err)
		}
		if CheckAnswer(q, id, buffer[:n]) == nil {
			return buffer[:n], nil
		}
	}
}

// readTCP reads a message with its length before it (RFC 1035, section 4.2.2).
func readTCP(conn io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, message)
	return message, err
}

// reason is the error without the addresses, which its reader knows.
func reason(err error) error {
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer")
	}
	return err
}

// CheckAnswer says why a message is not the answer to the query that was sent with that ID: RFC 5452, section 9.1. What the answer
// consists of is for the client to read.
func CheckAnswer(q *Query, id uint16, answer []byte) error {
	var p dnsmessage.Parser
	h, err := p.Start(answer)
	switch {
	case err != nil:
		return fmt.Errorf("answer: %w", err)
	case !h.Response || h.ID != id || h.OpCode != q.opcode:
		return errors.New("answer to another query")
	}
	question, err := p.Question()
	if err == dnsmessage.ErrSectionDone && (h.RCode == dnsmessage.RCodeNotImplemented || h.RCode == dnsmessage.RCodeServerFailure) {
		return nil // says nothing of any name
	}
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if !sameName(&question.Name, &q.Name) || question.Type != q.Type || question.Class != q.Class {
		return errors.New("answer to another question")
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return errors.New("answer to several questions")
	}
	return nil
}
