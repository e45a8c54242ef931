package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// setBridge takes the name of an existing bridge.
func setBridge(s *Settings, v value) error {
	if err := checkInterface(v.text); err != nil {
		return err
	}
	s.Network.Bridge = v.text
	return nil
}

// setZone takes a zone, the name of whose bridge is that of the zone behind "vz-".
func setZone(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	if len(v.text) > len("vz-")*4 {
		return errors.New("zone name is longer than 12 bytes")
	}
	if err := checkInterface("vz-" + v.text); err != nil {
		return errors.New("not a valid zone name")
	}
	s.Network.Zone = v.text
	return nil
}

// addVirtualEthernetExtra takes HOST[:CONTAINER] of --network-veth-extra=.
func addVirtualEthernetExtra(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	host, inside, _ := strings.Cut(v.text, ":")
	if inside == "" {
		inside = host
	}
	if err := checkInterface(host); err != nil {
		return err
	}
	if err := checkInterface(inside); err != nil {
		return err
	}
	s.Network.VirtualEthernetExtra = append(s.Network.VirtualEthernetExtra, InterfacePair{v.origin, host, inside})
	return nil
}

// addPairs takes HOST[:CONTAINER] of --network-interface=, --network-macvlan= and --network-ipvlan=, several in a line.
// Without a name in the container the one of the host is kept, if keep says so.
func addPairs(into *[]InterfacePair, v value, keep bool) error {
	words, err := plainWords.split(v.text)
	if err != nil {
		return err
	}
	var pairs []InterfacePair
	for _, word := range words {
		host, inside, _ := strings.Cut(word, ":")
		if err := checkInterface(host); err != nil {
			return err
		}
		if inside == "" && keep {
			inside = host
		}
		if inside != "" {
			if err := checkInterface(inside); err != nil {
				return err
			}
		}
		pairs = append(pairs, InterfacePair{v.origin, host, inside})
	}
	*into = append(*into, pairs...)
	return nil
}

// setNamespacePath takes the path of a network namespace.
func setNamespacePath(s *Settings, v value) error {
	s.Network.NamespacePath = ""
	if v.text == "" {
		return nil
	}
	if err := checkPath(v.text); err != nil {
		return err
	}
	s.Network.NamespacePath = path.Clean(v.text)
	return nil
}

// addAddress takes an address of host0 with the prefix length of its network.
func addAddress(s *Settings, v value) error {
	if v.text == "" {
		s.Network.Address = nil
		return nil
	}
	host, length, found := strings.Cut(v.text, "/")
	address, err := parseHostAddress(host)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s has no prefix length, such as in %s/24", address, address)
	}
	bits, err := parseUint(length, 8)
	if err != nil || int(bits) > address.BitLen() || length[0] < '0' {
		return fmt.Errorf("%s is not a prefix length", printable(length))
	}
	prefix := netip.PrefixFrom(address, int(bits))
	switch left := address.BitLen() - int(bits); {
	case address.Is4() && bits < 8:
		return fmt.Errorf("the network of %s is larger than a DHCP server can look after, 8 bits of prefix", prefix)
	case left == 0 || left == 1 && address.Is4():
		return fmt.Errorf("the network of %s has no address for the host's side of the link", prefix)
	case left > 1 && address == prefix.Masked().Addr():
		return fmt.Errorf("%s is the address of its network", prefix)
	case left > 1 && address.Is4() && !prefix.Contains(address.Next()):
		return fmt.Errorf("%s is the broadcast address of its network", prefix)
	}
	if !slices.Contains(s.Network.Address, prefix) {
		s.Network.Address = append(s.Network.Address, prefix)
	}
	return nil
}

// addDNS takes the addresses of name servers.
func addDNS(s *Settings, v value) error {
	if v.text == "" {
		s.Network.DNS = nil
		return nil
	}
	var servers []netip.Addr
	for word := range strings.FieldsSeq(v.text) {
		server, err := parseHostAddress(word)
		if err != nil {
			return err
		}
		servers = append(servers, server)
	}
	s.Network.DNS = append(s.Network.DNS, servers...)
	return nil
}

// setDHCP takes yes, no or auto.
func setDHCP(s *Settings, v value) error {
	mode := "auto"
	if v.text != mode {
		var on bool
		if err := setBool(&on, v.text); err != nil {
			return err
		}
		if mode = "no"; on {
			mode = "yes"
		}
	}
	s.Network.DHCP = mode
	return nil
}

// parseHostAddress takes the address of one host.
func parseHostAddress(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	switch {
	case err != nil || address.Zone() != "" || address.Is4In6():
		return netip.Addr{}, fmt.Errorf("%s is not an IP address", printable(text))
	case address.IsUnspecified() || address.IsMulticast() || address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, fmt.Errorf("%s is not the address of a host", text)
	}
	return address, nil
}

// setMACAddress takes the Ethernet address of one interface: six pairs of hexadecimal digits.
func setMACAddress(s *Settings, v value) error {
	address := strings.ToLower(v.text)
	octets := strings.Split(address, ":")
	for _, octet := range octets {
		if len(octets) != 6 || len(octet) != 2 || leading(octet, "0123456789abcdef") != octet {
			return errors.New("not an Ethernet address")
		}
	}
	if strings.IndexByte("02468ace", address[1]) < 0 || strings.Trim(address, "0:") == "" {
		return errors.New("not the address of one interface")
	}
	s.Network.MACAddress = address
	return nil
}
