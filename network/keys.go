package network

import (
	"errors"
	"fmt"
	"net/netip"

	"nspawnkit/settings"
)

// key is one key of systemd.network(5) that is honoured. The function stores the value or says what is wrong with it.
type key struct {
	section, name string
	set           func(f *File, value string) error
}

// keys is the one table of keys. Every other key is a problem of the file.
var keys = [...]key{
	{"Network", "Description", func(f *File, v string) error { f.Config.Description = v; return nil }},
	{"Network", "Address", addAddress},
	{"Network", "DHCPServer", func(f *File, v string) error { return setBool(&f.Config.DHCPServer, v) }},
	{"Network", "IPMasquerade", setMasquerade},
	{"Network", "IPv4Forwarding", func(f *File, v string) error { return setTristate(&f.Config.Forwarding4, v) }},
	{"Network", "IPv6Forwarding", func(f *File, v string) error { return setTristate(&f.Config.Forwarding6, v) }},
	{"Network", "IPForward", setForward},
	{"Network", "LinkLocalAddressing", setLinkLocal},
	{"Network", "KeepMaster", setKeepMaster},
	{"Network", "ConfigureWithoutCarrier", onlyYes}, // the host side is ready before the container is
	{"Network", "IgnoreCarrierLoss", onlyYes},
	{"Network", "KeepConfiguration", keepConfiguration},
}

// keyTables returns all tables of keys.
func keyTables() [][]key {
	return [][]key{
		keys[:], lldpKeys[:], matchKeys[:], linkKeys[:], addressKeys[:], routeKeys[:], routeMetricKeys[:], nextHopKeys[:], resolvingKeys[:], sysctlKeys[:],
		dhcpServerKeys[:], sendRAKeys[:], refusedKeys[:],
	}
}

// set stores the value of a key.
func (f *File) set(section, name, value string) error {
	for _, table := range keyTables() {
		for i := range table {
			if k := &table[i]; k.section == section && k.name == name {
				return k.set(f, value)
			}
		}
	}
	return notHonoured(section, name, value)
}

// onlyNo is for keys of what networkd-lite never does.
func onlyNo(_ *File, value string) error {
	if on, err := settings.ParseBool(value); err == nil && !on {
		return nil
	}
	return errors.New("networkd-lite supports only \"no\"")
}

// onlyYes is for keys of what networkd-lite always does.
func onlyYes(_ *File, value string) error {
	if on, err := settings.ParseBool(value); err == nil && on {
		return nil
	}
	return errors.New("networkd-lite supports only \"yes\"")
}

// keepConfiguration takes KeepConfiguration=: addresses and routes stay when networkd-lite stops, and it has none that are dynamic.
func keepConfiguration(_ *File, value string) error {
	if on, err := settings.ParseBool(value); value == "" || value == "static" || err == nil && on {
		return nil
	}
	return errors.New("networkd-lite supports only \"yes\" and \"static\"")
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
			if other.Addr().IsUnspecified() && other.Addr().Is4() == prefix.Addr().Is4() {
				return errors.New("networkd-lite supports only one free subnet per link")
			}
		}
	}
	f.Config.Addresses = append(f.Config.Addresses, prefix)
	return nil
}

// parseAddress takes an address with its prefix length; 0.0.0.0 and :: stand for a free subnet.
func parseAddress(value string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(value)
	switch addr := prefix.Addr(); {
	case err != nil:
		return prefix, errors.New("not ADDRESS/LENGTH")
	case addr.Is6() && addr.IsUnspecified() && (prefix.Bits() < subnetBits || prefix.Bits() > 127):
		return prefix, fmt.Errorf("a free prefix must be between /%d and /127", subnetBits)
	case addr.Is4() && addr.IsUnspecified() && (prefix.Bits() < minSubnet || prefix.Bits() > maxSubnet):
		return prefix, fmt.Errorf("a free subnet must be between /%d and /%d", minSubnet, maxSubnet)
	case addr.IsMulticast() || addr.IsLoopback() || addr.Is4In6():
		return prefix, errors.New("not the address of a host")
	}
	return prefix, nil
}
