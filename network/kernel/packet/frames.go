package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
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
	ipHeader   = 20
	timeToLive = 64
	// precedence is DSCP CS6, which networks keep for what keeps them running (RFC 4594, section 3.2), as systemd-networkd sends it.
	precedence = 0xc0
	serverPort = 67
)

// datagram puts IP (RFC 791) and UDP (RFC 768) headers before a reply.
func (c *Conn) datagram(reply []byte, to dhcp.Destination) []byte {
	return datagram(netip.AddrPortFrom(c.address, serverPort), to.Address, reply)
}

func datagram(from, to netip.AddrPort, payload []byte) []byte {
	source, target := from.Addr().As4(), to.Addr().As4()
	length := ipHeader + udpHeader + len(payload)
	b := make([]byte, ipHeader, length)
	b[0] = 4<<4 | ipHeader/4
	b[1] = precedence
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	binary.BigEndian.PutUint16(b[6:], 1<<14) // don't fragment
	b[8] = timeToLive
	b[9] = unix.IPPROTO_UDP
	copy(b[12:], source[:])
	copy(b[16:], target[:])
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b))

	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(payload)))
	b = binary.BigEndian.AppendUint16(b, 0)
	b = append(b, payload...)

	pseudo := sum(sum(unix.IPPROTO_UDP+uint16(udpHeader+len(payload)), source[:]), target[:])
	checksum := ^sum(pseudo, b[ipHeader:])
	if checksum == 0 {
		checksum = 0xffff // 0 means that there is none
	}
	binary.BigEndian.PutUint16(b[ipHeader+6:], checksum)
	return b
}

// sum adds b to the Internet checksum so far (RFC 1071), before the final complement.
func sum(start uint16, b []byte) uint16 {
	total := uint32(start)
	for ; len(b) > 1; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
