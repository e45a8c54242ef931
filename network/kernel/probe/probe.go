package probe

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// An attempt is made twice before there is no answer.
const (
	attempts = 2
	patience = time.Second
)

// ErrSilence says that nothing came back.
var ErrSilence = errors.New("no answer")

// The types of an echo request and its reply, and how they go with ICMP.
type echo struct {
	network        string // for [net.DialIP]
	request, reply byte
	header         func(packet []byte) int // bytes before the message
}

// Ping sends an ICMP echo request (RFC 792, RFC 4443) from the network namespace of the calling thread. It returns nil for an answer, and
// [ErrSilence] for none.
func Ping(to netip.Addr) error {
	e := echo{"ip4:icmp", 8, 0, func(packet []byte) int { return int(packet[0]&15) * 4 }}
	if to.Is6() {
		e = echo{"ip6:ipv6-icmp", 128, 129, func([]byte) int { return 0 }}
	}
	conn, err := net.DialIP(e.network, nil, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()})
	if err != nil {
		return err
	}
	id := rand.Uint32()
	message := []byte{e.request, 0, 0, 0}
	message = binary.BigEndian.AppendUint32(message, id)
	if to.Is4() { // that of ICMPv6 is the kernel's (RFC 3542, section 3.1)
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
	return exchange(conn, message, func(reply []byte) bool {
		if len(reply) == 0 || len(reply) < e.header(reply)+len(message) {
			return false
		}
		reply = reply[e.header(reply):]
		return reply[0] == e.reply && binary.BigEndian.Uint32(reply[4:]) == id
	})
}

// Ask asks a DNS server for the servers of the root zone (RFC 1035). Whatever it answers is an answer, but for SERVFAIL: a server that
// passes questions on says so when nobody answers it.
func Ask(server netip.Addr) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 53)))
	if err != nil {
		return err
	}
	id := uint16(rand.Uint32())
	question := binary.BigEndian.AppendUint16(nil, id)
	question = append(question, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1) // recursion desired; one question: ".", NS, IN
	failed := false
	err = exchange(conn, question, func(reply []byte) bool {
		failed = len(reply) >= 12 && reply[3]&15 == serverFailure
		return len(reply) >= 12 && binary.BigEndian.Uint16(reply) == id && reply[2]&0x80 != 0
	})
	if err == nil && failed {
		return ErrSilence
	}
	return err
}

// serverFailure is the RCODE of RFC 1035, section 4.1.1.
const serverFailure = 2

// Connect opens a TCP connection and closes it again.
func Connect(to netip.AddrPort) error {
	conn, err := net.DialTimeout("tcp", to.String(), attempts*patience)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return ErrSilence
	}
	if err != nil {
		return err
	}
	return conn.Close()
}

// Refused reports whether an error says that something answered, but offers no such service.
func Refused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

// exchange sends a message until an answer comes, and closes the connection.
func exchange(conn net.Conn, message []byte, answers func(reply []byte) bool) error {
	defer conn.Close()
	buffer := make([]byte, 1500)
	for range attempts {
		if _, err := conn.Write(message); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		for {
			n, err := conn.Read(buffer)
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				break
			}
			if err != nil {
				return err
			}
			if answers(buffer[:n]) {
				return nil
			}
		}
	}
	return ErrSilence
}

// checksum is that of the Internet protocols (RFC 1071).
func checksum(data []byte) uint16 {
	var sum uint32
	for i, b := range data {
		sum += uint32(b) << (8 * (1 - i&1))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
