// Package proxy takes connections to ports of the host's loopback link and makes them to containers.
//
// The packet filter leads what is sent to such a port to a listener of the proxy, one for each protocol and version of IP however many
// ports there are. Where a client wanted to go is what the kernel's connection tracking remembers of it.
package proxy

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"nspawnkit/network"
)

// maxSessions bounds the connections, and clients of UDP, of one listener: each takes two descriptors and two buffers.
const maxSessions = 1024

// dialTimeout is how long a container has to answer at an address.
const dialTimeout = 10 * time.Second

// Proxy holds the listeners that are needed. Its methods may be called from several goroutines.
type Proxy struct {
	report func(error)

	mu        sync.Mutex
	loopback  network.Loopback
	listeners map[network.Listener]listener
	reported  map[network.Listener]bool // could not be opened
}

// listener is one that is open.
type listener interface {
	io.Closer
	port() uint16
	// check ends the sessions that lead elsewhere now.
	check()
}

// New returns a proxy without listeners. Each listener that cannot be opened is reported once.
func New(report func(error)) *Proxy {
	return &Proxy{report: report, listeners: map[network.Listener]listener{}, reported: map[network.Listener]bool{}}
}

// Lead says where the ports lead from now on. It returns the ports of the listeners, for the packet filter; on a host without IPv6 there
// are those of IPv4 only. Connections to where a port does not lead any more are ended.
func (p *Proxy) Lead(l network.Loopback) map[network.Listener]uint16 {
	p.mu.Lock()
	p.loopback = l
	p.mu.Unlock()
	needed := l.Listeners()
	for which, open := range p.listeners {
		if _, still := needed[which]; !still {
			open.Close()
			delete(p.listeners, which)
		}
	}
	ports := map[network.Listener]uint16{}
	for which := range needed {
		open := p.listeners[which]
		if open == nil {
			var err error
			if open, err = p.listen(which); err != nil {
				p.failed(which, err)
				continue
			}
			p.listeners[which] = open
		}
		open.check()
		ports[which] = open.port()
	}
	return ports
}

func (p *Proxy) listen(which network.Listener) (listener, error) {
	if which.Protocol == "udp" {
		return p.listenUDP(which)
	}
	return p.listenTCP(which)
}

// failed reports a listener that cannot be opened. A host without IPv6 has no ::1.
func (p *Proxy) failed(which network.Listener, err error) {
	if !p.reported[which] && !which.IPv6 {
		p.report(fmt.Errorf("ports of containers are not published on %s for %s: %w", which.Address(), which.Protocol, err))
	}
	p.reported[which] = true
}

// find returns where a port of the loopback link leads.
func (p *Proxy) find(protocol string, at netip.AddrPort) []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loopback.Find(protocol, at)
}

// session is a connection, or a client of UDP.
type session struct {
	at, to netip.AddrPort
	end    func()
}

// sessions are those of a listener.
type sessions struct {
	proxy    *Proxy
	protocol string

	mu     sync.Mutex
	closed bool
	list   map[*session]struct{}
}

// add takes a session in, unless there are too many.
func (s *sessions) add(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.list) >= maxSessions {
		return false
	}
	s.list[one] = struct{}{}
	return true
}

func (s *sessions) remove(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, one)
}

func (s *sessions) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.list {
		if !slices.Contains(s.proxy.find(s.protocol, one.at), one.to) {
			one.end()
		}
	}
}

// endAll ends all sessions; no others begin.
func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for one := range s.list {
		one.end()
	}
}
