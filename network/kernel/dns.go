package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenDNS opens the sockets of a DNS server at one address of a link (RFC 1035, section 4.2). They are bound to both: other servers of
// the host keep port 53 of their addresses, and nothing from another link comes in. The error is [unix.EADDRINUSE] where another server
// has the port of all addresses.
func ListenDNS(ifindex int, link string, address netip.Addr) (*net.UDPConn, *net.TCPListener, error) {
	if address.Is6() && address.IsLinkLocalUnicast() {
		address = address.WithZone(link)
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		control := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, ifindex)
		})
		return errors.Join(control, err)
	}}
	to := netip.AddrPortFrom(address, 53).String()
	udp, err := config.ListenPacket(context.Background(), "udp", to)
	if err != nil {
		return nil, nil, fmt.Errorf("DNS server of %s: %w", link, err)
	}
	tcp, err := config.Listen(context.Background(), "tcp", to)
	if err != nil {
		udp.Close()
		return nil, nil, fmt.Errorf("DNS server of %s: %w", link, err)
	}
	return udp.(*net.UDPConn), tcp.(*net.TCPListener), nil
}
