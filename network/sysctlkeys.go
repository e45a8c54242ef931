package network

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"nspawnkit/settings"
)

// sysctlKeys are the keys of [Network] that are a kernel parameter of the link and nothing else.
var sysctlKeys = [...]key{
	{"Network", "IPv4ReversePathFilter", func(f *File, v string) error {
		return f.setSysctl("ipv4", "rp_filter", v, "no", "strict", "loose")
	}},
	{"Network", "MulticastIGMPVersion", func(f *File, v string) error {
		return f.setSysctl("ipv4", "force_igmp_version", v, "no", "v1", "v2", "v3")
	}},
	{"Network", "IPv4AcceptLocal", func(f *File, v string) error { return f.setSysctl("ipv4", "accept_local", v) }},
	{"Network", "IPv4SrcValidMark", func(f *File, v string) error { return f.setSysctl("ipv4", "src_valid_mark", v) }},
	{"Network", "IPv4ProxyARP", func(f *File, v string) error { return f.setSysctl("ipv4", "proxy_arp", v) }},
	{"Network", "IPv4ProxyARPPrivateVLAN", func(f *File, v string) error { return f.setSysctl("ipv4", "proxy_arp_pvlan", v) }},
	{"Network", "IPv6ProxyNDP", func(f *File, v string) error { return f.setSysctl("ipv6", "proxy_ndp", v) }},
	{"Network", "IPv6DuplicateAddressDetection", func(f *File, v string) error { return f.setSysctlNumber("dad_transmits", v, 0, 1<<31-1) }},
	{"Network", "IPv6HopLimit", func(f *File, v string) error { return f.setSysctlNumber("hop_limit", v, 1, 255) }},
	{"Network", "IPv6MTUBytes", func(f *File, v string) error { return f.setSysctlNumber("mtu", v, 1280, 1<<16-1) }},
	{"Network", "IPv4RouteLocalnet", refuseRouteLocalnet},
}

// refuseRouteLocalnet keeps containers from what listens on 127.0.0.1 of the host.
func refuseRouteLocalnet(_ *File, value string) error {
	if on, err := settings.ParseBool(value); value == "" || err == nil && !on {
		return nil
	}
	return errors.New("networkd-lite keeps it off: the container would reach what listens on 127.0.0.1 of the host (CVE-2020-8558)")
}

// setSysctl takes a boolean, or one of the values of a parameter in the order of their numbers.
func (f *File) setSysctl(family, name, value string, values ...string) error {
	if value == "" {
		f.unsetSysctl(family, name)
		return nil
	}
	on, err := settings.ParseBool(value)
	number := slices.Index(values, value)
	switch {
	case number >= 0:
	case len(values) > 0 && (err != nil || on):
		return fmt.Errorf("not one of %q", values)
	case err != nil:
		return err
	case on:
		number = 1
	default:
		number = 0
	}
	f.addSysctl(family, name, strconv.Itoa(number))
	return nil
}

// setSysctlNumber takes a number for a parameter of IPv6.
func (f *File) setSysctlNumber(name, value string, low, high uint64) error {
	if value == "" {
		f.unsetSysctl("ipv6", name)
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n < low || n > high {
		return fmt.Errorf("not a number from %d to %d", low, high)
	}
	f.addSysctl("ipv6", name, value)
	return nil
}

func (f *File) addSysctl(family, name, value string) {
	f.unsetSysctl(family, name)
	f.Config.Sysctls = append(f.Config.Sysctls, linkSysctl{family, name, value})
}

func (f *File) unsetSysctl(family, name string) {
	f.Config.Sysctls = slices.DeleteFunc(f.Config.Sysctls, func(s linkSysctl) bool { return s.family == family && s.name == name })
}

// linkSysctl is a parameter of one link.
type linkSysctl struct{ family, name, value string }

// of returns the parameter of a link.
func (s linkSysctl) of(link string) Sysctl {
	return Sysctl{"net/" + s.family + "/conf/" + link + "/" + s.name, s.value}
}
