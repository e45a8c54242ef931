package network

import (
	"errors"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// Match is the [Match] section of a .network file. The zero Match matches every link.
type Match struct {
	Name, OriginalName, Kind, Driver, Type Patterns
	MACAddress                             []HardwareAddr

	// absent are conditions on what the links of containers do not have: a persistent path, a wireless network, …
	absent map[string]Patterns
	never  map[string]bool // conditions that no such link fulfils

	host      []hostCondition
	elsewhere bool // one of them does not hold

	// unsupported is the first condition that cannot be tested here. A file with one matches no link: ignoring a
	// condition would configure links that it was to keep out.
	unsupported *settings.Problem
}

// matchKeys are the conditions on links.
var matchKeys = [...]key{
	{"Match", "Name", func(f *File, v string) error { return parsePatterns(&f.Match.Name, v) }},
	{"Match", "OriginalName", func(f *File, v string) error { return parsePatterns(&f.Match.OriginalName, v) }}, // once of .network, too
	{"Match", "Kind", func(f *File, v string) error { return parsePatterns(&f.Match.Kind, v) }},
	{"Match", "Driver", func(f *File, v string) error { return parsePatterns(&f.Match.Driver, v) }},
	{"Match", "Type", func(f *File, v string) error { return parsePatterns(&f.Match.Type, v) }},
	{"Match", "MACAddress", func(f *File, v string) error { return f.Match.addMACAddresses(v) }},
	{"Match", "PermanentMACAddress", func(f *File, v string) error { return f.Match.setNever("PermanentMACAddress", v) }},
	{"Match", "BSSID", func(f *File, v string) error { return f.Match.setNever("BSSID", v) }},
	{"Match", "Path", func(f *File, v string) error { return f.Match.addAbsent("Path", v) }},
	{"Match", "WLANInterfaceType", func(f *File, v string) error { return f.Match.addAbsent("WLANInterfaceType", v) }},
	{"Match", "SSID", func(f *File, v string) error { return f.Match.addAbsent("SSID", v) }},
}

// cannotTest is for conditions on what only udev knows, and perhaps later than the link is there.
func cannotTest(_ *File, value string) error {
	if value == "" {
		return nil
	}
	return errors.New("networkd-lite cannot test it")
}

// addMACAddresses takes a list of hardware addresses, each with colons, hyphens or dots. Those of other lengths are of links of other
// kinds.
func (m *Match) addMACAddresses(value string) error {
	if value == "" {
		m.MACAddress = nil
		return nil
	}
	var added []HardwareAddr
	for word := range strings.FieldsSeq(value) {
		parsed, err := net.ParseMAC(word)
		_, ipErr := netip.ParseAddr(word)
		switch {
		case err == nil && len(parsed) == len(HardwareAddr{}):
			added = append(added, HardwareAddr(parsed))
		case err == nil && len(parsed) == 20, ipErr == nil:
			added = append(added, HardwareAddr{}) // InfiniBand, a tunnel: no link of ours
		default:
			return errors.New("not a hardware address")
		}
	}
	m.MACAddress = append(m.MACAddress, added...)
	return nil
}

// setNever takes a condition that no link of a container fulfils.
func (m *Match) setNever(name, value string) error {
	if m.never == nil {
		m.never = map[string]bool{}
	}
	m.never[name] = value != ""
	return nil
}

// addAbsent takes patterns for what no link of a container has.
func (m *Match) addAbsent(name, value string) error {
	if m.absent == nil {
		m.absent = map[string]Patterns{}
	}
	patterns := m.absent[name]
	err := parsePatterns(&patterns, value)
	m.absent[name] = patterns
	return err
}

// Patterns is a list of shell globs. Those with a leading "!" must not match; if there are others, one of them must.
type Patterns []string

// parsePatterns adds the white-space separated globs of value to list, as [Match] keys do: an empty value resets, a
// leading "!" inverts all of value.
func parsePatterns(list *Patterns, value string) error {
	if value == "" {
		*list = nil
		return nil
	}
	invert := ""
	if rest, found := strings.CutPrefix(value, "!"); found {
		invert, value = "!", rest
	}
	var added Patterns
	for glob := range strings.FieldsSeq(value) {
		glob = strings.ReplaceAll(glob, "[!", "[^") // fnmatch(3) writes what path.Match writes
		if _, err := path.Match(glob, ""); err != nil {
			return errors.New("not a shell glob")
		}
		added = append(added, invert+glob)
	}
	*list = append(*list, added...)
	return nil
}

// match reports whether text fits the patterns. No patterns fit everything.
func (p Patterns) match(text string) bool {
	positive, matched := false, false
	for _, glob := range p {
		glob, inverted := strings.CutPrefix(glob, "!")
		hit, _ := path.Match(glob, text) // checked in parsePatterns
		switch {
		case inverted && hit:
			return false
		case !inverted:
			positive = true
			matched = matched || hit
		}
	}
	return matched || !positive
}

// matches reports whether all conditions hold for the link, as far as they can be tested here.
func (m *Match) matches(l Link) bool {
	for _, never := range m.never {
		if never {
			return false
		}
	}
	for _, patterns := range m.absent {
		for _, glob := range patterns {
			if !strings.HasPrefix(glob, "!") {
				return false
			}
		}
	}
	return !m.elsewhere && m.matchesName(l) && m.OriginalName.match(l.Name) && m.Kind.match(l.Kind) && m.Driver.match(l.driver()) &&
		m.Type.match(l.deviceType()) && (len(m.MACAddress) == 0 || l.HardwareAddr != HardwareAddr{} && slices.Contains(m.MACAddress, l.HardwareAddr))
}

func (m *Match) matchesName(l Link) bool {
	if m.Name.match(l.Name) {
		return true
	}
	for _, name := range l.AltNames {
		if m.Name.match(name) {
			return true
		}
	}
	return false
}
