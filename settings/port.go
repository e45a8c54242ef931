package settings

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// maxMovedPorts bounds a range whose ports have other numbers inside: each of them is an entry of its own in the host's packet filter.
const maxMovedPorts = 1024

// addPort takes [PROTOCOL:][ADDRESS:]HOST[-LAST][:CONTAINER[-LAST]] of --port=. ADDRESS and ranges are ours, and so is sctp.
func addPort(s *Settings, v value) error {
	port := Port{Origin: v.origin, Protocol: "tcp"}
	rest := v.text
	if protocol, after, found := strings.Cut(v.text, ":"); found && (protocol == "tcp" || protocol == "udp" || protocol == "sctp") {
		port.Protocol, rest = protocol, after
	}
	var err error
	if port.Address, rest, err = cutHostAddress(rest); err != nil {
		return err
	}
	host, inside, found := strings.Cut(rest, ":")
	if !found {
		inside = host
	}
	if port.Host, port.Count, err = parsePorts(host); err != nil {
		return err
	}
	var count uint16
	if port.Container, count, err = parsePorts(inside); err != nil {
		return err
	}
	switch {
	case port.Protocol == "sctp" && port.Address.IsLoopback():
		return fmt.Errorf("a port of sctp cannot be published on %s, of the loopback link", port.Address)
	case count != port.Count:
		return fmt.Errorf("%d ports of the host for %d of the container", port.Count, count)
	case count > maxMovedPorts && port.Container != port.Host:
		return fmt.Errorf("a range of more than %d ports must have the same numbers on both sides", maxMovedPorts)
	}
	for _, other := range s.Network.Ports {
		if first, overlap := port.overlap(other); overlap {
			return fmt.Errorf("host port %s:%d is already used at %s", port.Protocol, first, other.Origin)
		}
	}
	s.Network.Ports = append(s.Network.Ports, port)
	return nil
}

// cutHostAddress takes an IPv4 address, or an IPv6 address in brackets, off the front.
func cutHostAddress(text string) (address netip.Addr, rest string, err error) {
	bracketed, isIPv6 := strings.CutPrefix(text, "[")
	separator := ":"
	if isIPv6 {
		separator = "]:"
	}
	before, rest, found := strings.Cut(cmp.Or(bracketed, text), separator)
	if !isIPv6 && !strings.Contains(before, ".") {
		return netip.Addr{}, text, nil // ports only
	}
	address, err = netip.ParseAddr(before)
	switch {
	case err != nil || !found || address.Is4() == isIPv6 || address.Zone() != "" || address.Is4In6():
		return netip.Addr{}, "", errors.New("an address of the host is written 192.0.2.1:PORT or [2001:db8::1]:PORT")
	case address.IsMulticast() || address.IsLinkLocalUnicast() || address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, "", fmt.Errorf("nothing can be published on %s", address)
	}
	return address, rest, nil
}

// parsePorts takes a port or a range FIRST-LAST.
func parsePorts(text string) (first, count uint16, err error) {
	before, after, isRange := strings.Cut(text, "-")
	if first, err = parsePort(before); err != nil || !isRange {
		return first, 1, err
	}
	last, err := parsePort(after)
	if err == nil && last < first {
		err = fmt.Errorf("port %d comes before %d", last, first)
	}
	return first, last - first + 1, err
}

// parsePort takes a port number from 1 to 65535.
func parsePort(text string) (uint16, error) {
	n, err := parseUint(text, 16)
	if err != nil || n == 0 || text[0] == ' ' || text[0] == '\t' {
		return 0, fmt.Errorf("%s is not a port from 1 to 65535", printable(text))
	}
	return uint16(n), nil
}

// overlap returns the first port of the host that both want.
func (p Port) overlap(other Port) (first uint16, found bool) {
	a, b := p.Address, other.Address
	sameAddress := !a.IsValid() || !b.IsValid() || a == b || a.Is4() == b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
	first = max(p.Host, other.Host)
	return first, sameAddress && p.Protocol == other.Protocol && first-p.Host < p.Count && first-other.Host < other.Count
}
