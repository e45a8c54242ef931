package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/datagram"
)

// frames sends IP packets to hardware addresses of any link (packet(7), SOCK_DGRAM). It receives nothing.
type frames int

func openFrames() (frames, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // protocol 0: send only
	if err != nil {
		return 0, fmt.Errorf("packet socket: %w", err)
	}
	return frames(fd), nil
}

// send sends a packet out of the link with that index. A full queue of the link is an error: a client asks again.
func (f frames) send(ifindex int, packet []byte, to dhcp.HardwareAddr) error {
	address := &unix.SockaddrLinklayer{
		Protocol: binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}), // network byte order
		Ifindex:  ifindex,
		Halen:    uint8(len(to)),
	}
	copy(address.Addr[:], to[:])
	return unix.Sendto(int(f), packet, 0, address)
}

func (f frames) close() error { return unix.Close(int(f)) }

const (
	ipHeader   = datagram.IPHeader
	serverPort = 67
)

// datagram puts IP and UDP headers before a reply.
func (c *Conn) datagram(reply []byte, to dhcp.Destination) []byte {
	return datagram.New(netip.AddrPortFrom(c.address, serverPort), to.Address, reply)
}
