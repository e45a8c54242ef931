package network

import (
	"net/netip"
	"slices"
	"time"
)

// Config is what a .network file says about the links it matches.
type Config struct {
	// Addresses are those of [Network] and [Address]. One of them may be 0.0.0.0/N: the first address of a free subnet
	// of that size, see [Subnets].
	Addresses []netip.Prefix

	Masquerade  Families   // IPMasquerade=
	Forwarding4 Tristate   // IPv4Forwarding=; unset follows IPMasquerade=
	Forwarding6 Tristate   // IPv6Forwarding=
	LinkLocal   Families   // LinkLocalAddressing=
	DHCPServer  bool       // DHCPServer=
	Server      DHCPServer // [DHCPServer]

	linkLocalSet, keepMaster bool
}

// Families says for which versions of IP something is on.
type Families struct{ IPv4, IPv6 bool }

// Tristate is a boolean that may be left to a default.
type Tristate int

// The values of a Tristate.
const (
	Unset Tristate = iota
	Yes
	No
)

// or returns the boolean, or the default where it is unset.
func (t Tristate) or(otherwise bool) bool {
	if t == Unset {
		return otherwise
	}
	return t == Yes
}

// DHCPServer is the [DHCPServer] section.
type DHCPServer struct {
	ServerAddress netip.Prefix // zero: the first static IPv4 address
	PoolOffset    uint32       // from the network address; 0: after the network address
	PoolSize      uint32       // number of addresses; 0: the rest of the subnet
	DefaultLease  time.Duration
	MaxLease      time.Duration

	EmitDNS       bool
	DNS           []netip.Addr // none: those of the host's uplink
	DNSServerSelf bool         // "_server_address" among the values of DNS=
	EmitRouter    bool
	Router        netip.Addr // zero: the server itself
	EmitTimezone  bool
	Timezone      string // empty: the host's
	RapidCommit   bool   // RFC 4039

	PersistLeases string // "yes", "runtime", "no"
}

// defaults are those of systemd.network(5).
func defaults() Config {
	return Config{
		Server: DHCPServer{
			DefaultLease:  time.Hour,
			MaxLease:      12 * time.Hour,
			EmitDNS:       true,
			EmitRouter:    true,
			EmitTimezone:  true,
			RapidCommit:   true,
			PersistLeases: "yes",
		},
	}
}

// finish fills in what depends on more than one key.
func (f *File) finish() {
	c := &f.Config
	if !c.linkLocalSet {
		c.LinkLocal.IPv6 = !c.keepMaster
	}
	if a := c.Server.ServerAddress; a.IsValid() && !slices.Contains(c.Addresses, a) {
		c.Addresses = append(c.Addresses, a) // ServerAddress= implies Address=
	}
}

// forwards reports for which families packets of the link are forwarded.
func (c *Config) forwards() Families {
	return Families{c.Forwarding4.or(c.Masquerade.IPv4), c.Forwarding6.or(c.Masquerade.IPv6)}
}

// FreeSubnet returns the size of the free subnet that the file asks for with Address=0.0.0.0/N, if it does.
func (c *Config) FreeSubnet() (bits int, wanted bool) {
	for _, a := range c.Addresses {
		if a.Addr().IsUnspecified() {
			return a.Bits(), true
		}
	}
	return 0, false
}

// Address returns which of the addresses of a link the server has: ServerAddress=, or the first of IPv4.
func (s *DHCPServer) Address(addresses []netip.Prefix) (server netip.Prefix, ok bool) {
	if s.ServerAddress.IsValid() {
		return s.ServerAddress, true
	}
	for _, a := range addresses {
		if a.Addr().Is4() {
			return a, true
		}
	}
	return netip.Prefix{}, false
}
