package dhcp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Lease is an address given to a client until a certain time.
type Lease struct {
	Address  netip.Addr
	Client   string       // client identifier (option 61), raw bytes; without one: type 1 and the hardware address; see Container
	Hardware HardwareAddr // as the client gave it last
	HostName string       // as the client called itself last (option 12); valid, but nobody vouches for it
	Expires  time.Time    // wall clock, in whole seconds; in the past for an address that is only remembered
}

// String is "10.0.0.2 for 01020304050607 (02:03:04:05:06:07)".
func (l Lease) String() string {
	if name := l.Container(); name != "" {
		return fmt.Sprintf("%v for container %s (%v)", l.Address, name, l.Hardware)
	}
	return fmt.Sprintf("%v for %x (%v)", l.Address, l.Client, l.Hardware)
}

// hardwareEthernet is the type of an Ethernet address (RFC 1700, "hardware type").
const hardwareEthernet = 1

// clientOf is the client identifier of a client that sends none.
func clientOf(hardware HardwareAddr) string {
	return string([]byte{hardwareEthernet}) + string(hardware[:])
}

// String writes h with colons.
func (h HardwareAddr) String() string { return net.HardwareAddr(h[:]).String() }

// maxHostName is Linux's HOST_NAME_MAX.
const maxHostName = 64

// maxDomainName is how long a domain name may be in text (RFC 1035, section 2.3.4).
const maxDomainName = 253

func validHostName(name string) bool { return len(name) <= maxHostName && validDomainName(name) }

// validDomainName follows RFC 1123, section 2.1: labels of letters, digits and inner hyphens, separated by dots.
func validDomainName(name string) bool {
	if len(name) > maxDomainName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

// number is the IPv4 address as the table counts it.
func number(address netip.Addr) uint32 {
	b := address.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(number uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, number)))
}
