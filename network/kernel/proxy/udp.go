package proxy

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

const (
	// idleTime is how long a client of UDP is remembered that nobody sends to or hears of. The kernel's connection tracking forgets one
	// that got no answer after 30 s (nf_conntrack_udp_timeout), and may then lead it to another port.
	idleTime = 25 * time.Second

	maxDatagram = 1<<16 - 1
)

// datagrams is a listener of UDP.
type datagrams struct {
	sessions
	socket  *net.UDPConn
	clients map[netip.AddrPort]*client // of one goroutine
	ended   chan netip.AddrPort
}

// client is one that has sent something.
type client struct {
	session
	conn  *net.UDPConn // to the container
	heard atomic.Int64 // when it sent something last: nanoseconds since 1970
}

func (p *Proxy) listenUDP(which network.Listener) (listener, error) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: which.Address().AsSlice()})
	if err != nil {
		return nil, err
	}
	d := &datagrams{
		sessions: sessions{proxy: p, protocol: which.Protocol, list: map[*session]struct{}{}}, socket: socket,
		clients: map[netip.AddrPort]*client{}, ended: make(chan netip.AddrPort, maxSessions),
	}
	go d.receive()
	return d, nil
}

func (d *datagrams) port() uint16 { return d.socket.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// Close ends the sessions, too.
func (d *datagrams) Close() error {
	d.endAll()
	return d.socket.Close()
}

func (d *datagrams) receive() {
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := d.socket.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a client that has gone: its error is not ours
		}
		d.forget()
		c := d.clients[from]
		if c == nil {
			if c = d.begin(from); c == nil {
				continue
			}
			d.clients[from] = c
		}
		c.heard.Store(time.Now().UnixNano())
		c.conn.Write(buffer[:n])
	}
}

// forget takes out the clients whose sessions have ended.
func (d *datagrams) forget() {
	for {
		select {
		case gone := <-d.ended:
			delete(d.clients, gone)
		default:
			return
		}
	}
}

// begin begins the session of a client, or returns nil where it leads nowhere.
func (d *datagrams) begin(from netip.AddrPort) *client {
	listener := d.socket.LocalAddr().(*net.UDPAddr).AddrPort()
	at, err := originalDestination(unix.IPPROTO_UDP, listener, from)
	if err != nil {
		return nil
	}
	to := d.proxy.find(d.protocol, at)
	if len(to) == 0 {
		return nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to[0]))
	if err != nil {
		return nil
	}
	c := &client{session: session{at, to[0], func() { conn.Close() }}, conn: conn}
	if !d.add(&c.session) {
		conn.Close()
		return nil
	}
	c.heard.Store(time.Now().UnixNano())
	go d.answer(c, from)
	return c
}

// answer sends a client what the container answers, until neither has said anything for a while.
func (d *datagrams) answer(c *client, to netip.AddrPort) {
	defer func() {
		d.remove(&c.session)
		c.conn.Close()
		d.ended <- to
	}()
	buffer := make([]byte, maxDatagram)
	for {
		c.conn.SetReadDeadline(time.Now().Add(idleTime))
		n, err := c.conn.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if time.Since(time.Unix(0, c.heard.Load())) >= idleTime {
				return
			}
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			d.socket.WriteToUDPAddrPort(buffer[:n], to)
		}
	}
}
