package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"nspawnkit/siphash"
)

// What the links of containers are called (systemd-nspawn(1), --network-veth, --network-bridge=, --network-zone=,
// --network-macvlan=, --network-ipvlan=).
const (
	VethPrefix   = "ve-" // host side of a container's own link
	BridgePrefix = "vb-" // the same as a port of a bridge or zone
	ZonePrefix   = "vz-" // bridge of a zone

	MACVLANPrefix = "mv-" // macvlan in a container, before the name of the host's interface
	IPVLANPrefix  = "iv-" // ipvlan

	ContainerLink = "host0" // container side
)

const (
	maxInterfaceName = 15  // IFNAMSIZ without the NUL
	maxAltName       = 127 // ALTIFNAMSIZ without the NUL
)

// HostLinkName returns the name of the host side of the link of machine; prefix is [VethPrefix] or [BridgePrefix]. With
// [MACVLANPrefix] or [IPVLANPrefix] and an interface of the host it returns the name in the container.
//
// A name over 15 bytes is cut and ends in a hash of the whole, as systemd-nspawn does since version 247
// (systemd.net-naming-scheme(7)); altname is then the full name, otherwise empty.
func HostLinkName(prefix, machine string) (name, altname string) {
	full := prefix + machine
	if len(full) <= maxInterfaceName {
		return full, ""
	}
	if len(full) <= maxAltName {
		altname = full
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648, section 5
	h := siphash.Sum64(shortenKey, []byte(full))
	name = full[:maxInterfaceName-4]
	for _, shift := range []uint{18, 12, 6, 0} {
		name += string(alphabet[h>>shift&63])
	}
	return name, altname
}

// ZoneBridgeName returns the name of the bridge of a zone, which [ValidZone] must have let through.
func ZoneBridgeName(zone string) string { return ZonePrefix + zone }

// The keys under which systemd-nspawn hashes names and addresses: part of the interface, since addresses that DHCP servers,
// leases and firewalls of users know must not change (src/nspawn/nspawn-network.c).
var (
	hostKey           = [16]byte{0x1a, 0x37, 0x6f, 0xc7, 0x46, 0xec, 0x45, 0x0b, 0xad, 0xa3, 0xd5, 0x31, 0x06, 0x60, 0x5d, 0xb1}
	containerKey      = [16]byte{0xc3, 0xc4, 0xf9, 0x19, 0xb5, 0x57, 0xb2, 0x1c, 0xe6, 0xcf, 0x14, 0x27, 0x03, 0x9c, 0xee, 0xa2}
	extraHostKey      = [16]byte{0x48, 0xc7, 0xf6, 0xb7, 0xea, 0x9d, 0x4c, 0x9e, 0xb7, 0x28, 0xd4, 0xde, 0x91, 0xd5, 0xbf, 0x66}
	extraContainerKey = [16]byte{0xaf, 0x50, 0x17, 0x61, 0xce, 0xf9, 0x4d, 0x35, 0x84, 0x0d, 0x2b, 0x20, 0x54, 0xbe, 0xce, 0x59}
	macvlanKey        = [16]byte{0x00, 0x13, 0x6d, 0xbc, 0x66, 0x83, 0x44, 0x81, 0xbb, 0x0c, 0xf9, 0x51, 0x1f, 0x24, 0xa6, 0x6f}
	shortenKey        = [16]byte{0xe1, 0x90, 0xa4, 0x04, 0xa8, 0xef, 0x4b, 0x51, 0x8c, 0xcc, 0xc3, 0x3a, 0x9f, 0x11, 0xfc, 0xa2}
)

// HardwareAddrs returns the hardware addresses of both ends of the link of machine on the host with the machine ID hostID:
// the same as systemd-nspawn's, stable over restarts.
func HardwareAddrs(hostID [16]byte, machine string) (host, container net.HardwareAddr) {
	return hardwareAddr(hostKey, hostID, machine, 0), hardwareAddr(containerKey, hostID, machine, 0)
}

// ExtraHardwareAddrs does the same for the VirtualEthernetExtra= line with the given index, counted from 0.
func ExtraHardwareAddrs(hostID [16]byte, machine string, index uint64) (host, container net.HardwareAddr) {
	return hardwareAddr(extraHostKey, hostID, machine, index), hardwareAddr(extraContainerKey, hostID, machine, index)
}

// MACVLANHardwareAddr returns the hardware address of the macvlan of machine with the given index among its MACVLAN= interfaces,
// counted from 0.
func MACVLANHardwareAddr(hostID [16]byte, machine string, index uint64) net.HardwareAddr {
	return hardwareAddr(macvlanKey, hostID, machine, index)
}

// hardwareAddr hashes host, machine and index. Index 0 adds nothing: systemd-nspawn had no index once.
func hardwareAddr(key, hostID [16]byte, machine string, index uint64) net.HardwareAddr {
	data := append(hostID[:], machine...)
	if index > 0 {
		data = binary.LittleEndian.AppendUint64(data, index)
	}
	addr := binary.LittleEndian.AppendUint64(nil, siphash.Sum64(key, data))[:6]
	addr[0] = addr[0]&^0x01 | 0x02 // unicast, locally administered (IEEE 802)
	return addr
}

// ValidInterfaceName says why name cannot be the name of a network interface, or returns nil.
//
// It is as strict as systemd: the kernel itself would also take "%d" templates, all-digit names (read as an index by many
// tools), "all" and "default" (which are sysctl directories) and any byte but NUL, '/', ':' and white space.
func ValidInterfaceName(name string) error {
	switch {
	case name == "":
		return errors.New("interface name is empty")
	case len(name) > maxInterfaceName:
		return fmt.Errorf("interface name %q has %d bytes, more than %d", name, len(name), maxInterfaceName)
	case name == "." || name == ".." || name == "all" || name == "default":
		return fmt.Errorf("interface name %q is reserved", name)
	case strings.Trim(name, "0123456789") == "":
		return fmt.Errorf("interface name %q is a number", name)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("/:%", c) >= 0 {
			return fmt.Errorf("interface name %q contains the character %q", name, c)
		}
	}
	return nil
}

// ValidZone says why zone cannot be the name of a zone, or returns nil. With the prefix "vz-" it must be a valid interface
// name, so it has at most 12 bytes.
func ValidZone(zone string) error {
	if zone == "" {
		return errors.New("zone name is empty")
	}
	if n := maxInterfaceName - len(ZonePrefix); len(zone) > n {
		return fmt.Errorf("zone name %q has %d bytes, more than %d", zone, len(zone), n)
	}
	if err := ValidInterfaceName(ZoneBridgeName(zone)); err != nil {
		return fmt.Errorf("zone %q: %w", zone, err)
	}
	return nil
}
