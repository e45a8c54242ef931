// Package dhcpsocket holds the socket with which a DHCP client speaks on a link that may have no address yet (RFC 2131, section 4.1).
//
// It is a packet socket (packet(7)): replies to an address that the link does not have would not come through another one, and port 68
// is left to a client that the container may have itself.
package dhcpsocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"nspawnkit/network/kernel/datagram"
)

const (
	serverPort = 67
	clientPort = 68
	maxPacket  = 1500
)

// Socket sends to DHCP servers on one link, and receives from them.
type Socket struct {
	file    *os.File
	ifindex int
}

// Open opens the socket of a link in the network namespace of the calling thread. It needs CAP_NET_RAW there. transaction is that of the
// replies that are received. The caller closes.
func Open(ifindex int, transaction uint32) (*Socket, error) {
	// Protocol 0 until the filter is there: nothing else comes in meanwhile.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("DHCP socket: %w", err)
	}
	err = datagram.SetFilter(fd, filter(transaction))
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocolIP(), Ifindex: ifindex})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("DHCP socket: %w", err)
	}
	return &Socket{os.NewFile(uintptr(fd), "DHCP socket"), ifindex}, nil
}

// Close closes the socket; [Socket.Receive] then returns [os.ErrClosed].
func (s *Socket) Close() error { return s.file.Close() }

// Send sends a message in a frame to a hardware address: ff:ff:ff:ff:ff:ff is a broadcast.
func (s *Socket) Send(payload []byte, from, to netip.Addr, hardware [6]byte) error {
	address := &unix.SockaddrLinklayer{Protocol: protocolIP(), Ifindex: s.ifindex, Halen: uint8(len(hardware))}
	copy(address.Addr[:], hardware[:])
	packet := datagram.New(netip.AddrPortFrom(from, clientPort), netip.AddrPortFrom(to, serverPort), payload)
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendto(int(fd), packet, 0, address)
		return true // a full queue is as a lost packet: the client sends again
	})
	return errors.Join(err, sendErr)
}

// Receive waits for a message, and returns it with the hardware address that it came from.
func (s *Socket) Receive() (payload []byte, hardware [6]byte, err error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return nil, hardware, err
	}
	packet := make([]byte, maxPacket)
	for {
		var n int
		var from unix.Sockaddr
		var receiveErr error
		err = raw.Read(func(fd uintptr) bool {
			n, from, receiveErr = unix.Recvfrom(int(fd), packet, 0)
			return receiveErr != unix.EAGAIN && receiveErr != unix.EINTR
		})
		if err = errors.Join(err, receiveErr); err != nil {
			return nil, hardware, fmt.Errorf("receive: %w", err)
		}
		sender, ok := from.(*unix.SockaddrLinklayer)
		to, payload, whole := datagram.Parse(packet[:n])
		if !ok || !whole || to.Port() != clientPort || sender.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		copy(hardware[:], sender.Addr[:])
		return payload, hardware, nil
	}
}

// protocolIP is ETH_P_IP in network byte order.
func protocolIP() uint16 {
	return binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff})
}

// filter lets replies of the transaction through.
func filter(transaction uint32) []bpf.Instruction {
	const bootReply, transactionOffset = 2, datagram.UDPHeader + 4
	return datagram.BOOTP(clientPort, bootReply, transactionOffset, transaction)
}
