// Package lldpsocket hears the LLDP frames of all links.
package lldpsocket

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"nspawnkit/network/kernel/poll"
)

// Socket receives LLDP frames on every link of a network namespace (packet(7)): they are rare, and a link costs nothing. Groups need not be
// joined, as neither virtual Ethernet links nor bridges filter by them.
type Socket struct {
	poller *poll.Poller
	fd     int
	buffer []byte
}

const (
	etherType = 0x88cc

	// receiveBuffer, in bytes of kernel memory, has room for some hundred frames: neighbours repeat what they say.
	receiveBuffer = 1 << 18

	// maxTurn is how many frames are read before it is another socket's turn.
	maxTurn = 64
)

// Open opens the socket in the network namespace of the calling thread. It needs CAP_NET_RAW. The caller closes.
func Open(poller *poll.Poller) (*Socket, error) {
	protocol := binary.NativeEndian.Uint16([]byte{etherType >> 8, etherType & 0xff}) // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
	if err != nil {
		return nil, fmt.Errorf("LLDP socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("LLDP socket: SO_RCVBUF: %w", err)
	}
	return &Socket{poller, fd, make([]byte, 1518)}, nil
}

// Receive has receive called with each frame, with its header, and the index of its link, until Close; the bytes are valid during the call only,
// and what is too long for Ethernet is cut off. The poller calls it: it must not wait. Errors of single links do not end it.
func (s *Socket) Receive(receive func(link int, frame []byte)) error {
	return s.poller.Add(s.fd, func() {
		for range maxTurn {
			n, from, err := unix.Recvfrom(s.fd, s.buffer, 0)
			if err == unix.EAGAIN {
				return
			}
			if address, ok := from.(*unix.SockaddrLinklayer); ok && err == nil {
				receive(address.Ifindex, s.buffer[:n])
			}
		}
	})
}

// Close ends the calls and closes the socket. The poller must still be open.
func (s *Socket) Close() error {
	s.poller.Remove(s.fd)
	return unix.Close(s.fd)
}
