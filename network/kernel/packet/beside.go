package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/datagram"
)

// beside serves a link beside a program that keeps port 67 of all links for itself, as dnsmasq does that listens on the wildcard address.
// Requests are read from the link (packet(7)), before the host's packet filter; replies to clients that have an address, and to relay
// agents, leave through a raw socket (raw(7)). The other program receives the requests, too, and has no addresses for them.
type beside struct {
	address netip.Addr // of the server
	packets int        // socket for IP packets that come in through the link
	routed  int        // socket for IP packets that the kernel finds a hardware address for
}

// maxHeader is the length of the longest IP header and of the UDP header.
const maxHeader = 60 + udpHeader

func openBeside(ifindex int, address netip.Addr) (*beside, error) {
	packets, err := openPackets(ifindex)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	routed, err := openRouted(ifindex)
	if err != nil {
		unix.Close(packets)
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	return &beside{address: address, packets: packets, routed: routed}, nil
}

func openPackets(ifindex int) (int, error) {
	// Bound to no protocol until the filter is there: nothing else comes in meanwhile.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	err = datagram.SetFilter(fd, packetFilter())
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	}
	if err == nil {
		protocol := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff})
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifindex})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func openRouted(ifindex int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, ifindex); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// request returns the payload of an IP packet with a UDP datagram to the server: one that is only forwarded to another is not for it.
// The filter has looked at ports and cookie.
func (b *beside) request(packet []byte) ([]byte, bool) {
	to, payload, ok := datagram.Parse(packet)
	if !ok || to.Addr() != b.address && to.Addr() != limitedBroadcast() {
		return nil, false
	}
	return payload, true
}

// send sends an IP packet to a unicast address.
func (b *beside) send(packet []byte, to dhcp.Destination) error {
	return unix.Sendto(b.routed, packet, 0, &unix.SockaddrInet4{Addr: to.Address.Addr().As4()})
}

func (b *beside) close() error { return errors.Join(unix.Close(b.packets), unix.Close(b.routed)) }

// packetFilter lets IP packets with DHCP requests through.
func packetFilter() []bpf.Instruction {
	return datagram.BOOTP(serverPort, bootRequest, cookieOffset, magicCookie)
}
