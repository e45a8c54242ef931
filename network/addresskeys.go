package network

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"nspawnkit/settings"
)

// addressKeys are the keys of [Address].
var addressKeys = [...]key{
	{"Address", "Address", setSectionAddress},
	{"Address", "Peer", setPeer},
	{"Address", "Broadcast", setBroadcast},
	{"Address", "Label", setLabel},
	{"Address", "PreferredLifetime", setPreferredLifetime},
	{"Address", "Scope", setAddressScope},
	{"Address", "RouteMetric", setAddressMetric},
	{"Address", "AddPrefixRoute", func(f *File, v string) error { return f.address().setFlag(flagNoPrefixRoute, v, false) }},
	{"Address", "DuplicateAddressDetection", setDuplicateAddressDetection},
	{"Address", "HomeAddress", func(f *File, v string) error { return f.address().setFlag(flagHomeAddress, v, true) }},
	{"Address", "ManageTemporaryAddress", func(f *File, v string) error { return f.address().setFlag(flagManageTemporary, v, true) }},
	{"Address", "AutoJoin", func(f *File, v string) error { return f.address().setFlag(flagAutoJoin, v, true) }},
}

// Flags of an address (linux/if_addr.h, IFA_F_*).
const (
	flagNoDAD           = 0x02
	flagHomeAddress     = 0x10
	flagManageTemporary = 0x100
	flagNoPrefixRoute   = 0x200
	flagAutoJoin        = 0x400

	flagsIPv6 = flagNoDAD | flagHomeAddress | flagManageTemporary // of IPv6 only
)

// AddressSettings is what an address is like beside its prefix; zero: as the kernel has it.
type AddressSettings struct {
	Peer        netip.Addr `json:"peer,omitzero"`        // at the other end; the prefix is that of the peer then
	Broadcast   netip.Addr `json:"broadcast,omitzero"`   // zero: the last address of the subnet
	NoBroadcast bool       `json:"noBroadcast,omitzero"` // none at all
	Label       string     `json:"label,omitzero"`       // at most 15 bytes of ASCII
	Deprecated  bool       `json:"deprecated,omitzero"`  // used only by who asks for it: a preferred lifetime of 0
	Scope       uint8      `json:"scope,omitzero"`       // RT_SCOPE_*, IPv4 only
	RouteMetric uint32     `json:"routeMetric,omitzero"` // of the route to the prefix
	Flags       uint32     `json:"flags,omitzero"`       // IFA_F_*
}

// addressSection is what an [Address] section says.
type addressSection struct {
	prefix   netip.Prefix // zero: no usable Address=
	peerBits int          // length of the prefix of Peer=
	settings AddressSettings
	dad      string // DuplicateAddressDetection=
	section  section
}

// address returns the [Address] section that is being read.
func (f *File) address() *addressSection {
	for _, a := range f.Config.addressSections {
		if a.section == f.section {
			return a
		}
	}
	a := &addressSection{section: f.section}
	f.Config.addressSections = append(f.Config.addressSections, a)
	return a
}

// setSectionAddress takes the one address of a section: the last one counts. An empty value takes all earlier ones back, as in [Network].
func setSectionAddress(f *File, value string) error {
	a := f.address()
	if value == "" {
		for _, other := range f.Config.addressSections {
			other.prefix = netip.Prefix{}
		}
		return addAddress(f, value)
	}
	before := f.Config.Addresses
	f.Config.Addresses = slices.DeleteFunc(slices.Clone(before), func(p netip.Prefix) bool { return p == a.prefix })
	if err := addAddress(f, value); err != nil {
		f.Config.Addresses = before
		return err
	}
	a.prefix = f.Config.Addresses[len(f.Config.Addresses)-1]
	return nil
}

// setPeer takes the address of the other end. The length of its prefix is the one that counts.
func setPeer(f *File, value string) error {
	a := f.address()
	if value == "" {
		a.settings.Peer, a.peerBits = netip.Addr{}, 0
		return nil
	}
	prefix, err := netip.ParsePrefix(value)
	if addr, addrErr := netip.ParseAddr(value); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if addr := prefix.Addr(); err != nil || addr.Is4In6() || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() || prefix.Bits() == 0 {
		return errors.New("not ADDRESS/LENGTH of a host")
	}
	a.settings.Peer, a.peerBits = prefix.Addr(), prefix.Bits()
	return nil
}

func setBroadcast(f *File, value string) error {
	s := &f.address().settings
	on, err := settings.ParseBool(value)
	addr, addrErr := netip.ParseAddr(value)
	switch {
	case value == "" || err == nil:
		s.Broadcast, s.NoBroadcast = netip.Addr{}, value != "" && !on
	case addrErr == nil && addr.Is4() && !addr.IsUnspecified():
		s.Broadcast, s.NoBroadcast = addr, false
	default:
		return errors.New("not a boolean or an IPv4 address")
	}
	return nil
}

// maxLabel is IFNAMSIZ without the NUL.
const maxLabel = 15

func setLabel(f *File, value string) error {
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return errors.New("not of visible ASCII characters")
		}
	}
	if len(value) > maxLabel {
		return errors.New("longer than 15 characters")
	}
	f.address().settings.Label = value
	return nil
}

func setPreferredLifetime(f *File, value string) error {
	switch value {
	case "", "forever", "infinity":
		f.address().settings.Deprecated = false
	case "0":
		f.address().settings.Deprecated = true
	default:
		return errors.New("not forever, infinity or 0")
	}
	return nil
}

func setAddressScope(f *File, value string) error {
	scope, known := map[string]uint8{"": scopeGlobal, "global": scopeGlobal, "link": scopeLink, "host": scopeHost}[value]
	if !known {
		number, err := strconv.ParseUint(value, 10, 8)
		if err != nil {
			return errors.New("not global, link, host or a number from 0 to 255")
		}
		scope = uint8(number)
	}
	f.address().settings.Scope = scope
	return nil
}

func setAddressMetric(f *File, value string) error {
	metric, err := strconv.ParseUint(value, 10, 32)
	if value != "" && err != nil {
		return errors.New("not a number from 0 to 4294967295")
	}
	f.address().settings.RouteMetric = uint32(metric)
	return nil
}

func setDuplicateAddressDetection(f *File, value string) error {
	if value != "" && value != "none" && value != "ipv4" && value != "ipv6" && value != "both" {
		return errors.New("not ipv4, ipv6, both or none")
	}
	f.address().dad = value
	return nil
}

// setFlag takes a boolean; the flag stands for the value on.
func (a *addressSection) setFlag(flag uint32, value string, on bool) error {
	given, err := settings.ParseBool(value)
	if value == "" {
		given, err = !on, nil
	}
	if err != nil {
		return err
	}
	a.settings.Flags &^= flag
	if given == on {
		a.settings.Flags |= flag
	}
	return nil
}

// finishAddresses fills in what depends on more than one key. What does not fit the address is a problem, and without effect.
func (f *File) finishAddresses() {
	c := &f.Config
	for _, a := range c.addressSections {
		if !a.prefix.IsValid() {
			f.drop(a.section, "has no Address=")
			continue
		}
		report := func(text string) {
			f.Problems = append(f.Problems, settings.Problem{Origin: a.section.origin, Text: "[Address] " + text})
		}
		if a.prefix.Addr().Is4() && (a.dad == "ipv4" || a.dad == "both") {
			report("DuplicateAddressDetection=" + a.dad + ": networkd-lite does not look for duplicates of the host's IPv4 addresses")
		}
		for _, key := range a.misfits() {
			report(key + "= has no meaning for " + a.prefix.String())
		}
		if i := slices.Index(c.Addresses, a.prefix); a.settings.Peer.IsValid() && i >= 0 {
			a.prefix = netip.PrefixFrom(a.prefix.Addr(), a.peerBits)
			c.Addresses[i] = a.prefix
		}
		if a.settings != (AddressSettings{}) {
			if c.AddressSettings == nil {
				c.AddressSettings = map[netip.Prefix]AddressSettings{}
			}
			c.AddressSettings[a.prefix] = a.settings
		}
	}
	c.addressSections = nil
}

// misfits takes back what does not go with the address, and names the keys.
func (a *addressSection) misfits() (keys []string) {
	s, ipv4 := &a.settings, a.prefix.Addr().Is4()
	if s.Peer.IsValid() && (s.Peer.Is4() != ipv4 || a.prefix.Addr().IsUnspecified()) {
		s.Peer, keys = netip.Addr{}, append(keys, "Peer")
	}
	if !ipv4 && (a.dad == "ipv4" || a.dad == "none") {
		s.Flags |= flagNoDAD
	}
	if ipv4 && s.Flags&flagsIPv6 != 0 {
		if s.Flags&flagHomeAddress != 0 {
			keys = append(keys, "HomeAddress")
		}
		if s.Flags&flagManageTemporary != 0 {
			keys = append(keys, "ManageTemporaryAddress")
		}
		s.Flags &^= flagsIPv6
	}
	if !ipv4 && s.Flags&flagManageTemporary != 0 && a.prefix.Bits() != 64 {
		s.Flags, keys = s.Flags&^flagManageTemporary, append(keys, "ManageTemporaryAddress")
	}
	if ipv4 {
		return keys
	}
	if s.Broadcast.IsValid() || s.NoBroadcast {
		s.Broadcast, s.NoBroadcast, keys = netip.Addr{}, false, append(keys, "Broadcast")
	}
	if s.Label != "" {
		s.Label, keys = "", append(keys, "Label")
	}
	if s.Scope != scopeGlobal {
		s.Scope, keys = scopeGlobal, append(keys, "Scope")
	}
	return keys
}

// renamed returns settings with those of one address as those of another one.
func renamed(all map[netip.Prefix]AddressSettings, from, to netip.Prefix) map[netip.Prefix]AddressSettings {
	s, ok := all[from]
	if !ok || from == to {
		return all
	}
	all = maps.Clone(all)
	delete(all, from)
	all[to] = s
	return all
}

// Replace makes one address of the configuration another one, with the same settings.
func (c *Config) Replace(from, to netip.Prefix) {
	c.Addresses = slices.Clone(c.Addresses)
	c.Addresses[slices.Index(c.Addresses, from)] = to
	c.AddressSettings = renamed(c.AddressSettings, from, to)
}

// Settle notes how addresses are to be set, and how those are that are there. The kernel changes little of an address: one that is ours and
// is to be another one is set anew.
func (d *Difference) Settle(want, had map[netip.Prefix]AddressSettings, ours, there []netip.Prefix, wanted []netip.Prefix) {
	d.Settings, d.Had = want, had
	for _, a := range ours {
		if want[a] != had[a] && slices.Contains(there, a) && slices.Contains(wanted, a) {
			d.Remove, d.Add = append(d.Remove, a), append(d.Add, a)
		}
	}
}
