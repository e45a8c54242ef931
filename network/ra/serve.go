package ra

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// Conn is a socket for router solicitations and advertisements on one link. network/kernel/icmp6 has the real one.
type Conn interface {
	// Receive waits for the next solicitation with the right hop limit, and copies it to buffer; what does not fit is cut off. It
	// fails with [os.ErrDeadlineExceeded] when none comes until then.
	Receive(buffer []byte, until time.Time) (n int, source netip.Addr, err error)
	// Interrupt ends Receive, now and for ever.
	Interrupt()
	// Send sends an advertisement, from the link-local address of the link.
	Send(message []byte, to netip.Addr) error
}

// ErrWithdrawn as the cause of the end of a context says that the link is to have no router any more. Otherwise only the program ends,
// and hosts go on with what they know.
var ErrWithdrawn = errors.New("no router any more")

// maxSolicitation is the least MTU: a solicitation has no reason to be as long.
const maxSolicitation = 1280

// Serve advertises until ctx ends, and then returns nil, or conn fails. If ctx ends because of [ErrWithdrawn], hosts are told. random
// returns a duration from 0 up to, not including, n.
//
// Solicitations that do not conform to RFC 4861 are dropped. The work for others is bounded: when hosts ask too often, nothing is
// read until the next advertisement to all of them is due.
func Serve(ctx context.Context, conn Conn, a *Advertisement, random func(n time.Duration) time.Duration) error {
	message, err := a.Marshal()
	if err != nil {
		return err
	}
	final, err := a.Final().Marshal()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, conn.Interrupt)()
	l := &loop{conn: conn, message: message, schedule: newSchedule(a, time.Now(), random), buffer: make([]byte, maxSolicitation)}
	for ctx.Err() == nil {
		if err := l.step(ctx); err != nil {
			return err
		}
	}
	if errors.Is(context.Cause(ctx), ErrWithdrawn) {
		conn.Send(final, allNodes()) // best effort: when the link has gone, nobody is left to be told
	}
	return nil
}

// loop is one run of Serve.
type loop struct {
	conn     Conn
	message  []byte
	schedule *schedule
	buffer   []byte
}

// step waits for one thing to happen, and acts.
func (l *loop) step(ctx context.Context) error {
	if l.schedule.asked { // whoever asks meanwhile is answered with the others
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(l.schedule.due)):
		}
	}
	if now := time.Now(); !l.schedule.due.After(now) {
		l.schedule.advertised(now)
		return l.send(allNodes())
	}
	n, source, err := l.conn.Receive(l.buffer, l.schedule.due)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("receive router solicitations: %w", err)
	}
	if checkSolicitation(l.buffer[:n], source) != nil {
		return nil
	}
	// Any other address would be one that the host has chosen for the answer to go to.
	if l.schedule.solicited(time.Now(), source.IsLinkLocalUnicast()) {
		return l.send(source)
	}
	return nil
}

func (l *loop) send(to netip.Addr) error {
	if err := l.conn.Send(l.message, to); err != nil {
		return fmt.Errorf("send router advertisement: %w", err)
	}
	return nil
}

// allNodes is the multicast group of all hosts of a link.
func allNodes() netip.Addr { return netip.IPv6LinkLocalAllNodes() }
