// Package dnssocket holds the sockets of DNS servers at addresses of links (RFC 1035, section 4.2).
//
// They are bound to link and address: other servers of the host keep port 53 of their addresses, and nothing from another link comes in.
package dnssocket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"nspawnkit/network/kernel/poll"
)

// Sockets makes the sockets of all links in a network namespace. An address at rest costs two descriptors: the buffer is shared.
type Sockets struct {
	poller *poll.Poller
	buffer []byte   // for queries over UDP; the poller calls one function at a time
	spare  *os.File // a descriptor for when there are no others
}

const (
	port = 53

	// maxQuery is the longest query over UDP that is read, in bytes.
	maxQuery = 4096

	// maxTurn is how many queries an address may have answered before it is the next one's turn.
	maxTurn = 64

	// backlog is how many connections wait to be taken, as many as one address may have.
	backlog = 32
)

// Open prepares sockets. The caller closes, after all links.
func Open(poller *poll.Poller) (*Sockets, error) {
	spare, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("DNS sockets: %w", err)
	}
	return &Sockets{poller, make([]byte, maxQuery), spare}, nil
}

// Close closes what the links share.
func (s *Sockets) Close() error { return s.spare.Close() }

// Conn are the sockets at one address of a link.
type Conn struct {
	*Sockets
	link     string // for error messages
	udp, tcp int
	handler  Handler
	failed   func(error)
	broken   bool // a socket has failed: both wait for Stop
}

// Listen opens the sockets at an address of the link with that index, in the network namespace of the calling thread. The error is
// [unix.EADDRINUSE] where another server has the port of all addresses. It needs CAP_NET_BIND_SERVICE. The caller closes.
func (s *Sockets) Listen(ifindex int, link string, address netip.Addr) (*Conn, error) {
	c := &Conn{Sockets: s, link: link}
	var err error
	if c.udp, err = listen(unix.SOCK_DGRAM, ifindex, address); err != nil {
		return nil, fmt.Errorf("DNS server of %s: %w", link, err)
	}
	if c.tcp, err = listen(unix.SOCK_STREAM, ifindex, address); err != nil {
		unix.Close(c.udp)
		return nil, fmt.Errorf("DNS server of %s: %w", link, err)
	}
	return c, nil
}

func listen(kind, ifindex int, address netip.Addr) (fd int, err error) {
	family, bound := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: address.As16()})
	if address.Is4() {
		family, bound = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: address.As4()}
	} else if address.IsLinkLocalUnicast() {
		bound.(*unix.SockaddrInet6).ZoneId = uint32(ifindex)
	}
	fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, ifindex)
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // connections of an earlier process may linger
	}
	if err == nil {
		err = unix.Bind(fd, bound)
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("listen at %v port %d: %w", address, port, err)
	}
	return fd, nil
}

// Handler takes what comes in. It is called by the poller and must not wait.
type Handler interface {
	// Datagram takes a query over UDP; message is valid during the call only.
	Datagram(message []byte, client netip.AddrPort, send func(reply []byte, client netip.AddrPort))
	// Connection takes a connection, and closes it some time.
	Connection(conn net.Conn, client netip.Addr)
}

// Receive has handler called with what comes in until Stop. When a socket fails, failed is called once instead.
func (c *Conn) Receive(handler Handler, failed func(error)) error {
	c.handler, c.failed = handler, failed
	if err := c.poller.Add(c.udp, c.readable); err != nil {
		return err
	}
	if err := c.poller.Add(c.tcp, c.acceptable); err != nil {
		c.poller.Remove(c.udp)
		return err
	}
	return nil
}

func (c *Conn) readable()   { c.turn(c.receive) }
func (c *Conn) acceptable() { c.turn(c.accept) }

// turn takes what has come in, one after the other.
func (c *Conn) turn(one func() error) {
	for range maxTurn {
		if c.broken {
			return
		}
		err := one()
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return
		case err != nil:
			c.broken = true
			c.failed(fmt.Errorf("receive DNS queries of %s: %w", c.link, err))
		}
	}
}

// receive reads one datagram; what does not fit is cut off.
func (c *Conn) receive() error {
	n, from, err := unix.Recvfrom(c.udp, c.buffer, 0)
	if err != nil {
		return err
	}
	if client := addressOf(from); client.IsValid() {
		c.handler.Datagram(c.buffer[:n], client, c.send)
	}
	return nil
}

// accept takes one connection. Without a descriptor left for it, it is refused; otherwise it would be there again at once.
func (c *Conn) accept() error {
	fd, from, err := unix.Accept4(c.tcp, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	switch {
	case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE):
		return c.refuse()
	case errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINVAL):
		return err
	case err != nil:
		return unix.EAGAIN // of that connection, accept(2)
	}
	file := os.NewFile(uintptr(fd), "DNS connection")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil // no second descriptor: closed
	}
	c.handler.Connection(conn, addressOf(from).Addr())
	return nil
}

// refuse closes a connection that there is no descriptor for.
func (c *Conn) refuse() error {
	c.spare.Close()
	if fd, _, err := unix.Accept(c.tcp); err == nil {
		unix.Close(fd)
	}
	spare, err := os.Open(os.DevNull)
	if err != nil {
		return err // somebody was faster: this server begins anew
	}
	c.spare = spare
	return nil
}

// send sends a reply over UDP; it may run beside itself. A client that does not get it asks again.
func (c *Conn) send(reply []byte, client netip.AddrPort) {
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(client.Port())}
	if client.Addr().Is4() {
		to.(*unix.SockaddrInet4).Addr = client.Addr().As4()
	} else {
		to = &unix.SockaddrInet6{Port: int(client.Port()), Addr: client.Addr().As16()} // the socket knows the link
	}
	unix.Sendto(c.udp, reply, 0, to)
}

func addressOf(from unix.Sockaddr) netip.AddrPort {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// Stop ends the calls of the handler: none runs when it returns.
func (c *Conn) Stop() error { return errors.Join(c.poller.Remove(c.udp), c.poller.Remove(c.tcp)) }

// Close closes the sockets, after Stop and after the last reply.
func (c *Conn) Close() error { return errors.Join(unix.Close(c.udp), unix.Close(c.tcp)) }
