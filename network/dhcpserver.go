package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"nspawnkit/settings"
)

// DHCPServer is the [DHCPServer] section, with the [DHCPServerStaticLease] sections.
type DHCPServer struct {
	ServerAddress netip.Prefix // zero: the first static IPv4 address
	PoolOffset    uint32       // from the network address; 0: after the network address
	PoolSize      uint32       // number of addresses; 0: the rest of the subnet
	DefaultLease  time.Duration
	MaxLease      time.Duration

	Uplink       string // name or index of a link, ":auto" or ":none"
	DNS          Servers
	NTP          Servers
	SIP          Servers
	POP3         Servers
	SMTP         Servers
	LPR          Servers
	EmitRouter   bool
	Router       netip.Addr // zero: the server itself
	EmitTimezone bool
	Timezone     string // empty: the host's
	EmitDomain   bool
	Domain       string // empty: that of the host's own name
	NoDomain     bool   // EmitDomain=no was said: not that of containers either

	LocalLeaseDomain string // of the names of containers, in lower case; empty: [nspawnkit/dns.DefaultSuffix]

	BootServerAddress netip.Addr // zero: none
	BootServerName    string
	BootFilename      string
	IPv6OnlyPreferred time.Duration // RFC 8925; 0: not sent
	SendOption        map[uint8][]byte
	SendVendorOption  map[uint8][]byte // within option 43
	RapidCommit       bool             // RFC 4039
	PersistLeases     string           // "yes", "runtime", "no"

	RelayTarget         netip.Addr // the server that answers in place of this one; zero: none
	RelayAgentCircuitID string     // of option 82 (RFC 3046); empty: not said
	RelayAgentRemoteID  string
	unbound             settings.Origin // of BindToInterface=no

	StaticLeases []*StaticLease
}

// Servers are the servers of one protocol that clients are told of.
type Servers struct {
	Emit bool
	// Addresses are as the file has them; 0.0.0.0 stands for the DHCP server itself ("_server_address"). None: those of the uplink.
	Addresses []netip.Addr
}

// StaticLease is a [DHCPServerStaticLease] section.
type StaticLease struct {
	section    section
	MACAddress [6]byte
	Address    netip.Addr
	Hostname   string // sent to the client; empty: none
}

// defaultDHCPServer has the defaults of systemd.network(5).
func defaultDHCPServer() DHCPServer {
	return DHCPServer{
		DefaultLease: time.Hour, MaxLease: 12 * time.Hour,
		Uplink: ":auto",
		DNS:    Servers{Emit: true}, NTP: Servers{Emit: true}, SIP: Servers{Emit: true},
		POP3: Servers{Emit: true}, SMTP: Servers{Emit: true}, LPR: Servers{Emit: true},
		EmitRouter: true, EmitTimezone: true, RapidCommit: true, PersistLeases: "yes",
	}
}

// dhcpServerKeys are the keys of the DHCP server.
var dhcpServerKeys = [...]key{
	{"DHCPServer", "ServerAddress", setServerAddress},
	{"DHCPServer", "PoolOffset", func(f *File, v string) error { return setCount(&f.Config.Server.PoolOffset, v) }},
	{"DHCPServer", "PoolSize", func(f *File, v string) error { return setCount(&f.Config.Server.PoolSize, v) }},
	{"DHCPServer", "DefaultLeaseTimeSec", func(f *File, v string) error { return setLeaseTime(&f.Config.Server.DefaultLease, v) }},
	{"DHCPServer", "MaxLeaseTimeSec", func(f *File, v string) error { return setLeaseTime(&f.Config.Server.MaxLease, v) }},
	{"DHCPServer", "UplinkInterface", func(f *File, v string) error { return setUplink(&f.Config.Server.Uplink, v) }},
	{"DHCPServer", "EmitDNS", func(f *File, v string) error { return setBool(&f.Config.Server.DNS.Emit, v) }},
	{"DHCPServer", "DNS", func(f *File, v string) error { return f.Config.Server.DNS.add(v) }},
	{"DHCPServer", "EmitNTP", func(f *File, v string) error { return setBool(&f.Config.Server.NTP.Emit, v) }},
	{"DHCPServer", "NTP", func(f *File, v string) error { return f.Config.Server.NTP.add(v) }},
	{"DHCPServer", "EmitSIP", func(f *File, v string) error { return setBool(&f.Config.Server.SIP.Emit, v) }},
	{"DHCPServer", "SIP", func(f *File, v string) error { return f.Config.Server.SIP.add(v) }},
	{"DHCPServer", "EmitPOP3", func(f *File, v string) error { return setBool(&f.Config.Server.POP3.Emit, v) }},
	{"DHCPServer", "POP3", func(f *File, v string) error { return f.Config.Server.POP3.add(v) }},
	{"DHCPServer", "EmitSMTP", func(f *File, v string) error { return setBool(&f.Config.Server.SMTP.Emit, v) }},
	{"DHCPServer", "SMTP", func(f *File, v string) error { return f.Config.Server.SMTP.add(v) }},
	{"DHCPServer", "EmitLPR", func(f *File, v string) error { return setBool(&f.Config.Server.LPR.Emit, v) }},
	{"DHCPServer", "LPR", func(f *File, v string) error { return f.Config.Server.LPR.add(v) }},
	{"DHCPServer", "EmitRouter", func(f *File, v string) error { return setBool(&f.Config.Server.EmitRouter, v) }},
	{"DHCPServer", "Router", func(f *File, v string) error { return setIPv4(&f.Config.Server.Router, v) }},
	{"DHCPServer", "EmitTimezone", func(f *File, v string) error { return setBool(&f.Config.Server.EmitTimezone, v) }},
	{"DHCPServer", "Timezone", setTimezone},
	{"DHCPServer", "EmitDomain", setEmitDomain},
	{"DHCPServer", "Domain", setDomain},
	{"DHCPServer", "BootServerAddress", func(f *File, v string) error { return setIPv4(&f.Config.Server.BootServerAddress, v) }},
	{"DHCPServer", "BootServerName", setBootServerName},
	{"DHCPServer", "BootFilename", func(f *File, v string) error { return setText(&f.Config.Server.BootFilename, v) }},
	{"DHCPServer", "IPv6OnlyPreferredSec", setIPv6OnlyPreferred},
	{"DHCPServer", "SendOption", func(f *File, v string) error { return addOption(&f.Config.Server.SendOption, v, checkSendOption) }},
	{"DHCPServer", "SendVendorOption", func(f *File, v string) error { return addOption(&f.Config.Server.SendVendorOption, v, nil) }},
	{"DHCPServer", "RapidCommit", func(f *File, v string) error { return setBool(&f.Config.Server.RapidCommit, v) }},
	{"DHCPServer", "PersistLeases", setPersistLeases},
	{"DHCPServer", "BindToInterface", setBindToInterface}, // systemd 249 to 261
	{"DHCPServer", "LocalLeaseDomain", setLocalLeaseDomain},
	{"DHCPServer", "RelayTarget", func(f *File, v string) error { return setIPv4(&f.Config.Server.RelayTarget, v) }}, // systemd 249 to 260
	{"DHCPServer", "RelayAgentCircuitId", func(f *File, v string) error { return setRelayAgent(&f.Config.Server.RelayAgentCircuitID, v) }},
	{"DHCPServer", "RelayAgentRemoteId", func(f *File, v string) error { return setRelayAgent(&f.Config.Server.RelayAgentRemoteID, v) }},
	{"Network", "DHCPRelay", noRelay}, // since 261

	{"DHCPServerStaticLease", "MACAddress", setStaticMACAddress},
	{"DHCPServerStaticLease", "Address", setStaticAddress},
	{"DHCPServerStaticLease", "Hostname", setStaticHostname},
}

func setEmitDomain(f *File, value string) error {
	s := &f.Config.Server
	err := setBool(&s.EmitDomain, value)
	s.NoDomain = err == nil && !s.EmitDomain
	return err
}

// setLocalLeaseDomain takes the domain of the names of containers. Systemd's own files have "_dhcp", so labels may begin with "_".
func setLocalLeaseDomain(f *File, value string) error {
	value = strings.ToLower(strings.TrimSuffix(value, "."))
	if value != "" && (len(value) > maxLocalLeaseDomain || !validDomain(strings.TrimPrefix(strings.ReplaceAll(value, "._", "."), "_"))) {
		return errors.New("not a domain name")
	}
	f.Config.Server.LocalLeaseDomain = value
	return nil
}

// maxLocalLeaseDomain leaves room for the name of a container in a name of at most 253 bytes.
const maxLocalLeaseDomain = 253 - 64 - 1

// add takes IPv4 addresses and "_server_address"; an empty value takes all earlier ones back.
func (s *Servers) add(value string) error {
	if value == "" {
		s.Addresses = nil
		return nil
	}
	var added []netip.Addr
	for word := range strings.FieldsSeq(value) {
		addr := netip.IPv4Unspecified()
		if word != "_server_address" {
			if err := setIPv4(&addr, word); err != nil {
				return err
			}
		}
		if !slices.Contains(s.Addresses, addr) && !slices.Contains(added, addr) {
			added = append(added, addr)
		}
	}
	s.Addresses = append(s.Addresses, added...)
	return nil
}

// setServerAddress takes ServerAddress=, which implies the same Address=.
func setServerAddress(f *File, value string) error {
	if value == "" {
		f.Config.Server.ServerAddress = netip.Prefix{}
		return nil
	}
	prefix, err := parseAddress(value)
	switch {
	case err != nil:
		return err
	case !prefix.Addr().Is4():
		return errors.New("not an IPv4 address")
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
	*into = min(span.Truncate(time.Second), math.MaxUint32*time.Second)
	return nil
}

// setUplink takes the name or the index of a link.
func setUplink(into *string, value string) error {
	switch index, err := strconv.ParseUint(value, 10, 31); {
	case value == "":
		value = ":auto"
	case value == ":auto", value == ":none", err == nil && index > 0:
	default:
		if err := ValidInterfaceName(value); err != nil {
			return err
		}
	}
	*into = value
	return nil
}

// setIPv4 takes an IPv4 address of a host; an empty value is none.
func setIPv4(into *netip.Addr, value string) error {
	if value == "" {
		*into = netip.Addr{}
		return nil
	}
	addr, err := netip.ParseAddr(value)
	if err != nil || !addr.Is4() {
		return errors.New("not an IPv4 address")
	}
	if addr.IsUnspecified() {
		return errors.New("not the address of a host")
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
	persist := true // the default
	if err := setBool(&persist, value); value != "" && err != nil {
		return errors.New("not a boolean or runtime")
	}
	s.PersistLeases = map[bool]string{true: "yes", false: "no"}[persist]
	return nil
}

// setTimezone takes the name of a file below /usr/share/zoneinfo.
func setTimezone(f *File, value string) error {
	if value != "" && !ValidTimezone(value) {
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

func setDomain(f *File, value string) error {
	value = strings.TrimSuffix(value, ".")
	if value != "" && !validDomain(value) {
		return errors.New("not a domain name")
	}
	f.Config.Server.Domain = value
	return nil
}

func setBootServerName(f *File, value string) error {
	if value != "" && !validDomain(value) {
		return errors.New("not a host name")
	}
	return setText(&f.Config.Server.BootServerName, value)
}

// setText takes printable text for one option of at most 255 bytes.
func setText(into *string, value string) error {
	if len(value) > math.MaxUint8 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("not printable ASCII of at most 255 characters")
	}
	*into = value
	return nil
}

// validDomain follows RFC 1123, section 2.1: labels of letters, digits and inner hyphens, separated by dots.
func validDomain(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') }) {
			return false
		}
	}
	return true
}

// minIPv6OnlyWait is MIN_V6ONLY_WAIT of RFC 8925, section 3.4.
const minIPv6OnlyWait = 300 * time.Second

func setIPv6OnlyPreferred(f *File, value string) error {
	s := &f.Config.Server
	if value == "" {
		s.IPv6OnlyPreferred = 0
		return nil
	}
	span, err := settings.ParseTimeSpan(value)
	switch {
	case err != nil:
		return err
	case span < minIPv6OnlyWait:
		return errors.New("shorter than 300 seconds")
	}
	s.IPv6OnlyPreferred = min(span.Truncate(time.Second), math.MaxUint32*time.Second)
	return nil
}

// addOption takes OPTION:TYPE:VALUE. A later one with the same number replaces an earlier one; an empty value takes all back.
func addOption(options *map[uint8][]byte, value string, check func(code uint8) error) error {
	if value == "" {
		*options = nil
		return nil
	}
	number, rest, _ := strings.Cut(value, ":")
	kind, text, found := strings.Cut(rest, ":")
	code, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil || code < 1 || code > 254 {
		return errors.New("not OPTION:TYPE:VALUE with an option from 1 to 254")
	}
	if check != nil {
		if err := check(uint8(code)); err != nil {
			return err
		}
	}
	data, err := parseOption(kind, text)
	if err != nil {
		return err
	}
	if *options == nil {
		*options = map[uint8][]byte{}
	}
	(*options)[uint8(code)] = data
	return nil
}

// parseOption encodes the value of an option, in network byte order.
func parseOption(kind, text string) ([]byte, error) {
	bits := map[string]int{"uint8": 8, "uint16": 16, "uint32": 32}[kind]
	switch kind {
	case "uint8", "uint16", "uint32":
		n, err := strconv.ParseUint(text, 0, bits)
		if err != nil {
			return nil, fmt.Errorf("%q is no %s", text, kind)
		}
		return binary.BigEndian.AppendUint32(nil, uint32(n))[4-bits/8:], nil
	case "ipv4address", "ipv6address":
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Is4() != (kind == "ipv4address") || addr.Zone() != "" {
			return nil, fmt.Errorf("%q is no %s", text, kind)
		}
		return addr.AsSlice(), nil
	case "string":
		data, err := settings.Unescape(text)
		if err == nil && len(data) > math.MaxUint8 {
			err = errors.New("longer than 255 bytes")
		}
		return data, err
	}
	return nil, fmt.Errorf("%q is not uint8, uint16, uint32, ipv4address, ipv6address or string", kind)
}

// checkSendOption refuses the options that the server needs for itself (RFC 2131, section 4.3.1).
func checkSendOption(code uint8) error {
	switch code {
	case 1, 50, 51, 52, 53, 54, 55, 57, 61, 80, 82:
		return fmt.Errorf("option %d is the server's own", code)
	}
	return nil
}
