// Package packet holds the sockets with which a DHCP server speaks on one link (RFC 2131, section 4.1).
//
// Requests come through a UDP socket on port 67 that is bound to the link, so that servers on other links of the host (dnsmasq,
// networkd) keep theirs, and so that the host's packet filter has its say. Replies to clients that have an address, and to relay
// agents, leave through the same socket. Clients without an address cannot answer ARP: their replies leave as frames through a packet
// socket, as broadcasts do. Where another program keeps port 67 of all links for itself, the link is served beside it, see beside.
package packet

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/datagram"
	"nspawnkit/network/kernel/poll"
)

// Sockets makes the sockets of all links in a network namespace. Only the UDP socket is one for each link; the rest they share, so that
// a link at rest costs a descriptor.
type Sockets struct {
	poller *poll.Poller
	frames frames
	buffer []byte // for requests; the poller calls one function at a time
}

const (
	// maxRequest is what fits in an Ethernet frame.
	maxRequest = 1500

	// receiveBuffer, in bytes of kernel memory, has room for some 1000 requests that come at once.
	receiveBuffer = 1 << 20

	// maxTurn is how many requests a link may have answered before it is the next one's turn.
	maxTurn = 64
)

// Open prepares sockets in the network namespace of the calling thread. It needs CAP_NET_RAW. The caller closes, after all links.
func Open(poller *poll.Poller) (*Sockets, error) {
	frames, err := openFrames()
	if err != nil {
		return nil, fmt.Errorf("DHCP sockets: %w", err)
	}
	return &Sockets{poller: poller, frames: frames, buffer: make([]byte, maxHeader+maxRequest)}, nil
}

// Close closes what the links share.
func (s *Sockets) Close() error { return s.frames.close() }

// Conn is the [dhcp.Conn] of one link.
type Conn struct {
	*Sockets
	name    string
	address netip.Addr
	ifindex int
	socket  int     // that requests come through
	beside  *beside // nil, or what uses it in place of the UDP socket
}

// Listen opens the socket of the link with that index in the network namespace of the calling thread. name is for error messages;
// serverAddr is the address that replies come from, which the link must have. It needs CAP_NET_ADMIN and, for the port,
// CAP_NET_BIND_SERVICE. The caller closes.
func (s *Sockets) Listen(ifindex int, name string, serverAddr netip.Addr) (*Conn, error) {
	if !serverAddr.Is4() {
		return nil, fmt.Errorf("DHCP sockets of %s: %v is not an IPv4 address", name, serverAddr)
	}
	c := &Conn{Sockets: s, name: name, address: serverAddr, ifindex: ifindex}
	err := c.open()
	if err != nil {
		return nil, fmt.Errorf("DHCP sockets of %s: %w", name, err)
	}
	return c, nil
}

// open opens the sockets.
func (c *Conn) open() (err error) {
	c.socket, err = listenUDP(c.ifindex)
	if errors.Is(err, unix.EADDRINUSE) {
		c.beside, err = openBeside(c.ifindex, c.address)
		if err == nil {
			c.socket = c.beside.packets
		}
	}
	return err
}

// Beside reports whether another program keeps port 67 for itself, so that requests are read from the link, where the host's packet
// filter has no say.
func (c *Conn) Beside() bool { return c.beside != nil }

// Receive has receive called with each request until Stop; the bytes are valid during the call only. When the socket fails, failed is
// called once instead. Both are called by the poller: they must not wait.
func (c *Conn) Receive(receive func(request []byte), failed func(error)) error {
	broken := false
	return c.poller.Add(c.socket, func() {
		for range maxTurn {
			if broken {
				return // it waits for Stop
			}
			n, err := unix.Read(c.socket, c.buffer) // what does not fit is cut off
			switch {
			case err == unix.EAGAIN || err == unix.EINTR:
				return
			case err != nil:
				broken = true
				failed(fmt.Errorf("receive DHCP requests of %s: %w", c.name, err))
			case c.beside == nil:
				receive(c.buffer[:n])
			default:
				if request, ok := c.beside.request(c.buffer[:n]); ok {
					receive(request)
				}
			}
		}
	})
}

// Send is part of [dhcp.Conn].
func (c *Conn) Send(reply []byte, to dhcp.Destination) error {
	switch {
	case to.Hardware != (dhcp.HardwareAddr{}):
		return c.frames.send(c.ifindex, c.datagram(reply, to), to.Hardware)
	case to.Address.Addr() == limitedBroadcast():
		return c.frames.send(c.ifindex, c.datagram(reply, to), broadcast())
	case c.beside != nil:
		return c.beside.send(c.datagram(reply, to), to)
	}
	address := &unix.SockaddrInet4{Port: int(to.Address.Port()), Addr: to.Address.Addr().As4()}
	return unix.Sendmsg(c.socket, reply, c.source(), address, 0)
}

// Stop ends the calls of receive: none runs when it returns.
func (c *Conn) Stop() error { return c.poller.Remove(c.socket) }

// Close closes the sockets, after Stop. Send must not be called any more.
func (c *Conn) Close() error {
	if c.beside != nil {
		return c.beside.close()
	}
	return unix.Close(c.socket)
}

// source is the control message that makes a datagram leave from the server's address (ip(7), IP_PKTINFO): a link may have several.
func (c *Conn) source() []byte {
	return unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(c.ifindex), Spec_dst: c.address.As4()})
}

func listenUDP(ifindex int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("UDP socket: %w", err)
	}
	err = configure(fd, ifindex)
	if err == nil {
		if err = unix.Bind(fd, &unix.SockaddrInet4{Port: serverPort}); err != nil {
			err = fmt.Errorf("bind: %w", err)
		}
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// configure prepares the UDP socket before it is bound. SO_BINDTOIFINDEX (Linux 5.0) cannot hit another link that took over the name.
func configure(fd, ifindex int) error {
	for _, option := range []struct {
		name  string
		code  int
		value int
	}{
		{"SO_BINDTOIFINDEX", unix.SO_BINDTOIFINDEX, ifindex},
		{"SO_REUSEADDR", unix.SO_REUSEADDR, 1}, // beside servers on other links
		{"SO_BROADCAST", unix.SO_BROADCAST, 1},
		{"SO_RCVBUFFORCE", unix.SO_RCVBUFFORCE, receiveBuffer},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option.code, option.value); err != nil {
			return fmt.Errorf("%s: %w", option.name, err)
		}
	}
	if err := datagram.SetFilter(fd, requestFilter()); err != nil {
		return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	return nil
}

// limitedBroadcast is 255.255.255.255.
func limitedBroadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// broadcast is the Ethernet broadcast address.
func broadcast() dhcp.HardwareAddr { return dhcp.HardwareAddr{255, 255, 255, 255, 255, 255} }
