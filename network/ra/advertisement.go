package ra

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
)

// Preference is that of a router or a route (RFC 4191, section 2.1).
type Preference = ndp.Preference

// The values of a Preference.
const (
	Medium = ndp.Medium
	High   = ndp.High
	Low    = ndp.Low
)

// Advertisement is what a router advertisement says. Lifetimes are cut to seconds, the times of neighbours to milliseconds.
type Advertisement struct {
	HopLimit       uint8 // 0: not said
	Managed        bool  // a DHCPv6 server gives out addresses
	Other          bool  // a DHCPv6 server gives out other information
	Preference     Preference
	RouterLifetime time.Duration // 0: not a default router
	ReachableTime  time.Duration // 0: not said
	RetransTimer   time.Duration // 0: not said
	HomeAgent      *HomeAgent    // nil: not one

	LinkLayerAddress [6]byte // of the router; zero: not said
	MTU              uint32  // in bytes; 0: not said
	Prefixes         []Prefix
	Routes           []Route
	PREF64           []PREF64

	DNS         []netip.Addr // RFC 8106
	Domains     []string     // search list (RFC 8106)
	DNSLifetime time.Duration
}

// Prefix is one of the link (RFC 4861, section 4.6.2).
type Prefix struct {
	Prefix     netip.Prefix
	OnLink     bool
	Autonomous bool // hosts make addresses of it by themselves
	Preferred  time.Duration
	Valid      time.Duration
}

// Route is one that the router has (RFC 4191, section 2.3).
type Route struct {
	Prefix     netip.Prefix
	Preference Preference
	Lifetime   time.Duration
}

// PREF64 is a prefix behind which there is IPv4 (RFC 8781).
type PREF64 struct {
	Prefix   netip.Prefix
	Lifetime time.Duration
}

// HomeAgent says that the router is one (RFC 6275, section 7.4).
type HomeAgent struct {
	Preference uint16
	Lifetime   time.Duration
}

// maxMessage is what fits in a packet of the least MTU behind the IPv6 header: advertisements are not fragmented (RFC 6980).
const maxMessage = 1280 - 40

// Marshal returns the ICMPv6 message without a checksum. It fails when that is longer than a packet may be, or has values that its
// fields cannot hold.
func (a *Advertisement) Marshal() ([]byte, error) {
	preference := a.Preference
	if a.RouterLifetime == 0 {
		preference = Medium // RFC 4191, section 2.2
	}
	message, err := ndp.MarshalMessage(&ndp.RouterAdvertisement{
		CurrentHopLimit:           a.HopLimit,
		ManagedConfiguration:      a.Managed,
		OtherConfiguration:        a.Other,
		MobileIPv6HomeAgent:       a.HomeAgent != nil,
		RouterSelectionPreference: preference,
		RouterLifetime:            a.RouterLifetime,
		ReachableTime:             a.ReachableTime,
		RetransmitTimer:           a.RetransTimer,
		Options:                   slices.Concat(a.linkOptions(), a.prefixOptions(), a.dnsOptions(), a.homeAgentOptions()),
	})
	if err != nil {
		return nil, fmt.Errorf("encode router advertisement: %w", err)
	}
	if len(message) > maxMessage {
		return nil, fmt.Errorf("router advertisement of %d bytes does not fit in a packet, which holds %d: advertise fewer prefixes, routes, "+
			"DNS servers or domains", len(message), maxMessage)
	}
	return message, nil
}

func (a *Advertisement) linkOptions() []ndp.Option {
	var options []ndp.Option
	if a.LinkLayerAddress != [6]byte{} {
		options = append(options, &ndp.LinkLayerAddress{Direction: ndp.Source, Addr: net.HardwareAddr(a.LinkLayerAddress[:])})
	}
	if a.MTU != 0 {
		options = append(options, ndp.NewMTU(a.MTU))
	}
	return options
}

func (a *Advertisement) prefixOptions() []ndp.Option {
	var options []ndp.Option
	for _, p := range a.Prefixes {
		options = append(options, &ndp.PrefixInformation{
			Prefix: p.Prefix.Masked().Addr(), PrefixLength: uint8(p.Prefix.Bits()), OnLink: p.OnLink,
			AutonomousAddressConfiguration: p.Autonomous, PreferredLifetime: p.Preferred, ValidLifetime: p.Valid,
		})
	}
	for _, r := range a.Routes {
		options = append(options, &ndp.RouteInformation{
			Prefix: r.Prefix.Masked().Addr(), PrefixLength: uint8(r.Prefix.Bits()), Preference: r.Preference, RouteLifetime: r.Lifetime,
		})
	}
	for _, p := range a.PREF64 {
		options = append(options, &ndp.PREF64{Prefix: p.Prefix, Lifetime: p.Lifetime})
	}
	return options
}

func (a *Advertisement) dnsOptions() []ndp.Option {
	var options []ndp.Option
	if len(a.DNS) > 0 {
		options = append(options, &ndp.RecursiveDNSServer{Lifetime: a.DNSLifetime, Servers: a.DNS})
	}
	if len(a.Domains) > 0 {
		options = append(options, &ndp.DNSSearchList{Lifetime: a.DNSLifetime, DomainNames: a.Domains})
	}
	return options
}

// homeAgentOption is the type of a Home Agent Information option.
const homeAgentOption = 8

func (a *Advertisement) homeAgentOptions() []ndp.Option {
	if a.HomeAgent == nil {
		return nil
	}
	value := make([]byte, 2, 6) // reserved
	value = binary.BigEndian.AppendUint16(value, a.HomeAgent.Preference)
	value = binary.BigEndian.AppendUint16(value, uint16(a.HomeAgent.Lifetime/time.Second))
	return []ndp.Option{&ndp.RawOption{Type: homeAgentOption, Length: 1, Value: value}}
}

// Final returns what the router says when it ceases to be one (RFC 4861, section 6.2.5): that nothing of it is to be used any
// longer.
func (a *Advertisement) Final() *Advertisement {
	final := *a
	final.RouterLifetime, final.DNSLifetime, final.HomeAgent = 0, 0, nil
	final.Prefixes, final.Routes, final.PREF64 = slices.Clone(a.Prefixes), slices.Clone(a.Routes), slices.Clone(a.PREF64)
	for i := range final.Prefixes {
		final.Prefixes[i].Preferred, final.Prefixes[i].Valid = 0, 0
	}
	for i := range final.Routes {
		final.Routes[i].Lifetime = 0
	}
	for i := range final.PREF64 {
		final.PREF64[i].Lifetime = 0
	}
	return &final
}

// shortestLifetime returns the shortest lifetime of what is advertised, as far as it ends at all.
func (a *Advertisement) shortestLifetime() time.Duration {
	lifetimes := []time.Duration{a.RouterLifetime}
	for _, p := range a.Prefixes {
		lifetimes = append(lifetimes, p.Preferred)
	}
	for _, r := range a.Routes {
		lifetimes = append(lifetimes, r.Lifetime)
	}
	for _, p := range a.PREF64 {
		lifetimes = append(lifetimes, p.Lifetime)
	}
	if len(a.DNS)+len(a.Domains) > 0 {
		lifetimes = append(lifetimes, a.DNSLifetime)
	}
	shortest := ndp.Infinity
	for _, l := range lifetimes {
		if l > 0 {
			shortest = min(shortest, l)
		}
	}
	return shortest
}
