package dns

import (
	"net/netip"
	"slices"
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
	Closed  bool // what is not known here is refused: nobody else is asked
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
	if address, bits, below, isReverse := parseReverse(name); isReverse {
		return z.pointer(q.Type, address, bits, below)
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

// pointer answers for the name of an address, of a part of it with that many bits, or for a name below such a one.
func (z *Zone) pointer(kind dnsmessage.Type, address netip.Addr, bits int, below bool) (a Answer, ok bool) {
	whole := bits == address.BitLen() && !below
	if whole && address.IsLoopback() {
		return pointTo(kind, localhostName), true
	}
	if whole && slices.Contains(z.Self, address) {
		return pointTo(kind, gatewayName), true
	}
	if !slices.ContainsFunc(z.Subnets, func(s netip.Prefix) bool { return s.Bits() <= bits && s.Contains(address) }) {
		return Answer{}, false
	}
	name, exists := z.Hosts.Name(address)
	switch {
	case whole && exists:
		return pointTo(kind, name+"."+z.Suffix), true
	case whole || below:
		return Answer{RCode: dnsmessage.RCodeNameError}, true
	}
	return Answer{}, true // a name above those of addresses
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
