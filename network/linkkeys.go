package network

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"nspawnkit/settings"
)

// LinkSettings are what [Link] and [Bridge] say about the device itself.
type LinkSettings struct {
	MACAddress   HardwareAddr // zero: as it is
	MTUBytes     uint32       // 0: as it is
	ARP          Tristate
	Multicast    Tristate
	AllMulticast Tristate
	Promiscuous  Tristate
	Group        Tristate // Yes: GroupNumber
	GroupNumber  uint32
	Port         []PortSetting // of a port of a bridge, by key
}

// PortSetting is a key of [Bridge] with its value; booleans are 0 and 1.
type PortSetting struct {
	Key   string
	Value uint32
}

// linkKeys are the keys of [Link] and [Bridge].
var linkKeys = [...]key{
	{"Link", "MACAddress", setLinkMACAddress},
	{"Link", "MTUBytes", func(f *File, v string) error { return setBytes(&f.Config.Link.MTUBytes, v, minMTU, math.MaxUint16) }},
	{"Link", "ARP", func(f *File, v string) error { return setTristate(&f.Config.Link.ARP, v) }},
	{"Link", "Multicast", func(f *File, v string) error { return setTristate(&f.Config.Link.Multicast, v) }},
	{"Link", "AllMulticast", func(f *File, v string) error { return setTristate(&f.Config.Link.AllMulticast, v) }},
	{"Link", "Promiscuous", func(f *File, v string) error { return setTristate(&f.Config.Link.Promiscuous, v) }},
	{"Link", "Group", setGroup},
	{"Link", "Unmanaged", func(f *File, v string) error { return setBool(&f.Config.Unmanaged, v) }},
	{"Link", "ActivationPolicy", setActivationPolicy},

	{"Bridge", "UnicastFlood", setPortFlag},
	{"Bridge", "MulticastFlood", setPortFlag},
	{"Bridge", "MulticastToUnicast", setPortFlag},
	{"Bridge", "NeighborSuppression", setPortFlag},
	{"Bridge", "Learning", setPortFlag},
	{"Bridge", "HairPin", setPortFlag},
	{"Bridge", "Isolated", setPortFlag},
	{"Bridge", "UseBPDU", setPortFlag},
	{"Bridge", "FastLeave", setPortFlag},
	{"Bridge", "AllowPortToBeRoot", setPortFlag},
	{"Bridge", "ProxyARP", setPortFlag},
	{"Bridge", "ProxyARPWiFi", setPortFlag},
	{"Bridge", "Locked", setPortFlag},
	{"Bridge", "MACAuthenticationBypass", setPortFlag},
	{"Bridge", "VLANTunnel", setPortFlag},
	{"Bridge", "MulticastRouter", setMulticastRouter},
	{"Bridge", "Cost", func(f *File, v string) error { return setPortNumber(f, v, 1, math.MaxUint16) }},
	{"Bridge", "Priority", func(f *File, v string) error { return setPortNumber(f, v, 0, 63) }},
}

func setLinkMACAddress(f *File, value string) error {
	if value == "" {
		f.Config.Link.MACAddress = HardwareAddr{}
		return nil
	}
	hardware, err := ParseHardwareAddr(value)
	if err == nil && hardware[0]&1 != 0 {
		err = errors.New("the address of a group, not of one device")
	}
	if err == nil {
		f.Config.Link.MACAddress = hardware
	}
	return err
}

// minMTU is the least that the kernel takes for Ethernet (ETH_MIN_MTU).
const minMTU = 68

func setGroup(f *File, value string) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if value == "" {
		f.Config.Link.Group = Unset
		return nil
	}
	if err != nil {
		return errors.New("not a number from 0 to 2147483647")
	}
	f.Config.Link.Group, f.Config.Link.GroupNumber = Yes, uint32(n)
	return nil
}

// setActivationPolicy takes the policies under which a container reaches its host.
func setActivationPolicy(f *File, value string) error {
	switch value {
	case "", "up", "always-up":
		f.Config.LeaveDown = false
	case "manual":
		f.Config.LeaveDown = true
	default:
		return errors.New("networkd-lite supports only up, always-up and manual")
	}
	return nil
}

// setPort sets a key of [Bridge], that of the line that is being read.
func (f *File) setPort(value uint32) {
	port := slices.DeleteFunc(f.Config.Link.Port, func(p PortSetting) bool { return p.Key == f.key })
	f.Config.Link.Port = append(port, PortSetting{f.key, value})
	slices.SortFunc(f.Config.Link.Port, func(a, b PortSetting) int { return cmp.Compare(a.Key, b.Key) })
}

// unsetPort leaves a key of [Bridge] to the kernel.
func (f *File) unsetPort() {
	f.Config.Link.Port = slices.DeleteFunc(f.Config.Link.Port, func(p PortSetting) bool { return p.Key == f.key })
}

func setPortFlag(f *File, value string) error {
	if value == "" {
		f.unsetPort()
		return nil
	}
	on, err := settings.ParseBool(value)
	if err == nil {
		f.setPort(map[bool]uint32{true: 1}[on])
	}
	return err
}

// setMulticastRouter takes the values of the kernel's MDB_RTR_TYPE by name.
func setMulticastRouter(f *File, value string) error {
	if value == "" {
		f.unsetPort()
		return nil
	}
	types := []string{"no", "query", "permanent", "temporary"}
	if off, err := settings.ParseBool(value); err == nil && !off {
		value = "no"
	}
	i := slices.Index(types, value)
	if i < 0 {
		return errors.New("not no, query, permanent or temporary")
	}
	f.setPort(uint32(i))
	return nil
}

func setPortNumber(f *File, value string, low, high uint64) error {
	if value == "" {
		f.unsetPort()
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n < low || n > high {
		return fmt.Errorf("not a number from %d to %d", low, high)
	}
	f.setPort(uint32(n))
	return nil
}
