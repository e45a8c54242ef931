package dhcp

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Defaults of DefaultLeaseTimeSec= and MaxLeaseTimeSec= in systemd.network(5).
const (
	DefaultLeaseTime = time.Hour
	MaxLeaseTime     = 12 * time.Hour
)

// maxOptionBytes bounds the options a configuration sends, so that with the fixed ones and the client's own identifier a reply fits
// in the 312 bytes of options that every client must accept (RFC 2131, section 2).
const maxOptionBytes = 200

// maxPoolSize bounds what clients that invent hardware addresses can make the server remember.
const maxPoolSize = 1 << 16

// HardwareAddr is an Ethernet address.
type HardwareAddr [6]byte

// Config describes the server of one link, mostly in the terms of [DHCPServer] in systemd.network(5). What networkd takes from an
// uplink or from the host (EmitDNS=yes without DNS=, say) the caller resolves: an empty list or string sends nothing.
type Config struct {
	Link          string       // name of the link, for error messages
	ServerAddress netip.Prefix // the server's address and the subnet of the link

	PoolOffset uint32 // first address of the pool, counted from the subnet's; 0: 1
	PoolSize   uint32 // number of addresses, at most 65536; 0: all but the broadcast address, or as many

	DefaultLeaseTime time.Duration // for clients that ask for none; 0: [DefaultLeaseTime]
	MaxLeaseTime     time.Duration // 0: [MaxLeaseTime]

	Router   netip.Addr // zero: none (EmitRouter=no)
	DNS      []netip.Addr
	NTP      []netip.Addr
	SIP      []netip.Addr
	POP3     []netip.Addr
	SMTP     []netip.Addr
	LPR      []netip.Addr
	Domain   string
	Search   []string // domains to look names up in (RFC 3397); left out where other options leave no room for them
	Timezone string   // "Europe/Berlin"

	// RelayTarget is the server whose replies clients get, by a [Relay], instead of any from here; zero: none.
	RelayTarget         netip.Addr
	RelayAgentCircuitID string
	RelayAgentRemoteID  string

	BootServerAddress netip.Addr // siaddr; zero: none
	BootServerName    string     // option 66
	BootFilename      string     // option 67

	// IPv6OnlyPreferred is sent to clients that ask for it: how long they do without IPv4 (RFC 8925), in whole seconds; 0: not sent.
	IPv6OnlyPreferred time.Duration

	SendOption       dhcpv4.Options // further options as raw bytes; they win over those of the fields above
	SendVendorOption dhcpv4.Options // within option 43 (RFC 2132, section 8.4)
	RapidCommit      bool           // RFC 4039

	StaticLeases []StaticLease

	// MaxLeases is the number of leases the server gives out at a time; 0: as many as the pool has addresses.
	// At 1 the link is a point-to-point link: the lease and its address belong to the machine at its other end. A client with the
	// holder's hardware address (the same machine with another client identifier) takes them over, and so does any client while
	// the holder has not been heard of since the server started (another machine was plugged in).
	MaxLeases int

	// Containers are the containers of the link; nil: none are known. A container keeps its address whatever identifier and hardware
	// address it has after a restart.
	Containers *Containers

	// Probe asks on the link who uses an address; the zero HardwareAddr: nobody. [Serve] calls it, from several goroutines, before a
	// client is offered an address that it did not have before. nil: no probes, as on a point-to-point link.
	Probe func(address netip.Addr) (HardwareAddr, error)

	Now func() time.Time // the clock of [Serve]; nil: time.Now
}

// StaticLease is a [DHCPServerStaticLease] section.
type StaticLease struct {
	MACAddress HardwareAddr
	Address    netip.Addr
	Hostname   string // sent to the client; empty: none
}

// withDefaults checks c and fills in what was left at zero.
func (c Config) withDefaults() (Config, error) {
	if c.DefaultLeaseTime == 0 {
		c.DefaultLeaseTime = DefaultLeaseTime
	}
	if c.MaxLeaseTime == 0 {
		c.MaxLeaseTime = max(MaxLeaseTime, c.DefaultLeaseTime)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	subnet := c.ServerAddress
	switch {
	case !subnet.IsValid() || !subnet.Addr().Is4():
		return c, fmt.Errorf("server address %v is not an IPv4 address with prefix length", subnet)
	case subnet.Bits() < 8 || subnet.Bits() > 30:
		return c, fmt.Errorf("subnet of %v: prefix length must be 8 to 30", subnet)
	case !assignable(subnet, subnet.Addr()):
		return c, fmt.Errorf("server address %v is not the address of a host", subnet)
	case c.DefaultLeaseTime < time.Second || c.MaxLeaseTime < c.DefaultLeaseTime:
		return c, fmt.Errorf("lease times %v (default) and %v (maximum) do not fit together", c.DefaultLeaseTime, c.MaxLeaseTime)
	case c.MaxLeaseTime >= 1<<32*time.Second:
		return c, fmt.Errorf("maximum lease time %v does not fit in 32 bits of seconds", c.MaxLeaseTime)
	case c.MaxLeases < 0:
		return c, fmt.Errorf("maximum of %d leases is negative", c.MaxLeases)
	}
	size := uint64(1) << (32 - subnet.Bits())
	if c.PoolOffset == 0 {
		c.PoolOffset = 1
	}
	if uint64(c.PoolOffset) >= size-1 {
		return c, fmt.Errorf("pool offset %d is not within %v", c.PoolOffset, subnet.Masked())
	}
	if c.PoolSize == 0 {
		c.PoolSize = min(uint32(size)-1-c.PoolOffset, maxPoolSize)
	}
	if c.PoolSize > maxPoolSize {
		return c, fmt.Errorf("pool of %d addresses is larger than %d", c.PoolSize, maxPoolSize)
	}
	if uint64(c.PoolOffset)+uint64(c.PoolSize) > size-1 {
		return c, fmt.Errorf("pool of %d addresses from offset %d does not fit in %v", c.PoolSize, c.PoolOffset, subnet.Masked())
	}
	return c, c.checkStaticLeases()
}

func (c Config) checkStaticLeases() error {
	hardware, addresses := map[HardwareAddr]bool{}, map[netip.Addr]bool{}
	for _, lease := range c.StaticLeases {
		switch {
		case !assignable(c.ServerAddress, lease.Address) || lease.Address == c.ServerAddress.Addr():
			return fmt.Errorf("static lease of %v: %v cannot be given to a client of %v", lease.MACAddress, lease.Address, c.ServerAddress)
		case hardware[lease.MACAddress] || addresses[lease.Address]:
			return fmt.Errorf("static lease of %v: another one has the same hardware address or address %v", lease.MACAddress, lease.Address)
		case lease.Hostname != "" && !validDomainName(lease.Hostname):
			return fmt.Errorf("static lease of %v: %q is not a host name", lease.MACAddress, lease.Hostname)
		}
		hardware[lease.MACAddress], addresses[lease.Address] = true, true
	}
	return nil
}

// policy is what a server goes by: a Config without what is in its options and its pool already. Hosts have hundreds.
type policy struct {
	link              string
	serverAddress     netip.Prefix
	poolSize          uint32
	maxLeases         int
	defaultLeaseTime  time.Duration
	maxLeaseTime      time.Duration
	bootServerAddress netip.Addr
	ipv6OnlyPreferred time.Duration
	rapidCommit       bool
	containers        *Containers
	probe             func(address netip.Addr) (HardwareAddr, error)
	now               func() time.Time
}

func (c Config) policy() policy {
	return policy{
		link: c.Link, serverAddress: c.ServerAddress, poolSize: c.PoolSize, maxLeases: c.MaxLeases, defaultLeaseTime: c.DefaultLeaseTime, maxLeaseTime: c.MaxLeaseTime,
		bootServerAddress: c.BootServerAddress, ipv6OnlyPreferred: c.IPv6OnlyPreferred, rapidCommit: c.RapidCommit, containers: c.Containers, probe: c.Probe, now: c.Now,
	}
}

// assignable says whether address is a host address of the server's subnet.
func (p *policy) assignable(address netip.Addr) bool { return assignable(p.serverAddress, address) }

// assignable says whether address is a host address of subnet.
func assignable(subnet netip.Prefix, address netip.Addr) bool {
	if !subnet.Contains(address) {
		return false
	}
	host := number(address) &^ (^uint32(0) << (32 - subnet.Bits()))
	return host != 0 && host != 1<<(32-subnet.Bits())-1
}
