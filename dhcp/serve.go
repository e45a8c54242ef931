package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Conn receives the requests of one link and sends the replies. network/kernel/packet has the real one.
type Conn interface {
	// Receive waits for the next request and copies it to buffer; what does not fit is cut off. Close ends the wait.
	Receive(buffer []byte) (n int, err error)
	// Send sends a reply; it may run beside Receive and beside itself.
	Send(reply []byte, to Destination) error
	Close() error
}

const (
	// maxRequest is what fits in an Ethernet frame.
	maxRequest = 1500

	// maxBatch bounds the leases that one write to the journal takes together, and the replies that wait for it. When they are as
	// many, requests wait in the socket, and beyond its buffer get lost: clients ask again.
	maxBatch = 256
)

// Serve answers requests until ctx ends (it then closes conn and returns nil) or conn fails. Replies that promise nothing new leave at
// once; a DHCPACK leaves when journal has its lease on disk, with all that came meanwhile written together. journal may be nil: leases
// are not kept. When the journal fails, the DHCPACK is sent nevertheless: a full disk must not take the network away; the lease is
// written with the next one that succeeds.
//
// report is called for problems that concern clients or journal, at most ten a minute, from one goroutine at a time.
func Serve(ctx context.Context, conn Conn, server *Server, journal *Journal, report func(error)) error {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	l := &loop{stopped: ctx.Done(), conn: conn, server: server, journal: journal, problems: throttle{report: report, now: server.config.Now}}
	committed := make(chan struct{})
	l.commits = make(chan commit, maxBatch)
	l.probes = make(chan struct{}, maxProbes)
	go func() {
		defer close(committed)
		l.commitAll()
	}()
	err := l.receiveAll()
	l.probing.Wait()
	close(l.commits)
	<-committed
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("receive DHCP requests of %s: %w", server.config.Link, err)
}

// loop is one run of Serve: one goroutine receives and decides, another writes leases and then sends their replies.
type loop struct {
	stopped  <-chan struct{}
	conn     Conn
	server   *Server
	journal  *Journal
	commits  chan commit
	problems throttle

	probing sync.WaitGroup // of probes that run
	probes  chan struct{}  // holds as many elements
	mu      sync.Mutex     // keeps the order of commits that of decisions
}

// commit is a lease to write and the reply to send afterwards, which a DHCPRELEASE does not have.
type commit struct {
	lease Lease
	reply *dhcpv4.DHCPv4
}

func (l *loop) receiveAll() error {
	buffer := make([]byte, maxRequest)
	for {
		n, err := l.conn.Receive(buffer)
		if err != nil {
			return err
		}
		l.receive(buffer[:n])
	}
}

func (l *loop) receive(packet []byte) {
	request, err := dhcpv4.FromBytes(packet)
	if err != nil {
		l.problems.add(fmt.Errorf("%s: request of %d bytes: %w", l.server.config.Link, len(packet), err))
		return
	}
	if address := l.handle(request); address.IsValid() {
		l.probe(request, address)
	}
}

// handle decides and passes on what comes of it, or returns the address to probe first.
func (l *loop) handle(request *dhcpv4.DHCPv4) (probe netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, err := l.server.answer(request, l.server.config.Now())
	if err != nil && !errors.As(err, new(repeated)) {
		l.problems.add(err)
	}
	switch {
	case a.changed != nil:
		l.commits <- commit{*a.changed, a.reply}
	case a.reply != nil:
		l.send(a.reply)
	}
	return a.probe
}

func (l *loop) commitAll() {
	batch := make([]commit, 0, maxBatch)
	leases := make([]Lease, 0, maxBatch)
	for first := range l.commits {
		batch = l.fill(append(batch[:0], first))
		if l.journal != nil {
			leases = leases[:0]
			for _, c := range batch {
				leases = append(leases, c.lease)
			}
			if err := l.journal.Commit(leases); err != nil {
				l.problems.add(fmt.Errorf("%s: %w", l.server.config.Link, err))
			}
		}
		for _, c := range batch {
			if c.reply != nil {
				l.send(c.reply)
			}
		}
		clear(batch)
	}
}

// fill adds to batch what waits already.
func (l *loop) fill(batch []commit) []commit {
	for len(batch) < cap(batch) {
		select {
		case next, ok := <-l.commits:
			if !ok {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (l *loop) send(reply *dhcpv4.DHCPv4) {
	to := ReplyTo(reply)
	err := l.conn.Send(reply.ToBytes(), to)
	select {
	case <-l.stopped: // conn is closed: the client asks again, and its lease is on disk
	default:
		if err != nil {
			l.problems.add(fmt.Errorf("%s: send %v to %v: %w", l.server.config.Link, reply.MessageType(), to.Address, err))
		}
	}
}
