package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nspawnkit/settings"
)

// key is one key of systemd.network(5) that is honoured. The function stores the value or says what is wrong with it.
type key struct {
	section, name string
	set           func(f *File, value string) error
}

// keys is the one table of keys. Every other key is a problem of the file.
var keys = [...]key{
	{"Match", "Name", func(f *File, v string) error { return parsePatterns(&f.Match.Name, v) }},
	{"Match", "Kind", func(f *File, v string) error { return parsePatterns(&f.Match.Kind, v) }},
	{"Match", "Driver", func(f *File, v string) error { return parsePatterns(&f.Match.Driver, v) }},
	{"Match", "Type", func(f *File, v string) error { return parsePatterns(&f.Match.Type, v) }},

	{"Link", "RequiredForOnline", onlyNo}, // nothing waits for these links

	{"Network", "Description", func(*File, string) error { return nil }}, // for readers of the file
	{"Network", "Address", addAddress},
	{"Address", "Address", addAddress},
	{"Network", "DHCPServer", func(f *File, v string) error { return setBool(&f.Config.DHCPServer, v) }},
	{"Network", "IPMasquerade", setMasquerade},
	{"Network", "IPv4Forwarding", func(f *File, v string) error { return setTristate(&f.Config.Forwarding4, v) }},
	{"Network", "IPv6Forwarding", func(f *File, v string) error { return setTristate(&f.Config.Forwarding6, v) }},
	{"Network", "IPForward", setForward},
	{"Network", "LinkLocalAddressing", setLinkLocal},
	{"Network", "KeepMaster", setKeepMaster},
	{"Network", "IPv6AcceptRA", onlyNo}, // a container must not become the host's router
	{"Network", "IPv6SendRA", onlyNo},
	{"Network", "DHCP", onlyNo},
	{"Network", "LLDP", onlyNo},
	{"Network", "EmitLLDP", onlyNo},

	{"DHCPServer", "ServerAddress", setServerAddress},
	{"DHCPServer", "PoolOffset", func(f *File, v string) error { return setCount(&f.Config.Server.PoolOffset, v) }},
	{"DHCPServer", "PoolSize", func(f *File, v string) error { return setCount(&f.Config.Server.PoolSize, v) }},
	{"DHCPServer", "DefaultLeaseTimeSec", func(f *File, v string) error { return setLeaseTime(&f.Config.Server.DefaultLease, v) }},
	{"DHCPServer", "MaxLeaseTimeSec", func(f *File, v string) error { return setLeaseTime(&f.Config.Server.MaxLease, v) }},
	{"DHCPServer", "EmitDNS", func(f *File, v string) error { return setBool(&f.Config.Server.EmitDNS, v) }},
	{"DHCPServer", "DNS", setDNS},
	{"DHCPServer", "EmitRouter", func(f *File, v string) error { return setBool(&f.Config.Server.EmitRouter, v) }},
	{"DHCPServer", "Router", func(f *File, v string) error { return setIPv4(&f.Config.Server.Router, v) }},
	{"DHCPServer", "EmitTimezone", func(f *File, v string) error { return setBool(&f.Config.Server.EmitTimezone, v) }},
	{"DHCPServer", "Timezone", setTimezone},
	{"DHCPServer", "EmitNTP", onlyNo},
	{"DHCPServer", "RapidCommit", func(f *File, v string) error { return setBool(&f.Config.Server.RapidCommit, v) }},
	{"DHCPServer", "PersistLeases", setPersistLeases},
}

// set stores the value of a key.
func (f *File) set(section, name, value string) error {
	for i := range keys {
		if k := &keys[i]; k.section == section && k.name == name {
			return k.set(f, value)
		}
	}
	return errors.New("networkd-lite does not support this key")
}

// onlyNo is for keys of what networkd-lite never does.
func onlyNo(_ *File, value string) error {
	if on, err := settings.ParseBool(value); err == nil && !on {
		return nil
	}
	return errors.New("networkd-lite supports only \"no\"")
}

func setBool(into *bool, value string) error {
	parsed, err := settings.ParseBool(value)
	if err == nil {
		*into = parsed
	}
	return err
}

func setTristate(into *Tristate, value string) error {
	on, err := settings.ParseBool(value)
	switch {
	case value == "":
		*into = Unset
	case err != nil:
		return err
	case on:
		*into = Yes
	default:
		*into = No
	}
	return nil
}

// parseFamilies takes a boolean, "ipv4", "ipv6" or "both".
func parseFamilies(value string) (Families, error) {
	switch value {
	case "ipv4":
		return Families{IPv4: true}, nil
	case "ipv6":
		return Families{IPv6: true}, nil
	case "both":
		return Families{IPv4: true, IPv6: true}, nil
	}
	on, err := settings.ParseBool(value)
	if err != nil {
		return Families{}, errors.New("not a boolean, ipv4, ipv6 or both")
	}
	return Families{IPv4: on, IPv6: on}, nil
}

// setMasquerade takes IPMasquerade=. A deprecated "yes" means IPv4 only, as in systemd.
func setMasquerade(f *File, value string) error {
	families, err := parseFamilies(value)
	if err != nil {
		return err
	}
	if on, err := settings.ParseBool(value); err == nil && on {
		families.IPv6 = false
	}
	f.Config.Masquerade = families
	return nil
}

// setForward takes IPForward=, which systemd before 256 has in the place of IPv4Forwarding= and IPv6Forwarding=.
func setForward(f *File, value string) error {
	families, err := parseFamilies(value)
	if err != nil {
		return err
	}
	f.Config.Forwarding4, f.Config.Forwarding6 = No, No
	if families.IPv4 {
		f.Config.Forwarding4 = Yes
	}
	if families.IPv6 {
		f.Config.Forwarding6 = Yes
	}
	return nil
}

// setLinkLocal takes LinkLocalAddressing=. The kernel makes IPv6 link-local addresses; those of IPv4 (RFC 3927) would need
// a prober and help nobody on a link with a DHCP server.
func setLinkLocal(f *File, value string) error {
	families, err := parseFamilies(value)
	if err != nil {
		return err
	}
	f.Config.LinkLocal.IPv6 = families.IPv6
	f.Config.linkLocalSet = true
	if families.IPv4 {
		return errors.New("networkd-lite sets no IPv4 link-local address")
	}
	return nil
}

// setKeepMaster takes KeepMaster=. Ports always stay in their bridge.
func setKeepMaster(f *File, value string) error {
	var keep bool
	if err := setBool(&keep, value); err != nil {
		return err
	}
	if !keep {
		return errors.New("networkd-lite supports only \"yes\"")
	}
	f.Config.keepMaster = true
	return nil
}

// addAddress takes Address=. An empty value takes all earlier ones back.
func addAddress(f *File, value string) error {
	if value == "" {
		f.Config.Addresses = nil
		return nil
	}
	prefix, err := parseAddress(value)
	if err != nil {
		return err
	}
	if prefix.Addr().IsUnspecified() {
		for _, other := range f.Config.Addresses {
			if other.Addr().IsUnspecified() {
				return errors.New("networkd-lite supports only one free subnet per link")
			}
		}
	}
	f.Config.Addresses = append(f.Config.Addresses, prefix)
	return nil
}

// parseAddress takes an address with its prefix length; 0.0.0.0 stands for a free subnet.
func parseAddress(value string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(value)
	switch addr := prefix.Addr(); {
	case err != nil:
		return prefix, errors.New("not ADDRESS/LENGTH")
	case addr.Is6() && addr.IsUnspecified():
		return prefix, errors.New("networkd-lite does not choose IPv6 prefixes yet")
	case addr.IsUnspecified() && (prefix.Bits() < minSubnet || prefix.Bits() > maxSubnet):
		return prefix, fmt.Errorf("a free subnet must be between /%d and /%d", minSubnet, maxSubnet)
	case addr.IsMulticast() || addr.IsLoopback() || addr.Is4In6():
		return prefix, errors.New("not the address of a host")
	}
	return prefix, nil
}

// setServerAddress takes ServerAddress=, which implies the same Address=.
func setServerAddress(f *File, value string) error {
	prefix, err := parseAddress(value)
	switch {
	case err != nil:
		return err
	case !prefix.Addr().Is4():
		return errors.New("not an IPv4 address")
	case prefix.Addr().IsUnspecified():
		return errors.New("give the free subnet as Address=")
	}
	f.Config.Server.ServerAddress = prefix
	return nil
}

func setCount(into *uint32, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return errors.New("not a number")
	}
	*into = uint32(n)
	return nil
}

// setLeaseTime takes a time span. DHCP counts in seconds of 32 bits, all ones meaning for ever (RFC 2131, section 3.3).
func setLeaseTime(into *time.Duration, value string) error {
	span, err := settings.ParseTimeSpan(value)
	switch {
	case err != nil:
		return err
	case span < time.Second:
		return errors.New("shorter than a second")
	}
	*into = min(span.Truncate(time.Second), (1<<32-1)*time.Second)
	return nil
}

// setDNS takes the DNS= of [DHCPServer]: IPv4 addresses and "_server_address".
func setDNS(f *File, value string) error {
	s := &f.Config.Server
	if value == "" {
		s.DNS, s.DNSServerSelf = nil, false
		return nil
	}
	for word := range strings.FieldsSeq(value) {
		if word == "_server_address" {
			s.DNSServerSelf = true
			continue
		}
		var addr netip.Addr
		if err := setIPv4(&addr, word); err != nil {
			return err
		}
		s.DNS = append(s.DNS, addr)
	}
	return nil
}

func setIPv4(into *netip.Addr, value string) error {
	addr, err := netip.ParseAddr(value)
	if err != nil || !addr.Is4() {
		return errors.New("not an IPv4 address")
	}
	*into = addr
	return nil
}

func setPersistLeases(f *File, value string) error {
	s := &f.Config.Server
	if value == "runtime" {
		s.PersistLeases = value
		return nil
	}
	var persist bool
	if err := setBool(&persist, value); err != nil {
		return err
	}
	s.PersistLeases = map[bool]string{true: "yes", false: "no"}[persist]
	return nil
}

// setTimezone takes the name of a file below /usr/share/zoneinfo.
func setTimezone(f *File, value string) error {
	if !ValidTimezone(value) {
		return errors.New("not the name of a time zone")
	}
	f.Config.Server.Timezone = value
	return nil
}

// ValidTimezone reports whether name can be one of the tz database: relative, without "..", printable.
func ValidTimezone(name string) bool {
	if len(name) > 64 || !fs.ValidPath(name) || name == "." {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
