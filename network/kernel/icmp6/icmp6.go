// Package icmp6 holds the socket with which a router speaks on one link (RFC 4861, section 6).
package icmp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
	"nspawnkit/network/ra"
)

// Conn is the [ra.Conn] of one link.
type Conn struct {
	ifindex     int
	source      netip.Addr
	socket      *ipv6.PacketConn
	interrupted atomic.Bool
}

// receiveBuffer, in bytes of kernel memory, has room for a few dozen solicitations: whoever sends more is answered with all others.
const receiveBuffer = 1 << 15

// Listen opens the socket for the link with that index in the network namespace of the calling thread. Advertisements come from source,
// a link-local address of the link that is not tentative any more. It needs CAP_NET_RAW.
func Listen(ifindex int, source netip.Addr) (*Conn, error) {
	if !source.IsLinkLocalUnicast() || !source.Is6() {
		return nil, fmt.Errorf("ICMPv6 socket: %v is not an IPv6 link-local address", source)
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if controlErr := raw.Control(func(fd uintptr) { err = configure(int(fd), ifindex) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	packets, err := config.ListenPacket(context.Background(), "ip6:58", "::")
	if err != nil {
		return nil, fmt.Errorf("ICMPv6 socket: %w", err)
	}
	c := &Conn{ifindex: ifindex, source: source.WithZone(""), socket: ipv6.NewPacketConn(packets)}
	if err := c.prepare(); err != nil {
		packets.Close()
		return nil, fmt.Errorf("ICMPv6 socket: %w", err)
	}
	return c, nil
}

// configure prepares the socket. SO_BINDTOIFINDEX (Linux 5.0) cannot hit another link that took over the name.
func configure(fd, ifindex int) error {
	return errors.Join(
		fail("SO_BINDTOIFINDEX", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, ifindex)),
		fail("SO_RCVBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)),
	)
}

// prepare joins the group of all routers, to which hosts send solicitations, and sets what neighbour discovery demands of its messages.
func (c *Conn) prepare() error {
	link := &net.Interface{Index: c.ifindex}
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterSolicitation)
	return errors.Join(
		fail("ICMP6_FILTER", c.socket.SetICMPFilter(&filter)),
		fail("IPV6_JOIN_GROUP", c.socket.JoinGroup(link, &net.IPAddr{IP: net.IPv6linklocalallrouters})),
		fail("IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT", c.socket.SetControlMessage(ipv6.FlagInterface|ipv6.FlagHopLimit, true)),
		fail("IPV6_UNICAST_HOPS", c.socket.SetHopLimit(ra.HopLimit)),
		fail("IPV6_MULTICAST_HOPS", c.socket.SetMulticastHopLimit(ra.HopLimit)),
		fail("IPV6_MULTICAST_LOOP", c.socket.SetMulticastLoopback(false)),
	)
}

func fail(step string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

// Receive is part of [ra.Conn].
func (c *Conn) Receive(buffer []byte, until time.Time) (n int, source netip.Addr, err error) {
	for {
		c.socket.SetReadDeadline(until)
		if c.interrupted.Load() { // afterwards: Interrupt has set its own deadline before or will do so
			return 0, netip.Addr{}, os.ErrDeadlineExceeded
		}
		n, control, from, err := c.socket.ReadFrom(buffer)
		if err != nil {
			return 0, netip.Addr{}, c.linkError(err)
		}
		address, ok := from.(*net.IPAddr)
		if !ok || control == nil || control.HopLimit != ra.HopLimit || control.IfIndex != c.ifindex {
			continue // a router has forwarded it, or it came before the socket was bound to the link
		}
		if source, ok := netip.AddrFromSlice(address.IP); ok {
			return n, source, nil
		}
	}
}

// Interrupt is part of [ra.Conn].
func (c *Conn) Interrupt() {
	c.interrupted.Store(true)
	c.socket.SetReadDeadline(time.Unix(1, 0))
}

// Send is part of [ra.Conn].
func (c *Conn) Send(message []byte, to netip.Addr) error {
	control := &ipv6.ControlMessage{Src: c.source.AsSlice(), IfIndex: c.ifindex}
	_, err := c.socket.WriteTo(message, control, &net.IPAddr{IP: to.AsSlice()})
	if errors.Is(err, unix.ENOBUFS) {
		return nil // the queue of the link is full; the next one is sent all the same
	}
	return c.linkError(err)
}

// linkError names an error that means that the link has gone.
func (c *Conn) linkError(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return network.ErrNoLink
	}
	return err
}

// Close ends everything.
func (c *Conn) Close() error { return c.socket.Close() }
