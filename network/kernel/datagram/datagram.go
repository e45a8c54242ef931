// Package datagram reads and writes UDP datagrams of IPv4 with their headers, as they go through packet sockets (packet(7)), and sets
// the filters of these. Servers and clients of DHCP speak before there are addresses.
package datagram

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Lengths of headers, in bytes: that of IP without options (RFC 791), and that of UDP (RFC 768).
const (
	IPHeader  = 20
	UDPHeader = 8
)

const (
	timeToLive = 64
	// precedence is DSCP CS6, which networks keep for what keeps them running (RFC 4594, section 3.2), as systemd-networkd sends it.
	precedence = 0xc0
)

// New puts IP and UDP headers before a payload.
func New(from, to netip.AddrPort, payload []byte) []byte {
	source, target := from.Addr().As4(), to.Addr().As4()
	length := IPHeader + UDPHeader + len(payload)
	b := make([]byte, IPHeader, length)
	b[0] = 4<<4 | IPHeader/4
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
	b = binary.BigEndian.AppendUint16(b, uint16(UDPHeader+len(payload)))
	b = binary.BigEndian.AppendUint16(b, 0)
	b = append(b, payload...)

	pseudo := sum(sum(unix.IPPROTO_UDP+uint16(UDPHeader+len(payload)), source[:]), target[:])
	checksum := ^sum(pseudo, b[IPHeader:])
	if checksum == 0 {
		checksum = 0xffff // 0 means that there is none
	}
	binary.BigEndian.PutUint16(b[IPHeader+6:], checksum)
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

// Parse returns where the UDP datagram in an IP packet goes, and what is in it. Checksums are not there yet on a virtual link.
func Parse(packet []byte) (to netip.AddrPort, payload []byte, ok bool) {
	if len(packet) < IPHeader || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_UDP {
		return to, nil, false
	}
	header, total := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	if header < IPHeader || total < header+UDPHeader || total > len(packet) {
		return to, nil, false
	}
	udp := packet[header:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < UDPHeader || length > len(udp) {
		return to, nil, false
	}
	to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(packet[16:20])), binary.BigEndian.Uint16(udp[2:]))
	return to, udp[UDPHeader:length], true
}

// BOOTP is a filter of IP packets that lets only messages of BOOTP (RFC 951) through, whole ones, that go to a port with an op, and have a
// word at an offset from where the UDP header begins. What else there is on the network does not even wake who waits for them.
func BOOTP(port uint16, op byte, offset, word uint32) []bpf.Instruction {
	const fragmentOffset, protocolOffset, portOffset = 6, 9, 2
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: protocolOffset, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 10},
		bpf.LoadAbsolute{Off: fragmentOffset, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 8},
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: portOffset, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipFalse: 5},
		bpf.LoadIndirect{Off: UDPHeader, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(op), SkipFalse: 3},
		bpf.LoadIndirect{Off: offset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: word, SkipFalse: 1},
		bpf.RetConstant{Val: 1<<16 - 1},
		bpf.RetConstant{Val: 0},
	}
}

// SetFilter has a socket receive what the program lets through.
func SetFilter(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)})
}
