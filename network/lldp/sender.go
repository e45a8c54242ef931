package lldp

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// When frames are sent (IEEE 802.1AB-2016, clause 9.2.5, with the numbers of systemd-networkd).
const (
	interval     = 30 * time.Second
	fastInterval = time.Second
	fastFrames   = 4 // at the short interval, when a neighbour may be new
	jitter       = 400 * time.Millisecond
)

// Sender sends the frames of all links. While there are none it sleeps.
type Sender struct {
	Send   func(link int, frame []byte) error // link is an index; what cannot be sent is due again at the next interval
	Jitter func(time.Duration) time.Duration  // returns less than the argument

	mu    sync.Mutex
	ports map[int]*port
	poke  chan struct{}
}

// port is a link that frames are sent on.
type port struct {
	frame []byte
	fast  int // frames to go at the short interval
	due   time.Time
}

// NewSender returns a sender of nothing yet.
func NewSender(send func(link int, frame []byte) error, jitter func(time.Duration) time.Duration) *Sender {
	return &Sender{Send: send, Jitter: jitter, ports: map[int]*port{}, poke: make(chan struct{}, 1)}
}

// Set says which frame is sent on each link, by index. A new one is sent at once.
func (s *Sender) Set(frames map[int][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for link := range s.ports {
		if frames[link] == nil {
			delete(s.ports, link)
		}
	}
	for link, frame := range frames {
		if p := s.ports[link]; p == nil || !bytes.Equal(p.frame, frame) {
			s.ports[link] = &port{frame: frame, fast: fastFrames}
		}
	}
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	for {
		var timer <-chan time.Time // none: nothing is due
		if next, any := s.sendDue(time.Now()); any {
			timer = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-timer:
		}
	}
}

// sendDue sends what is due and returns when the next frame is.
func (s *Sender) sendDue(now time.Time) (next time.Time, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for link, p := range s.ports {
		if !p.due.After(now) {
			s.Send(link, p.frame) // a link may be down, or have gone: neighbours forget a station that says nothing
			p.due = now.Add(interval + s.Jitter(jitter))
			if p.fast--; p.fast > 0 {
				p.due = now.Add(fastInterval + s.Jitter(jitter))
			}
		}
		if !any || p.due.Before(next) {
			next, any = p.due, true
		}
	}
	return next, any
}
