package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/datagram"
)

// ARP for IPv4 over Ethernet (RFC 826), from the start of the ARP header.
const (
	arpLength       = 28
	arpRequest      = 1
	arpSender       = 8  // hardware address, 6 bytes
	arpSenderIP     = 14 // 4 bytes
	arpTargetIP     = 24 // 4 bytes
	probeInterval   = 50 * time.Millisecond
	probesPerSearch = 2
)

// Probe asks on the link with that index, as RFC 5227, section 2.1.1, has it, who uses an IPv4 address; the zero address: nobody answered
// for a tenth of a second, in which hosts on a bridge of this machine, whose kernels answer, do so many times over.
func Probe(ifindex int, address netip.Addr) (dhcp.HardwareAddr, error) {
	owners, err := search(ifindex, address, true)
	if err != nil || len(owners) == 0 {
		return dhcp.HardwareAddr{}, err
	}
	return owners[0], nil
}

// Owners asks as [Probe] does, and waits for everybody who answers within that time.
func Owners(ifindex int, address netip.Addr) ([]dhcp.HardwareAddr, error) {
	return search(ifindex, address, false)
}

// search asks who uses an address, and ends with the first answer where one is enough.
func search(ifindex int, address netip.Addr, one bool) (owners []dhcp.HardwareAddr, err error) {
	link, err := net.InterfaceByIndex(ifindex)
	if err != nil {
		return nil, err
	}
	fd, err := openARP(ifindex, address)
	if err != nil {
		return nil, fmt.Errorf("ARP socket: %w", err)
	}
	defer unix.Close(fd)
	broadcast := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ARP), Ifindex: ifindex, Halen: 6,
		Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	for range probesPerSearch {
		if err := unix.Sendto(fd, arpProbe(link.HardwareAddr, address), 0, broadcast); err != nil {
			return nil, fmt.Errorf("send ARP probe: %w", err)
		}
		for end := time.Now().Add(probeInterval); ; {
			owner, err := awaitARP(fd, end)
			if err != nil {
				return owners, err
			}
			if owner == (dhcp.HardwareAddr{}) {
				break // it is time to ask again
			}
			if !slices.Contains(owners, owner) {
				owners = append(owners, owner)
			}
			if one {
				return owners, nil
			}
		}
	}
	return owners, nil
}

// arpProbe is a request with an all-zero sender IP address, so that nobody's cache changes.
func arpProbe(sender net.HardwareAddr, target netip.Addr) []byte {
	b := make([]byte, arpLength)
	copy(b, []byte{0, 1, 8, 0, 6, 4, 0, arpRequest}) // Ethernet, IPv4, lengths of their addresses
	copy(b[arpSender:], sender)
	copy(b[arpTargetIP:], target.AsSlice())
	return b
}

// openARP opens a socket that receives what comes from the owner of an address.
func openARP(ifindex int, address netip.Addr) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // protocol 0: nothing before the filter is in place
	if err != nil {
		return -1, err
	}
	ip := address.As4()
	err = datagram.SetFilter(fd, []bpf.Instruction{
		bpf.LoadAbsolute{Off: arpSenderIP, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(ip[:]), SkipFalse: 1},
		bpf.RetConstant{Val: arpLength},
		bpf.RetConstant{Val: 0},
	})
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ARP), Ifindex: ifindex})
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// awaitARP waits for a packet until a deadline.
func awaitARP(fd int, deadline time.Time) (owner dhcp.HardwareAddr, err error) {
	for left := time.Until(deadline); left > 0; left = time.Until(deadline) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return owner, fmt.Errorf("wait for ARP: %w", err)
		}
		b := make([]byte, arpLength)
		if n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT); err != nil || n < arpLength {
			continue
		}
		copy(owner[:], b[arpSender:])
		return owner, nil
	}
	return owner, nil
}

func networkOrder(protocol uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol))
}
