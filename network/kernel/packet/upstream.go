package packet

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Upstream is the socket with which a relay agent speaks to its server: from the agent's address on a link, whichever link leads there. It
// receives from that server only, so that no container replies in its place.
type Upstream struct {
	*Sockets
	socket int
	buffer []byte
}

// Upstream opens the socket of a relay agent at address, which the host must have, in the network namespace of the calling thread. The
// caller closes.
func (s *Sockets) Upstream(address, server netip.Addr) (*Upstream, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket of DHCP relay: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // beside those of the links
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: serverPort, Addr: address.As4()})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: serverPort, Addr: server.As4()})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("DHCP relay from %v to %v: %w", address, server, err)
	}
	return &Upstream{s, fd, make([]byte, maxRequest)}, nil
}

// Receive has receive called with each reply until Stop; the bytes are valid during the call only. The poller calls it: it must not wait.
// A server that does not listen is no failure: it may come back.
func (u *Upstream) Receive(receive func(reply []byte)) error {
	return u.poller.Add(u.socket, func() {
		for range maxTurn {
			n, err := unix.Read(u.socket, u.buffer)
			if errors.Is(err, unix.EAGAIN) {
				return
			}
			if err == nil {
				receive(u.buffer[:n])
			}
		}
	})
}

// Send sends a request to the server.
func (u *Upstream) Send(request []byte) error {
	_, err := unix.Write(u.socket, request)
	if errors.Is(err, unix.ECONNREFUSED) { // of an earlier one
		_, err = unix.Write(u.socket, request)
	}
	return err
}

// Stop ends the calls of receive: none runs when it returns.
func (u *Upstream) Stop() error { return u.poller.Remove(u.socket) }

// Close closes the socket, after Stop. Send must not be called any more.
func (u *Upstream) Close() error { return unix.Close(u.socket) }
