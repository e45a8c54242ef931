package network

import (
	"net/netip"
	"slices"
	"strings"
)

// Sysctl is a kernel parameter: a path below /proc/sys and its value.
type Sysctl struct{ Path, Value string }

// State is how a link is to be.
type State struct {
	Sysctls    []Sysctl                         // set before the link comes up
	Addresses  []netip.Prefix                   // with the address of the host; no others are touched
	Settings   map[netip.Prefix]AddressSettings // of some of the addresses
	Routes     []StaticRoute
	NextHops   []NextHop
	Masquerade Families
	Forwarding Families // on the host as a whole
}

// Desire returns how a link is to be by its file. free is the subnet that was chosen for Address=0.0.0.0/N, free6 that for ::/N; the
// host has the first address of each.
func Desire(l Link, c *Config, free, free6 netip.Prefix) State {
	s := State{Settings: c.AddressSettings, Routes: c.Routes, NextHops: c.NextHops, Masquerade: c.Masquerade, Forwarding: c.forwards()}
	for _, a := range c.Addresses {
		asked := a
		switch {
		case !a.Addr().IsUnspecified():
		case a.Addr().Is4():
			a = netip.PrefixFrom(free.Addr().Next(), free.Bits())
		default:
			a = netip.PrefixFrom(free6.Addr().Next(), a.Bits())
		}
		s.Settings = renamed(s.Settings, asked, a)
		s.Addresses = append(s.Addresses, a)
	}
	s.Addresses = append(s.Addresses, c.SendRA.assigned(l)...)
	ipv4 := "net/ipv4/conf/" + l.Name + "/"
	ipv6 := "net/ipv6/conf/" + l.Name + "/"
	s.Sysctls = []Sysctl{
		{ipv6 + "accept_ra", "0"}, // CVE-2020-13401: a container must not become the host's router
		{ipv6 + "addr_gen_mode", c.addressGeneration()},
	}
	if c.Forwarding4 != Unset || s.Forwarding.IPv4 {
		s.Sysctls = append(s.Sysctls, Sysctl{ipv4 + "forwarding", digit(s.Forwarding.IPv4)})
	}
	// A router forwards (IPv6SendRA=), as far as the host does as a whole.
	if on := c.Forwarding6.or(s.Forwarding.IPv6 || c.SendRA.Enabled); c.Forwarding6 != Unset || on {
		s.Sysctls = append(s.Sysctls, Sysctl{ipv6 + "forwarding", digit(on)})
	}
	for _, sysctl := range c.Sysctls {
		s.Sysctls = append(s.Sysctls, sysctl.of(l.Name))
	}
	return s
}

func digit(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// Difference is what is to be done to a link, in the order of the fields.
type Difference struct {
	Remove []netip.Prefix // addresses
	Sysctl []Sysctl
	Add    []netip.Prefix // addresses
	Up     bool           // bring it up

	Settings, Had map[netip.Prefix]AddressSettings // of some addresses: as they are to be, and as they are
}

// Empty reports whether nothing is to be done.
func (d Difference) Empty() bool {
	return len(d.Remove)+len(d.Sysctl)+len(d.Add) == 0 && !d.Up
}

// Diff compares a link with how it is to be. ours are the addresses that this program gave it earlier: others stay.
// get reads a sysctl; what cannot be read does not exist and is left out (IPv6 may be switched off).
func Diff(l Link, want State, ours []netip.Prefix, get func(path string) (string, error)) Difference {
	d := Difference{Up: !l.Up, Sysctl: differing(want.Sysctls, get)}
	for _, a := range ours {
		if slices.Contains(l.Addresses, a) && !slices.Contains(want.Addresses, a) {
			d.Remove = append(d.Remove, a)
		}
	}
	for _, a := range want.Addresses {
		if !slices.Contains(l.Addresses, a) {
			d.Add = append(d.Add, a)
		}
	}
	return d
}

// differing returns the sysctls that exist and have another value.
func differing(want []Sysctl, get func(path string) (string, error)) []Sysctl {
	var list []Sysctl
	for _, s := range want {
		if value, err := get(s.Path); err == nil && strings.TrimSpace(value) != s.Value {
			list = append(list, s)
		}
	}
	return list
}

// Firewall is what the nft tables are to hold. Names of links are sorted.
type Firewall struct {
	Masquerade4, Masquerade6 []string
	Guard                    Guard
	Access                   Access
	Ports                    Ports
}

// Add adds a link to the sets of its families.
func (f *Firewall) Add(link string, masquerade Families) {
	if masquerade.IPv4 {
		f.Masquerade4 = insert(f.Masquerade4, link)
	}
	if masquerade.IPv6 {
		f.Masquerade6 = insert(f.Masquerade6, link)
	}
}

func insert(list []string, s string) []string {
	i, found := slices.BinarySearch(list, s)
	if found {
		return list
	}
	return slices.Insert(list, i, s)
}

// Equal reports whether both hold the same elements.
func (f Firewall) Equal(other Firewall) bool {
	return slices.Equal(f.Masquerade4, other.Masquerade4) && slices.Equal(f.Masquerade6, other.Masquerade6) &&
		f.Guard.Equal(other.Guard) && f.Access.Equal(other.Access) && f.Ports.Equal(other.Ports)
}

// Missing returns what f holds and other does not.
func (f Firewall) Missing(other Firewall) Firewall {
	return Firewall{
		without(f.Masquerade4, other.Masquerade4), without(f.Masquerade6, other.Masquerade6), f.Guard.Missing(other.Guard),
		f.Access.Missing(other.Access), f.Ports.Missing(other.Ports),
	}
}

func without(list, remove []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(remove, s) })
}
