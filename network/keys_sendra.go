package network

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"nspawnkit/network/ra"
	"nspawnkit/settings"
)

// sendRAKeys are the keys of router advertisements.
var sendRAKeys = [...]key{
	{"Network", "IPv6SendRA", setSendRA},
	{"IPv6SendRA", "Managed", func(f *File, v string) error { return setBool(&f.Config.SendRA.Managed, v) }},
	{"IPv6SendRA", "OtherInformation", func(f *File, v string) error { return setBool(&f.Config.SendRA.Other, v) }},
	{"IPv6SendRA", "RouterLifetimeSec", setRouterLifetime},
	{"IPv6SendRA", "ReachableTimeSec", func(f *File, v string) error { return setMilliseconds(&f.Config.SendRA.ReachableTime, v) }},
	{"IPv6SendRA", "RetransmitSec", func(f *File, v string) error { return setMilliseconds(&f.Config.SendRA.Retransmit, v) }},
	{"IPv6SendRA", "RouterPreference", func(f *File, v string) error { return setPreference(&f.Config.SendRA.Preference, v) }},
	{"IPv6SendRA", "HopLimit", setHopLimit},
	{"IPv6SendRA", "UplinkInterface", func(f *File, v string) error { return setUplink(&f.Config.SendRA.Uplink, v) }},
	{"IPv6SendRA", "EmitDNS", func(f *File, v string) error { return setBool(&f.Config.SendRA.EmitDNS, v) }},
	{"IPv6SendRA", "DNS", addRADNS},
	{"IPv6SendRA", "EmitDomains", func(f *File, v string) error { return setBool(&f.Config.SendRA.EmitDomains, v) }},
	{"IPv6SendRA", "Domains", addRADomains},
	{"IPv6SendRA", "DNSLifetimeSec", func(f *File, v string) error { return setSeconds(&f.Config.SendRA.DNSLifetime, v, math.MaxUint32) }},
	{"IPv6SendRA", "HomeAgent", func(f *File, v string) error { return setBool(&f.Config.SendRA.HomeAgent, v) }},
	{"IPv6SendRA", "HomeAgentLifetimeSec", setHomeAgentLifetime},
	{"IPv6SendRA", "HomeAgentPreference", setHomeAgentPreference},

	{"IPv6Prefix", "Prefix", setPrefix},
	{"IPv6Prefix", "AddressAutoconfiguration", func(f *File, v string) error { return setBool(&f.ipv6Prefix().Autonomous, v) }},
	{"IPv6Prefix", "OnLink", func(f *File, v string) error { return setBool(&f.ipv6Prefix().OnLink, v) }},
	{"IPv6Prefix", "PreferredLifetimeSec", func(f *File, v string) error { return setSeconds(&f.ipv6Prefix().Preferred, v, math.MaxUint32) }},
	{"IPv6Prefix", "ValidLifetimeSec", func(f *File, v string) error { return setSeconds(&f.ipv6Prefix().Valid, v, math.MaxUint32) }},
	{"IPv6Prefix", "Assign", func(f *File, v string) error { return setBool(&f.ipv6Prefix().Assign, v) }},
	{"IPv6Prefix", "Token", setToken},
	{"IPv6Prefix", "RouteMetric", onlyDefaultMetric},

	{"IPv6RoutePrefix", "Route", setRoute},
	{"IPv6RoutePrefix", "LifetimeSec", func(f *File, v string) error { return setSeconds(&f.routePrefix().Lifetime, v, math.MaxUint32) }},
	{"IPv6RoutePrefix", "Preference", func(f *File, v string) error { return setPreference(&f.routePrefix().Preference, v) }},

	{"IPv6PREF64Prefix", "Prefix", setPREF64},
	{"IPv6PREF64Prefix", "LifetimeSec", func(f *File, v string) error { return setSeconds(&f.pref64().Lifetime, v, maxPREF64Lifetime) }},
}

// maxPREF64Lifetime, in seconds, is what 13 bits hold in units of 8 seconds (RFC 8781, section 4).
const maxPREF64Lifetime = (1<<13 - 1) * 8

// ipv6Prefix returns the [IPv6Prefix] section that is being read.
func (f *File) ipv6Prefix() *IPv6Prefix {
	list := &f.Config.SendRA.Prefixes
	i := slices.IndexFunc(*list, func(p IPv6Prefix) bool { return p.section == f.section })
	if i < 0 {
		i = len(*list)
		*list = append(*list, IPv6Prefix{Prefix: DefaultPrefix(netip.Prefix{}), section: f.section})
	}
	return &(*list)[i]
}

// routePrefix returns the [IPv6RoutePrefix] section that is being read.
func (f *File) routePrefix() *IPv6RoutePrefix {
	list := &f.Config.SendRA.Routes
	i := slices.IndexFunc(*list, func(r IPv6RoutePrefix) bool { return r.section == f.section })
	if i < 0 {
		i = len(*list)
		*list = append(*list, IPv6RoutePrefix{Route: ra.Route{Lifetime: time.Hour}, section: f.section})
	}
	return &(*list)[i]
}

// pref64 returns the [IPv6PREF64Prefix] section that is being read.
func (f *File) pref64() *IPv6PREF64Prefix {
	list := &f.Config.SendRA.PREF64
	i := slices.IndexFunc(*list, func(p IPv6PREF64Prefix) bool { return p.section == f.section })
	if i < 0 {
		i = len(*list)
		*list = append(*list, IPv6PREF64Prefix{PREF64: ra.PREF64{Lifetime: 30 * time.Minute}, section: f.section})
	}
	return &(*list)[i]
}

func setSendRA(f *File, value string) error {
	s := &f.Config.SendRA
	err := setBool(&s.Enabled, value)
	if err == nil && s.Enabled {
		s.section = f.section
	}
	return err
}

// setRouterLifetime takes a time span. 0 says that the router is none for anything outside.
func setRouterLifetime(f *File, value string) error {
	var span time.Duration
	if err := setSeconds(&span, value, 9000); err != nil || span != 0 && span < 4*time.Second {
		return errors.New("not 0, or between 4 and 9000 seconds")
	}
	f.Config.SendRA.RouterLifetime = span
	return nil
}

// setSeconds takes a time span, and "infinity" where the field of the packet has a value for it: all ones (RFC 4861, section 4.6.2).
func setSeconds(into *time.Duration, value string, most uint32) error {
	span, err := settings.ParseTimeSpan(value)
	if err != nil {
		return err
	}
	longest := time.Duration(most) * time.Second
	if span > longest && most < math.MaxUint32 {
		return fmt.Errorf("longer than %d seconds", most)
	}
	*into = min(span.Truncate(time.Second), longest)
	return nil
}

func setMilliseconds(into *time.Duration, value string) error {
	span, err := settings.ParseTimeSpan(value)
	if err != nil {
		return err
	}
	if span > math.MaxUint32*time.Millisecond {
		return errors.New("longer than 4294967295 ms")
	}
	*into = span.Truncate(time.Millisecond)
	return nil
}

func setPreference(into *ra.Preference, value string) error {
	switch value {
	case "high":
		*into = ra.High
	case "medium", "normal", "default":
		*into = ra.Medium
	case "low":
		*into = ra.Low
	default:
		return errors.New("not high, medium or low")
	}
	return nil
}

func setHopLimit(f *File, value string) error {
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil {
		return errors.New("not a number from 0 to 255")
	}
	f.Config.SendRA.HopLimit = uint8(n)
	return nil
}

// addRADNS takes IPv6 addresses and "_link_local"; an empty value takes all earlier ones back.
func addRADNS(f *File, value string) error {
	var list []netip.Addr
	for word := range strings.FieldsSeq(value) {
		addr, err := netip.ParseAddr(word)
		switch {
		case word == "_link_local":
			addr = netip.IPv6Unspecified()
		case err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback():
			return fmt.Errorf("%q is not the IPv6 address of a server", word)
		}
		list = append(list, addr)
	}
	if value != "" {
		list = append(f.Config.SendRA.DNS, list...)
	}
	f.Config.SendRA.DNS = list
	return nil
}

// addRADomains takes domains; an empty value takes all earlier ones back.
func addRADomains(f *File, value string) error {
	var list []string
	for word := range strings.FieldsSeq(value) {
		domain := strings.TrimSuffix(word, ".")
		if !validDomain(domain) {
			return fmt.Errorf("%q is not a domain", word)
		}
		list = append(list, domain)
	}
	if value != "" {
		list = append(f.Config.SendRA.Domains, list...)
	}
	f.Config.SendRA.Domains = list
	return nil
}

func setHomeAgentLifetime(f *File, value string) error {
	var span time.Duration
	if err := setSeconds(&span, value, math.MaxUint16); err != nil || span == 0 {
		return errors.New("not between 1 and 65535 seconds")
	}
	f.Config.SendRA.HomeAgentLifetime = span
	return nil
}

func setHomeAgentPreference(f *File, value string) error {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return errors.New("not a number from 0 to 65535")
	}
	f.Config.SendRA.HomeAgentPreference = uint16(n)
	return nil
}

func setPrefix(f *File, value string) error {
	section := f.ipv6Prefix() // without a usable value it is reported as a whole, too
	p, err := parseIPv6Prefix(value)
	switch {
	case err != nil:
		return err
	case p.Bits() < 3:
		return errors.New("shorter than /3")
	case p.Addr().IsUnspecified():
		return errors.New("the prefix that Address=::/64 chooses is advertised by itself")
	}
	section.Prefix.Prefix = p
	return nil
}

// setToken takes how the address of Assign= ends: "eui64", or an address with or without "static:".
func setToken(f *File, value string) error {
	section := f.ipv6Prefix()
	if value == "" || value == "eui64" {
		section.Token = netip.Addr{}
		return nil
	}
	addr, err := netip.ParseAddr(strings.TrimPrefix(value, "static:"))
	if err != nil || !addr.Is6() || addr.Zone() != "" || addr.IsUnspecified() {
		return errors.New("networkd-lite supports only eui64 and static:ADDRESS")
	}
	section.Token = addr
	return nil
}

// onlyDefaultMetric takes RouteMetric=: 0 is the kernel's default.
func onlyDefaultMetric(_ *File, value string) error {
	if value == "" || value == "0" {
		return nil
	}
	return errors.New("networkd-lite supports only 0")
}

func setRoute(f *File, value string) error {
	section := f.routePrefix()
	p, err := parseIPv6Prefix(value)
	if err == nil {
		section.Prefix = p
	}
	return err
}

func setPREF64(f *File, value string) error {
	section := f.pref64()
	p, err := parseIPv6Prefix(value)
	if err != nil {
		return err
	}
	if !slices.Contains([]int{32, 40, 48, 56, 64, 96}, p.Bits()) {
		return errors.New("not of 32, 40, 48, 56, 64 or 96 bits")
	}
	section.Prefix = p
	return nil
}
