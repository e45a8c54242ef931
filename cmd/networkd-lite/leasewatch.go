package main

import (
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// leaseWatch tells when a DHCP server gives another address to a client that somebody has asked for: the container behind a published
// port.
type leaseWatch struct {
	leases  *leaseTable
	changed func()

	declined func() // is called when a client declined the address that it got

	mu   sync.Mutex
	said map[client]netip.Addr // what was answered
}

// client is one of a DHCP server.
type client struct {
	link     string
	hardware network.HardwareAddr
}

// maxClients bounds what a leaseWatch remembers: containers come and go.
const maxClients = 4096

// lease returns the address that the server of a link gave to a hardware address last; zero if it has none, or no lease that lasts.
func (w *leaseWatch) lease(link network.Link, hardware network.HardwareAddr) netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last dhcp.Lease
	now := time.Now()
	for l := range w.leases.of(link) {
		if network.HardwareAddr(l.Hardware) == hardware && l.Expires.After(now) && l.Expires.After(last.Expires) {
			last = l
		}
	}
	if w.said == nil || len(w.said) >= maxClients {
		w.said = map[client]netip.Addr{}
	}
	w.said[client{link.Name, hardware}] = last.Address
	return last.Address
}

// sent is told of a reply that has left.
func (w *leaseWatch) sent(link string, reply []byte) {
	const address, hardware, header = 16, 28, 240 // yiaddr, chaddr, up to the options (RFC 2131, section 2)
	if len(reply) < header {
		return
	}
	w.mu.Lock()
	said, asked := w.said[client{link, network.HardwareAddr(reply[hardware:])}]
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
