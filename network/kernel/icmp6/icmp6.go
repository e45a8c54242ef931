// Package icmp6 holds the sockets with which a router speaks on its links (RFC 4861, section 6).
package icmp6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/ra"
)

// Sockets makes the sockets of all links in a network namespace. A link at rest costs a descriptor: buffers are shared.
type Sockets struct {
	poller  *poll.Poller
	buffer  []byte // for solicitations; the poller calls one function at a time
	control []byte
}

// New prepares sockets.
func New(poller *poll.Poller) *Sockets {
	return &Sockets{poller, make([]byte, ra.MaxSolicitation), make([]byte, 256)}
}

// Conn is the [ra.Conn] of one link.
type Conn struct {
	*Sockets
	ifindex int
	fd      int
	source  []byte // the control message that makes advertisements come from the link-local address (ipv6(7), IPV6_PKTINFO)
}

const (
	// receiveBuffer, in bytes of kernel memory, has room for a few dozen solicitations: whoever sends more is answered with all others.
	receiveBuffer = 1 << 15

	// maxTurn is how many solicitations a link may have answered before it is the next one's turn.
	maxTurn = 64

	routerSolicitation = 133 // RFC 4861, section 4.1
)

// Listen opens the socket for the link with that index in the network namespace of the calling thread. Advertisements come from source,
// a link-local address of the link that is not tentative any more. It needs CAP_NET_RAW. The caller closes.
func (s *Sockets) Listen(ifindex int, source netip.Addr) (*Conn, error) {
	if !source.IsLinkLocalUnicast() || !source.Is6() {
		return nil, fmt.Errorf("ICMPv6 socket: %v is not an IPv6 link-local address", source)
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return nil, fmt.Errorf("ICMPv6 socket: %w", err)
	}
	c := &Conn{s, ifindex, fd, unix.PktInfo6(&unix.Inet6Pktinfo{Addr: source.As16(), Ifindex: uint32(ifindex)})}
	if err := c.configure(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ICMPv6 socket: %w", err)
	}
	return c, nil
}

// configure binds the socket to the link, joins the group of all routers, to which hosts send solicitations, and sets what neighbour
// discovery demands of its messages. SO_BINDTOIFINDEX (Linux 5.0) cannot hit another link that took over the name.
func (c *Conn) configure() error {
	for _, option := range []struct {
		name               string
		level, code, value int
	}{
		{"SO_BINDTOIFINDEX", unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, c.ifindex},
		{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer},
		{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ra.HopLimit},
		{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, ra.HopLimit},
		{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
	} {
		if err := unix.SetsockoptInt(c.fd, option.level, option.code, option.value); err != nil {
			return fmt.Errorf("%s: %w", option.name, err)
		}
	}
	group := unix.IPv6Mreq{Multiaddr: netip.IPv6LinkLocalAllRouters().As16(), Interface: uint32(c.ifindex)}
	if err := unix.SetsockoptIPv6Mreq(c.fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &group); err != nil {
		return fmt.Errorf("IPV6_JOIN_GROUP: %w", err)
	}
	return c.Hear(true)
}

// Hear is part of [ra.Conn].
func (c *Conn) Hear(on bool) error {
	var filter unix.ICMPv6Filter // a bit for each type that is blocked (RFC 3542, section 3.2)
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	if on {
		filter.Data[routerSolicitation/32] &^= 1 << (routerSolicitation % 32)
	}
	if err := unix.SetsockoptICMPv6Filter(c.fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &filter); err != nil {
		return fmt.Errorf("ICMPV6_FILTER: %w", err)
	}
	return nil
}

// Receive has receive called with each solicitation with the right hop limit until Stop; the bytes are valid during the call only, and what
// does not fit is cut off. When the socket fails, failed is called once instead. Both are called by the poller: they must not wait.
func (c *Conn) Receive(receive func(message []byte, source netip.Addr), failed func(error)) error {
	broken := false
	return c.poller.Add(c.fd, func() {
		for range maxTurn {
			if broken {
				return // it waits for Stop
			}
			n, controls, _, from, err := unix.Recvmsg(c.fd, c.buffer, c.control, 0)
			switch {
			case err == unix.EAGAIN || err == unix.EINTR:
				return
			case err != nil:
				broken = true
				failed(fmt.Errorf("receive router solicitations: %w", linkError(err)))
			default:
				source, ok := from.(*unix.SockaddrInet6)
				if ok && c.conforms(c.control[:controls]) {
					receive(c.buffer[:n], netip.AddrFrom16(source.Addr))
				}
			}
		}
	})
}

// conforms reports whether a message has come over the link, from no further than the link: no router has forwarded it.
func (c *Conn) conforms(control []byte) bool {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return false
	}
	hops, index := -1, -1
	for _, m := range messages {
		switch {
		case m.Header.Level != unix.IPPROTO_IPV6:
		case m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4:
			hops = int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			index = int(binary.NativeEndian.Uint32(m.Data[16:]))
		}
	}
	return hops == ra.HopLimit && index == c.ifindex // one may have come before the socket was bound to the link
}

// Send is part of [ra.Conn].
func (c *Conn) Send(message []byte, to netip.Addr) error {
	err := unix.Sendmsg(c.fd, message, c.source, &unix.SockaddrInet6{Addr: to.As16(), ZoneId: uint32(c.ifindex)}, 0)
	if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) {
		return nil // the queue of the link is full; the next one is sent all the same
	}
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("a packet filter of the host drops it (hook output): %w", err)
	}
	return linkError(err)
}

// linkError names an error that means that the link has gone.
func linkError(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return network.ErrNoLink
	}
	return err
}

// Stop ends the calls of receive: none runs when it returns.
func (c *Conn) Stop() error { return c.poller.Remove(c.fd) }

// Close closes the socket, after Stop.
func (c *Conn) Close() error { return unix.Close(c.fd) }
