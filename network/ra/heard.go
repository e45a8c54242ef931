package ra

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ndp"
)

const (
	advertisement       = 134 // ICMPv6 type (RFC 4861, section 4.2)
	advertisementHeader = 16  // bytes before the options
)

// ParseAdvertisement returns what a router advertisement says of its router, its prefixes and its DNS servers; the rest is left out. One
// that does not count is an error (RFC 4861, section 6.1.2). The kernel has checked the checksum, the socket the hop limit.
func ParseAdvertisement(message []byte, source netip.Addr) (*Advertisement, error) {
	switch {
	case !source.Is6() || !source.IsLinkLocalUnicast():
		return nil, fmt.Errorf("router advertisement from %v, which is not a link-local address", source)
	case len(message) < advertisementHeader:
		return nil, errors.New("shorter than a router advertisement")
	case message[0] != advertisement:
		return nil, fmt.Errorf("ICMPv6 type %d, not a router advertisement", message[0])
	case message[1] != 0:
		return nil, fmt.Errorf("router advertisement of code %d", message[1])
	}
	parsed, err := ndp.ParseMessage(message)
	if err != nil {
		return nil, fmt.Errorf("decode router advertisement: %w", err)
	}
	heard, isAdvertisement := parsed.(*ndp.RouterAdvertisement)
	if !isAdvertisement {
		return nil, fmt.Errorf("%T, not a router advertisement", parsed)
	}
	a := &Advertisement{RouterLifetime: heard.RouterLifetime}
	for _, option := range heard.Options {
		switch o := option.(type) {
		case *ndp.PrefixInformation:
			if p := netip.PrefixFrom(o.Prefix, int(o.PrefixLength)).Masked(); p.IsValid() {
				a.Prefixes = append(a.Prefixes, Prefix{
					Prefix: p, OnLink: o.OnLink, Autonomous: o.AutonomousAddressConfiguration, Preferred: o.PreferredLifetime, Valid: o.ValidLifetime,
				})
			}
		case *ndp.RecursiveDNSServer:
			if o.Lifetime > 0 { // 0: not to be used any longer (RFC 8106, section 5.1)
				a.DNS, a.DNSLifetime = append(a.DNS, o.Servers...), o.Lifetime
			}
		}
	}
	return a, nil
}
