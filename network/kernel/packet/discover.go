package packet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"nspawnkit/network/kernel/datagram"
)

const (
	clientPort = 68
	// discoverAgain is the time between two DHCPDISCOVERs.
	discoverAgain = time.Second
)

// Discover asks for the DHCP servers of the link with that name in the network namespace of the calling thread, as a client without an
// address does, and returns the first DHCPOFFER; nil when none came before ctx ended. The client is the machine's own by its
// hardware address; it is not told what was offered. Servers keep an offered address for a moment.
func Discover(ctx context.Context, link *net.Interface) (*dhcpv4.DHCPv4, error) {
	request, err := dhcpv4.NewDiscovery(link.HardwareAddr, dhcpv4.WithBroadcast(true),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer))
	if err != nil {
		return nil, fmt.Errorf("DHCPDISCOVER on %s: %w", link.Name, err)
	}
	delete(request.Options, dhcpv4.OptionRapidCommit.Code()) // a lease is not wanted
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("DHCPDISCOVER on %s: packet socket: %w", link.Name, err)
	}
	file := os.NewFile(uintptr(fd), "packet socket")
	defer file.Close()
	address := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}), Ifindex: link.Index}
	if err := unix.Bind(fd, address); err != nil {
		return nil, fmt.Errorf("DHCPDISCOVER on %s: packet socket: %w", link.Name, err)
	}
	broadcastAddress := *address
	broadcastAddress.Halen = 6
	hardware := broadcast()
	copy(broadcastAddress.Addr[:], hardware[:])
	packet := datagram.New(netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort), netip.AddrPortFrom(limitedBroadcast(), serverPort), request.ToBytes())
	for ctx.Err() == nil {
		if err := unix.Sendto(fd, packet, 0, &broadcastAddress); err != nil {
			return nil, fmt.Errorf("DHCPDISCOVER on %s: %w", link.Name, err)
		}
		if offer, err := receiveOffer(file, request); offer != nil || err != nil {
			return offer, err
		}
	}
	return nil, nil
}

// receiveOffer waits for the answer to a request; nil when it is time to ask again.
func receiveOffer(file *os.File, request *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	file.SetReadDeadline(time.Now().Add(discoverAgain))
	buffer := make([]byte, maxHeader+1500)
	for {
		n, err := file.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("receive DHCPOFFER: %w", err)
		}
		to, payload, ok := datagram.Parse(buffer[:n])
		if !ok || to.Port() != clientPort {
			continue
		}
		reply, err := dhcpv4.FromBytes(payload)
		if err == nil && reply.TransactionID == request.TransactionID && reply.MessageType() == dhcpv4.MessageTypeOffer {
			return reply, nil
		}
	}
}
