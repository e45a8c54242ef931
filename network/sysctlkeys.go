package network

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"nspawnkit/settings"
)

// sysctlKeys are the keys of [Network] that are a kernel parameter of the link and nothing else.
var sysctlKeys = [...]key{
	{"Network", "IPv4ReversePathFilter", func(f *File, v string) error {
		return f.setSysctl("ipv4/conf", "rp_filter", v, "no", "strict", "loose")
	}},
	{"Network", "MulticastIGMPVersion", func(f *File, v string) error {
		return f.setSysctl("ipv4/conf", "force_igmp_version", v, "no", "v1", "v2", "v3")
	}},
	{"Network", "IPv4AcceptLocal", func(f *File, v string) error { return f.setSysctl("ipv4/conf", "accept_local", v) }},
	{"Network", "IPv4SrcValidMark", func(f *File, v string) error { return f.setSysctl("ipv4/conf", "src_valid_mark", v) }},
	{"Network", "IPv4ProxyARP", func(f *File, v string) error { return f.setSysctl("ipv4/conf", "proxy_arp", v) }},
	{"Network", "ProxyARP", func(f *File, v string) error { return f.setSysctl("ipv4/conf", "proxy_arp", v) }}, // before systemd 233
	{"Network", "IPv4ProxyARPPrivateVLAN", func(f *File, v string) error { return f.setSysctl("ipv4/conf", "proxy_arp_pvlan", v) }},
	{"Network", "IPv6ProxyNDP", func(f *File, v string) error { return f.setSysctl("ipv6/conf", "proxy_ndp", v) }},
	{"Network", "IPv6DuplicateAddressDetection", func(f *File, v string) error { return f.setSysctlNumber("dad_transmits", v, 0, 1<<31-1) }},
	{"Network", "IPv6HopLimit", func(f *File, v string) error { return f.setSysctlNumber("hop_limit", v, 1, 255) }},
	{"Network", "IPv6MTUBytes", func(f *File, v string) error { return f.setSysctlNumber("mtu", v, 1280, 1<<16-1) }},
	{"Network", "IPv6PrivacyExtensions", setPrivacyExtensions},
	{"Network", "IPv6RetransmissionTimeSec", setNeighbourRetransmission},
	{"Network", "IPv6LinkLocalAddressGenerationMode", setGenerationMode},
	{"Network", "MPLSRouting", func(f *File, v string) error { return f.setSysctl("mpls/conf", "input", v) }},
	{"Network", "IPv4RouteLocalnet", refuseRouteLocalnet},
}

// refuseRouteLocalnet keeps containers from what listens on 127.0.0.1 of the host.
func refuseRouteLocalnet(_ *File, value string) error {
	if on, err := settings.ParseBool(value); value == "" || err == nil && !on {
		return nil
	}
	return errors.New("networkd-lite keeps it off: the container would reach what listens on 127.0.0.1 of the host (CVE-2020-8558)")
}

// setPrivacyExtensions takes whether temporary addresses are made, and preferred.
func setPrivacyExtensions(f *File, value string) error {
	if value == "kernel" {
		value = ""
	}
	if on, err := settings.ParseBool(value); err == nil && on {
		value = "yes"
	}
	return f.setSysctl("ipv6/conf", "use_tempaddr", value, "no", "prefer-public", "yes")
}

// setNeighbourRetransmission takes the time between two neighbour solicitations; 0 leaves it to the kernel.
func setNeighbourRetransmission(f *File, value string) error {
	span, err := settings.ParseTimeSpan(value)
	if value != "" && (err != nil || span > math.MaxUint32*time.Millisecond) {
		return errors.New("not a time span of at most 4294967295 ms")
	}
	f.unsetSysctl("ipv6/neigh", "retrans_time_ms")
	if span >= time.Millisecond {
		f.addSysctl("ipv6/neigh", "retrans_time_ms", strconv.FormatInt(span.Milliseconds(), 10))
	}
	return nil
}

// setGenerationMode takes how the kernel makes the IPv6 link-local address, where LinkLocalAddressing= asks for one.
func setGenerationMode(f *File, value string) error {
	mode, known := map[string]int{"": generateEUI64, "eui64": generateEUI64, "none": generateNone, "random": generateRandom}[value]
	if !known {
		return errors.New("networkd-lite supports only eui64, none and random")
	}
	f.Config.generationMode = mode
	return nil
}

// How the kernel makes a link-local address (IN6_ADDR_GEN_MODE_* of linux/if_link.h).
const generateEUI64, generateNone, generateRandom = 0, 1, 3

// setSysctl takes a boolean, or one of the values of a parameter in the order of their numbers.
func (f *File) setSysctl(directory, name, value string, values ...string) error {
	if value == "" {
		f.unsetSysctl(directory, name)
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
	f.addSysctl(directory, name, strconv.Itoa(number))
	return nil
}

// setSysctlNumber takes a number for a parameter of IPv6.
func (f *File) setSysctlNumber(name, value string, low, high uint64) error {
	if value == "" {
		f.unsetSysctl("ipv6/conf", name)
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n < low || n > high {
		return fmt.Errorf("not a number from %d to %d", low, high)
	}
	f.addSysctl("ipv6/conf", name, value)
	return nil
}

func (f *File) addSysctl(directory, name, value string) {
	f.unsetSysctl(directory, name)
	f.Config.Sysctls = append(f.Config.Sysctls, linkSysctl{directory, name, value})
}

func (f *File) unsetSysctl(directory, name string) {
	f.Config.Sysctls = slices.DeleteFunc(f.Config.Sysctls, func(s linkSysctl) bool { return s.directory == directory && s.name == name })
}

// linkSysctl is a parameter of one link, in a directory below net with one for each link.
type linkSysctl struct{ directory, name, value string }

// of returns the parameter of a link.
func (s linkSysctl) of(link string) Sysctl {
	return Sysctl{"net/" + s.directory + "/" + link + "/" + s.name, s.value}
}
