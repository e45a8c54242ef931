package dhcp

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Conn sends the replies on one link. network/kernel/packet has the real one.
type Conn interface {
	// Send sends a reply; it may run beside itself.
	Send(reply []byte, to Destination) error
}

const (
	// maxWaiting bounds the leases that wait for the disk, and that one write takes together. What is asked for beyond is dropped:
	// clients ask again.
	maxWaiting = 1024

	// maxWaitingOne is the same on a link that has a single lease.
	maxWaitingOne = 16
)

// Writers bounds, by its capacity, how many links write to disk at a time: a thread waits for each. It is shared by links.
type Writers chan struct{}

// Responder answers the requests of one link. At rest it is neither a goroutine nor a buffer.
type Responder struct {
	conn     Conn
	server   *Server
	journal  *Journal
	writers  Writers
	problems throttle

	probing  sync.WaitGroup // of probes that run
	probes   chan struct{}  // holds as many elements
	deciding sync.Mutex     // keeps the order of commits that of decisions

	mu      sync.Mutex
	waiting []commit
	writing bool      // a goroutine looks after waiting
	idle    sync.Cond // writing ends; of mu
}

// commit is a lease to write and the reply to send afterwards, which a DHCPRELEASE does not have.
type commit struct {
	lease Lease
	reply *dhcpv4.DHCPv4
}

// NewResponder returns what answers requests with server through conn. journal may be nil: leases are not kept.
//
// report is called for problems that concern clients or journal, at most ten a minute, from one goroutine at a time.
func NewResponder(conn Conn, server *Server, journal *Journal, writers Writers, report func(error)) *Responder {
	r := &Responder{conn: conn, server: server, journal: journal, writers: writers}
	if server.policy.probe != nil {
		r.probes = make(chan struct{}, maxProbes)
	}
	r.problems = throttle{report: report, now: server.policy.now}
	r.idle.L = &r.mu
	return r
}

// Receive takes a request, and does not wait. Replies that promise nothing new leave at once; a DHCPACK leaves when journal has its
// lease on disk, with all that came meanwhile written together. When the journal fails, the DHCPACK is sent nevertheless: a full disk
// must not take the network away; the lease is written with the next one that succeeds.
func (r *Responder) Receive(packet []byte) {
	if !r.accepts() {
		return
	}
	request, err := dhcpv4.FromBytes(packet)
	if err != nil {
		r.problems.add(fmt.Errorf("%s: request of %d bytes: %w", r.server.policy.link, len(packet), err))
		return
	}
	if address := r.handle(request); address.IsValid() {
		r.probe(request, address)
	}
}

// handle decides and passes on what comes of it, or returns the address to probe first.
func (r *Responder) handle(request *dhcpv4.DHCPv4) (probe netip.Addr) {
	r.deciding.Lock()
	defer r.deciding.Unlock()
	a, err := r.server.answer(request, r.server.policy.now())
	if err != nil && !errors.As(err, new(repeated)) {
		r.problems.add(err)
	}
	switch {
	case a.changed != nil:
		r.enqueue(commit{*a.changed, a.reply})
	case a.reply != nil:
		r.send(a.reply)
	}
	return a.probe
}

// accepts says whether a request can be taken now.
func (r *Responder) accepts() bool {
	limit := maxWaiting
	if r.server.policy.maxLeases == 1 {
		limit = maxWaitingOne
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) < limit
}

// enqueue has a lease written by the goroutine that writes now, or by a new one.
func (r *Responder) enqueue(c commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, c)
	if !r.writing {
		r.writing = true
		go r.write()
	}
}

// write writes what waits, until nothing does.
func (r *Responder) write() {
	for batch := r.take(); len(batch) > 0; batch = r.take() {
		r.commit(batch)
	}
}

// take returns what waits, in order. With nothing it ends the writing.
func (r *Responder) take() []commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := r.waiting
	r.waiting = nil
	if len(batch) == 0 {
		r.writing = false
		r.idle.Broadcast()
	}
	return batch
}

func (r *Responder) commit(batch []commit) {
	if r.journal != nil {
		leases := make([]Lease, len(batch))
		for i, c := range batch {
			leases[i] = c.lease
		}
		r.writers <- struct{}{}
		err := r.journal.Commit(leases)
		<-r.writers
		if err != nil {
			r.problems.add(fmt.Errorf("%s: %w", r.server.policy.link, err))
		}
	}
	for _, c := range batch {
		if c.reply != nil {
			r.send(c.reply)
		}
	}
}

func (r *Responder) send(reply *dhcpv4.DHCPv4) {
	to := ReplyTo(reply)
	if err := r.conn.Send(reply.ToBytes(), to); err != nil {
		r.problems.add(fmt.Errorf("%s: send %v to %v: %w", r.server.policy.link, reply.MessageType(), to.Address, err))
	}
}

// Close waits until all leases are written and their replies sent. Receive must not be called any more.
func (r *Responder) Close() {
	r.probing.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.writing {
		r.idle.Wait()
	}
}
