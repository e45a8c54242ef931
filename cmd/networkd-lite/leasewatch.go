package main

import (
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// leaseWatch knows the DHCP servers that run, and tells when one gives another address to a client that somebody has asked for: the
// container behind a published port.
type leaseWatch struct {
	changed func()

	mu      sync.Mutex
	servers map[string]*watchedServer // by link
}

// watchedServer is a DHCP server with what was said of its leases.
type watchedServer struct {
	*dhcp.Server
	said map[network.HardwareAddr]netip.Addr
}

// add takes note of the server of a link until remove.
func (w *leaseWatch) add(link string, server *dhcp.Server) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.servers == nil {
		w.servers = map[string]*watchedServer{}
	}
	added := &watchedServer{server, map[network.HardwareAddr]netip.Addr{}}
	w.servers[link] = added
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.servers[link] == added {
			delete(w.servers, link)
		}
	}
}

// lease returns the address that the server of a link gave to a hardware address last; zero if it has none, or no lease that lasts.
func (w *leaseWatch) lease(link string, hardware network.HardwareAddr) netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	server := w.servers[link]
	if server == nil {
		return netip.Addr{}
	}
	var last dhcp.Lease
	now := time.Now()
	for l := range server.Leases() {
		if network.HardwareAddr(l.Hardware) == hardware && l.Expires.After(now) && l.Expires.After(last.Expires) {
			last = l
		}
	}
	server.said[hardware] = last.Address
	return last.Address
}

// sent is told of a reply that has left.
func (w *leaseWatch) sent(link string, reply []byte) {
	const address, hardware, header = 16, 28, 240 // yiaddr, chaddr, up to the options (RFC 2131, section 2)
	if len(reply) < header {
		return
	}
	w.mu.Lock()
	server := w.servers[link]
	said, asked := netip.Addr{}, false
	if server != nil {
		said, asked = server.said[network.HardwareAddr(reply[hardware:])]
	}
	w.mu.Unlock()
	if !asked || said == netip.AddrFrom4([4]byte(reply[address:])) {
		return
	}
	if m, err := dhcpv4.FromBytes(reply); err == nil && m.MessageType() == dhcpv4.MessageTypeAck {
		w.changed()
	}
}

// watchedConn tells a leaseWatch of what it sends.
type watchedConn struct {
	dhcp.Conn
	link  string
	watch *leaseWatch
}

func (c watchedConn) Send(reply []byte, to dhcp.Destination) error {
	err := c.Conn.Send(reply, to)
	c.watch.sent(c.link, reply)
	return err
}
