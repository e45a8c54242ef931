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

// Ping sends an ICMP echo request (RFC 792) from the network namespace of the calling thread. It returns nil for an answer, and
// [ErrSilence] for none.
func Ping(to netip.Addr) error {
	conn, err := net.DialIP("ip4:icmp", nil, &net.IPAddr{IP: to.AsSlice()})
	if err != nil {
		return err
	}
	id := rand.Uint32()
	message := []byte{8, 0, 0, 0}
	message = binary.BigEndian.AppendUint32(message, id)
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	return exchange(conn, message, func(reply []byte) bool {
		if len(reply) == 0 || len(reply) < int(reply[0]&15)*4+len(message) {
			return false
		}
		reply = reply[int(reply[0]&15)*4:] // behind the IP header
		return reply[0] == 0 && binary.BigEndian.Uint32(reply[4:]) == id
	})
}

// Ask asks a DNS server for the servers of the root zone (RFC 1035). Whatever it answers is an answer, but for SERVFAIL: a server that
// passes questions on says so when nobody answers it.
func Ask(server netip.Addr) error {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 53)))
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
	conn, err := net.DialTimeout("tcp4", to.String(), attempts*patience)
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
