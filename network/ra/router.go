package ra

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Conn is a socket for router advertisements on one link. network/kernel/icmp6 has the real one.
type Conn interface {
	// Send sends an advertisement, from the link-local address of the link. It does not wait.
	Send(message []byte, to netip.Addr) error
	// Hear says whether solicitations are to come in from now on. Those that do not are dropped before they wake anybody.
	Hear(on bool) error
}

// ErrWithdrawn as the cause of an end says that the link is to have no router any more. Otherwise only the program ends, and hosts go on
// with what they know.
var ErrWithdrawn = errors.New("no router any more")

// Router advertises on one link. At rest it is a timer.
type Router struct {
	conn    Conn
	says    *Advertisement
	message []byte
	failed  func(error)

	mu       sync.Mutex
	schedule *schedule
	timer    *time.Timer // nil: it has ended
	deaf     bool
}

// Start begins to advertise, until [Router.Stop] or conn fails: then failed is called, once and from any goroutine. a must not change
// meanwhile. random returns a duration from 0 up to, not including, n.
func Start(conn Conn, a *Advertisement, random func(n time.Duration) time.Duration, failed func(error)) (*Router, error) {
	message, err := a.Marshal()
	if err != nil {
		return nil, err
	}
	r := &Router{conn: conn, says: a, message: message, failed: failed, schedule: newSchedule(a, time.Now(), random)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(0, r.advertise)
	return r, nil
}

// Solicited takes a solicitation with the right hop limit, of which no more than [MaxSolicitation] bytes count, and does not wait. What does
// not conform to RFC 4861 is dropped. The work for others is bounded: when hosts ask too often, none is heard until the next advertisement
// to all of them is due.
func (r *Router) Solicited(message []byte, source netip.Addr) {
	if checkSolicitation(message, source) != nil {
		return
	}
	r.do(func() error {
		now := time.Now()
		// Any other address would be one that the host has chosen for the answer to go to.
		if r.schedule.solicited(now, source.IsLinkLocalUnicast()) {
			return r.send(source)
		}
		r.timer.Reset(r.schedule.due.Sub(now))
		return r.hear(false)
	})
}

// MaxSolicitation is the least MTU: a solicitation has no reason to be as long.
const MaxSolicitation = 1280

// advertise sends what is due to everybody.
func (r *Router) advertise() {
	r.do(func() error {
		now := time.Now()
		if now.Before(r.schedule.due) {
			r.timer.Reset(r.schedule.due.Sub(now)) // somebody has asked while the timer called
			return nil
		}
		r.schedule.advertised(now)
		r.timer.Reset(r.schedule.due.Sub(now))
		if err := r.hear(true); err != nil {
			return err
		}
		return r.send(netip.IPv6LinkLocalAllNodes())
	})
}

// do acts unless the router has ended. A failure ends it.
func (r *Router) do(act func() error) {
	r.mu.Lock()
	var err error
	if r.timer != nil {
		if err = act(); err != nil {
			r.end()
		}
	}
	r.mu.Unlock()
	if err != nil {
		r.failed(err)
	}
}

func (r *Router) end() {
	r.timer.Stop()
	r.timer = nil
}

func (r *Router) send(to netip.Addr) error {
	if err := r.conn.Send(r.message, to); err != nil {
		return fmt.Errorf("send router advertisement: %w", err)
	}
	return nil
}

func (r *Router) hear(on bool) error {
	if r.deaf == !on {
		return nil
	}
	if err := r.conn.Hear(on); err != nil {
		return fmt.Errorf("receive router solicitations: %w", err)
	}
	r.deaf = !on
	return nil
}

// Stop ends it. If the cause is [ErrWithdrawn], hosts are told. Nothing is sent after it has returned.
func (r *Router) Stop(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		return
	}
	r.end()
	if !errors.Is(cause, ErrWithdrawn) {
		return
	}
	if final, err := r.says.Final().Marshal(); err == nil {
		r.conn.Send(final, netip.IPv6LinkLocalAllNodes()) // best effort: when the link has gone, nobody is left to be told
	}
}
