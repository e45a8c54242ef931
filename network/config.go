package network

import (
	"net/netip"
	"slices"
	"strconv"
)

// Config is what a .network file says about the links it matches.
type Config struct {
	// Addresses are those of [Network] and [Address]. One of them may be 0.0.0.0/N: the first address of a free subnet
	// of that size, see [Subnets]. Another may be ::/N: the first address of a prefix of our own, see [LocalPrefixes].
	Addresses       []netip.Prefix
	AddressSettings map[netip.Prefix]AddressSettings // what [Address] says of some of them

	Masquerade  Families      // IPMasquerade=
	Forwarding4 Tristate      // IPv4Forwarding=; unset follows IPMasquerade=
	Forwarding6 Tristate      // IPv6Forwarding=
	LinkLocal   Families      // LinkLocalAddressing=
	DHCPServer  bool          // DHCPServer=
	Server      DHCPServer    // [DHCPServer]
	EmitLLDP    EmitLLDP      // EmitLLDP= and [LLDP]
	LLDP        LLDP          // LLDP=
	Description string        // for readers of the file, and told by LLDP
	SendRA      IPv6SendRA    // IPv6SendRA= and [IPv6SendRA]
	Routes      []StaticRoute // [Route], and Gateway= of [Network]
	NextHops    []NextHop     // [NextHop]

	Resolving Resolving    // DNS=, Domains= and DNSDefaultRoute=
	Link      LinkSettings // [Link] and [Bridge]
	Sysctls   []linkSysctl // other kernel parameters of the link
	Unmanaged bool         // Unmanaged=: the link is left alone
	LeaveDown bool         // ActivationPolicy=manual: it is not brought up

	linkLocalSet, keepMaster bool
	generationMode           int // IPv6LinkLocalAddressGenerationMode=
	addressSections          []*addressSection
	routeSections            []*routeSection
	nextHopSections          []*nextHopSection
	routeOnDevice            section // of DefaultRouteOnDevice=yes
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

// defaults are those of systemd.network(5).
func defaults() Config { return Config{Server: defaultDHCPServer(), SendRA: defaultSendRA()} }

// finish fills in what depends on more than one key.
func (f *File) finish() {
	c := &f.Config
	if !c.linkLocalSet {
		c.LinkLocal.IPv6 = !c.keepMaster
	}
	if a := c.Server.ServerAddress; a.IsValid() && !slices.Contains(c.Addresses, a) {
		c.Addresses = append(c.Addresses, a) // ServerAddress= implies Address=
	}
	f.finishAddresses()
	f.finishStaticLeases()
	f.finishRelay()
	f.finishResolving()
	f.finishSendRA()
	f.finishNextHops()
	f.finishRoutes()
}

// forwards reports for which families packets of the link are forwarded.
func (c *Config) forwards() Families {
	return Families{c.Forwarding4.or(c.Masquerade.IPv4), c.Forwarding6.or(c.Masquerade.IPv6)}
}

// addressGeneration is the kernel's addr_gen_mode.
func (c *Config) addressGeneration() string {
	if !c.LinkLocal.IPv6 {
		return strconv.Itoa(generateNone)
	}
	return strconv.Itoa(c.generationMode)
}

// FreeSubnet returns the size of the free subnet that the file asks for with Address=0.0.0.0/N, if it does.
func (c *Config) FreeSubnet() (bits int, wanted bool) {
	for _, a := range c.Addresses {
		if a.Addr().IsUnspecified() && a.Addr().Is4() {
			return a.Bits(), true
		}
	}
	return 0, false
}

// Address returns which of the addresses of a link the server has: ServerAddress=, or the first of IPv4.
func (s *DHCPServer) Address(addresses []netip.Prefix) (server netip.Prefix, ok bool) {
	free := s.ServerAddress.IsValid() && s.ServerAddress.Addr().IsUnspecified()
	if s.ServerAddress.IsValid() && !free {
		return s.ServerAddress, true
	}
	for _, a := range addresses {
		if a.Addr().Is4() && (!free || a.Bits() == s.ServerAddress.Bits()) {
			return a, true
		}
	}
	return netip.Prefix{}, false
}
