package dns

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DefaultSuffix is the domain of containers where nothing else is configured. ICANN has reserved "internal" for private use (resolution
// 2024.07.29.06): it will never be delegated, resolvers that validate have it as a negative trust anchor, and the label before it keeps
// the names away from those that a company may have there.
const DefaultSuffix = "nspawn.internal"

// Names that every server knows, beside those of containers, which cannot have them.
const (
	gatewayName   = "_gateway" // as systemd-resolved has it (nss-myhostname(8))
	hostName      = "host"
	localhostName = "localhost" // RFC 6761, section 6.3
)

// Reserved reports whether name, in lower case, means something else than a container.
func Reserved(name string) bool {
	return name == gatewayName || name == hostName || name == localhostName || strings.HasSuffix(name, "."+localhostName)
}

// Hosts are the containers that a client may know of. Its methods may be called from several goroutines.
type Hosts interface {
	// Addresses returns the addresses of a container by its name in lower case; none where it exists but has none yet.
	Addresses(name string) (addresses []netip.Addr, exists bool)
	// Name returns the name of the container with that address, in lower case.
	Name(address netip.Addr) (name string, exists bool)
}

// Zone is what the server of one link answers by itself.
type Zone struct {
	Suffix  string         // domain of the containers, in lower case, without dots at its ends
	Self    []netip.Addr   // addresses of the host as the clients of the link reach it
	Subnets []netip.Prefix // of containers: nobody else is asked for the names of their addresses
	Clients []netip.Prefix // who may ask
	Hosts   Hosts
}

// Answer is what a zone knows of a question.
type Answer struct {
	RCode     dnsmessage.RCode
	Addresses []netip.Addr // of the family that was asked for
	Pointer   string       // for PTR: a name without the final dot
}

// Answer answers a query; ok is false where others are to be asked.
func (z *Zone) Answer(q *Query) (a Answer, ok bool) {
	name, ok := canonical(&q.Name)
	if !ok {
		return Answer{}, false
	}
	if address, bits, isReverse := parseReverse(name); isReverse {
		return z.pointer(q.Type, address, bits)
	}
	addresses, exists, ours := z.addresses(name)
	switch {
	case !ours:
		return Answer{}, false
	case !exists:
		return Answer{RCode: dnsmessage.RCodeNameError}, true
	}
	for _, address := range addresses {
		if q.Type == dnsmessage.TypeALL || q.Type == dnsmessage.TypeA && address.Is4() || q.Type == dnsmessage.TypeAAAA && address.Is6() {
			a.Addresses = append(a.Addresses, address)
		}
	}
	return a, true
}

// addresses returns those of a name. ours is false for names that others may know.
func (z *Zone) addresses(name string) (addresses []netip.Addr, exists, ours bool) {
	if name == localhostName || strings.HasSuffix(name, "."+localhostName) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, true, true
	}
	label, below := strings.CutSuffix(name, "."+z.Suffix)
	switch {
	case name == z.Suffix:
		return nil, true, true
	case label == gatewayName || label == hostName:
		return z.Self, true, true
	case below:
		addresses, exists = z.Hosts.Addresses(label)
		return addresses, exists, true
	case strings.Contains(name, "."):
		return nil, false, false
	}
	addresses, exists = z.Hosts.Addresses(name)
	return addresses, exists, exists
}

// pointer answers for the name of an address, or of a part of it with that many bits.
func (z *Zone) pointer(kind dnsmessage.Type, address netip.Addr, bits int) (a Answer, ok bool) {
	if address.IsLoopback() && bits == address.BitLen() {
		return pointTo(kind, localhostName), true
	}
	for _, self := range z.Self {
		if self == address && bits == address.BitLen() {
			return pointTo(kind, gatewayName), true
		}
	}
	for _, subnet := range z.Subnets {
		if !subnet.Contains(address) || bits >= 0 && bits < subnet.Bits() {
			continue
		}
		if bits >= 0 && bits < address.BitLen() {
			return Answer{}, true // a name above those of addresses
		}
		if name, exists := z.Hosts.Name(address); exists && bits >= 0 {
			return pointTo(kind, name+"."+z.Suffix), true
		}
		return Answer{RCode: dnsmessage.RCodeNameError}, true
	}
	return Answer{}, false
}

func pointTo(kind dnsmessage.Type, name string) Answer {
	if kind != dnsmessage.TypePTR && kind != dnsmessage.TypeALL {
		return Answer{}
	}
	return Answer{Pointer: name}
}

// MayAsk reports whether a client with that address belongs to the link.
func (z *Zone) MayAsk(client netip.Addr) bool {
	client = client.Unmap().WithZone("")
	for _, prefix := range z.Clients {
		if prefix.Contains(client) {
			return true
		}
	}
	return false
}
