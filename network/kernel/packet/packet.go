// Package packet holds the sockets with which a DHCP server speaks on one link (RFC 2131, section 4.1).
//
// Requests come through a UDP socket on port 67 that is bound to the link, so that servers on other links of the host (dnsmasq,
// networkd) keep theirs, and so that the host's packet filter has its say. Replies to clients that have an address, and to relay
// agents, leave through the same socket. Clients without an address cannot answer ARP: their replies leave as frames through a packet
// socket, as broadcasts do. Where another program keeps port 67 of all links for itself, the link is served beside it, see beside.
package packet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
)

// Conn is the [dhcp.Conn] of one link.
type Conn struct {
	name    string
	address netip.Addr
	ifindex int
	frames  *frames
	udp     *net.UDPConn // nil: see beside
	beside  *beside
}

// receiveBuffer, in bytes of kernel memory, has room for some 1000 requests that come while the disk writes leases.
const receiveBuffer = 1 << 20

// Listen opens the sockets for the link with that index in the network namespace of the calling thread. name is for error messages;
// serverAddr is the address that replies come from, which the link must have. It needs CAP_NET_RAW, CAP_NET_ADMIN and,
// for the port, CAP_NET_BIND_SERVICE.
func Listen(ifindex int, name string, serverAddr netip.Addr) (*Conn, error) {
	if !serverAddr.Is4() {
		return nil, fmt.Errorf("DHCP sockets of %s: %v is not an IPv4 address", name, serverAddr)
	}
	c := &Conn{name: name, address: serverAddr, ifindex: ifindex}
	err := c.open()
	if err != nil {
		return nil, fmt.Errorf("DHCP sockets of %s: %w", name, err)
	}
	return c, nil
}

// open opens the sockets.
func (c *Conn) open() (err error) {
	if c.frames, err = openFrames(c.ifindex); err != nil {
		return err
	}
	c.udp, err = listenUDP(c.ifindex)
	if errors.Is(err, unix.EADDRINUSE) {
		c.beside, err = openBeside(c.ifindex, c.address)
	}
	if err != nil {
		c.frames.close()
	}
	return err
}

// Beside reports whether another program keeps port 67 for itself, so that requests are read from the link, where the host's packet
// filter has no say.
func (c *Conn) Beside() bool { return c.beside != nil }

// Receive is part of [dhcp.Conn].
func (c *Conn) Receive(buffer []byte) (n int, err error) {
	if c.beside != nil {
		return c.beside.receive(buffer)
	}
	n, _, err = c.udp.ReadFromUDPAddrPort(buffer)
	return n, err
}

// Send is part of [dhcp.Conn].
func (c *Conn) Send(reply []byte, to dhcp.Destination) error {
	switch {
	case to.Hardware != (dhcp.HardwareAddr{}):
		return c.frames.send(c.datagram(reply, to), to.Hardware)
	case to.Address.Addr() == limitedBroadcast():
		return c.frames.send(c.datagram(reply, to), broadcast())
	case c.beside != nil:
		return c.beside.send(c.datagram(reply, to), to)
	}
	_, _, err := c.udp.WriteMsgUDPAddrPort(reply, c.source(), to.Address)
	return err
}

// Close is part of [dhcp.Conn].
func (c *Conn) Close() error {
	if c.beside != nil {
		return errors.Join(c.beside.close(), c.frames.close())
	}
	return errors.Join(c.udp.Close(), c.frames.close())
}

// source is the control message that makes a datagram leave from the server's address (ip(7), IP_PKTINFO): a link may have several.
func (c *Conn) source() []byte {
	return unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(c.ifindex), Spec_dst: c.address.As4()})
}

func listenUDP(ifindex int) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if controlErr := raw.Control(func(fd uintptr) { err = configure(int(fd), ifindex) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", "0.0.0.0:67")
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
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
	if err := attachFilter(fd, requestFilter()); err != nil {
		return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	return nil
}

// limitedBroadcast is 255.255.255.255.
func limitedBroadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// broadcast is the Ethernet broadcast address.
func broadcast() dhcp.HardwareAddr { return dhcp.HardwareAddr{255, 255, 255, 255, 255, 255} }
