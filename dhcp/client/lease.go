package client

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"time"
)

// Lease is what a server has given.
type Lease struct {
	Address netip.Prefix
	Server  netip.Addr
	Routes  []Route
	DNS     []netip.Addr
	Search  []string // domains, such as can be written to resolv.conf(5)

	Renew, Rebind, Ends time.Duration // since the host was started; RFC 2131 calls the first ones T1 and T2. Ends is Never for a lease without end
}

// Never is the end of a lease that has none.
const Never time.Duration = math.MaxInt64

// Route is a route of a lease. Without Gateway its destination is on the link.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// Left returns how long a lease lasts from now on; 0: for ever.
func (l *Lease) Left(now time.Duration) time.Duration {
	if l.Ends == Never {
		return 0
	}
	return max(l.Ends-now, 1)
}

// How much of an offer is taken: more is no use, or a mistake.
const (
	maxServers  = 8
	maxDomains  = 16
	maxRoutes   = 64
	maxLifetime = 10 * 365 * 24 * time.Hour // more is without end
	minLifetime = 2 * time.Second           // a lease of less is taken for one of this
)

// newLease reads a DHCPOFFER or DHCPACK that was the answer to something sent at a time: the lease begins then (section 4.4.1).
func newLease(r reply, sent time.Duration) (*Lease, error) {
	server := r.options.addresses(optionServer)
	if len(server) != 1 {
		return nil, errors.New("no server identifier")
	}
	lease := &Lease{Server: server[0]}
	length, err := prefixLength(r)
	if err != nil {
		return nil, err
	}
	if lease.Address = netip.PrefixFrom(r.yiaddr, length); !ofHost(r.yiaddr) {
		return nil, fmt.Errorf("%s is not the address of a host", r.yiaddr)
	}
	if err := lease.setTimes(r.options, sent); err != nil {
		return nil, err
	}
	lease.setRoutes(r.options)
	lease.DNS = cut(r.options.addresses(optionDNS), maxServers)
	lease.Search = cut(searchList(r.options), maxDomains)
	return lease, nil
}

func cut[T any](list []T, length int) []T { return list[:min(len(list), length)] }

// prefixLength returns that of the subnet mask, or else of the class that the address is of.
func prefixLength(r reply) (int, error) {
	mask, ok := r.options.number32(optionSubnetMask)
	if !ok {
		switch first := r.yiaddr.As4()[0]; {
		case first < 128:
			return 8, nil
		case first < 192:
			return 16, nil
		}
		return 24, nil
	}
	length := bits.LeadingZeros32(^mask)
	if length == 0 || mask<<length != 0 {
		return 0, fmt.Errorf("%08x is not a subnet mask", mask)
	}
	return length, nil
}

// setTimes sets when the lease ends, and what is done about it before (section 4.4.5).
func (l *Lease) setTimes(o options, sent time.Duration) error {
	seconds, ok := o.number32(optionLeaseTime)
	if !ok {
		return errors.New("no lease time")
	}
	lifetime := max(time.Duration(seconds)*time.Second, minLifetime)
	if lifetime > maxLifetime {
		l.Renew, l.Rebind, l.Ends = Never, Never, Never
		return nil
	}
	t1, ok1 := o.number32(optionRenewal)
	t2, ok2 := o.number32(optionRebinding)
	renew, rebind := time.Duration(t1)*time.Second, time.Duration(t2)*time.Second
	if !ok2 || rebind >= lifetime {
		rebind = lifetime * 7 / 8
	}
	if !ok1 || renew >= rebind || renew == 0 {
		renew = min(lifetime/2, rebind)
	}
	l.Renew, l.Rebind, l.Ends = sent+renew, sent+rebind, sent+lifetime
	return nil
}

// setRoutes sets those of option 121, or else a default route to the first router.
func (l *Lease) setRoutes(o options) {
	if routes, ok := parseRoutes(o[optionStaticRoutes]); ok {
		l.Routes = cut(routes, maxRoutes)
	} else if routers := o.addresses(optionRouter); len(routers) > 0 {
		l.Routes = []Route{{netip.PrefixFrom(netip.IPv4Unspecified(), 0), routers[0]}}
	}
}

// parseRoutes reads option 121 (RFC 3442): of each destination there are the bytes that its prefix length covers. One that cannot be
// read counts for nothing.
func parseRoutes(value []byte) (routes []Route, ok bool) {
	for len(value) > 0 {
		length := int(value[0])
		covered := (length + 7) / 8
		if length > 32 || len(value) < 1+covered+4 {
			return nil, false
		}
		var destination [4]byte
		copy(destination[:], value[1:1+covered])
		route := Route{Destination: netip.PrefixFrom(netip.AddrFrom4(destination), length).Masked()}
		if gateway := netip.AddrFrom4([4]byte(value[1+covered:])); !gateway.IsUnspecified() { // or it is on the link
			if route.Gateway = gateway; !ofHost(gateway) {
				return nil, false
			}
		}
		if !slices.Contains(routes, route) {
			routes = append(routes, route)
		}
		value = value[1+covered+4:]
	}
	return routes, len(routes) > 0
}
