package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"nspawnkit/settings"
)

// staticLease returns the lease of the section that is being read.
func (f *File) staticLease() *StaticLease {
	s := &f.Config.Server
	for _, l := range s.StaticLeases {
		if l.section == f.section {
			return l
		}
	}
	l := &StaticLease{section: f.section}
	s.StaticLeases = append(s.StaticLeases, l)
	return l
}

func setStaticMACAddress(f *File, value string) error {
	l := f.staticLease()
	hardware, err := net.ParseMAC(value)
	switch {
	case value == "":
		l.MACAddress = [6]byte{}
		return nil
	case err != nil || len(hardware) != len(l.MACAddress):
		return errors.New("not an Ethernet address")
	case hardware[0]&1 != 0:
		return errors.New("the address of a group, not of one device")
	}
	copy(l.MACAddress[:], hardware)
	return nil
}

func setStaticAddress(f *File, value string) error { return setIPv4(&f.staticLease().Address, value) }

func setStaticHostname(f *File, value string) error {
	if value != "" && !validDomain(value) {
		return errors.New("not a host name")
	}
	f.staticLease().Hostname = value
	return nil
}

// finishStaticLeases drops the sections that cannot be used, each with a problem.
func (f *File) finishStaticLeases() {
	var kept []*StaticLease
	hardware, addresses := map[[6]byte]bool{}, map[netip.Addr]bool{}
	for _, l := range f.Config.Server.StaticLeases {
		switch {
		case l.MACAddress == [6]byte{}:
			f.drop(l.section, "has no MACAddress=")
		case !l.Address.IsValid():
			f.drop(l.section, "has no Address=")
		case hardware[l.MACAddress]:
			f.drop(l.section, fmt.Sprintf("an earlier one is for %v already", net.HardwareAddr(l.MACAddress[:])))
		case addresses[l.Address]:
			f.drop(l.section, fmt.Sprintf("an earlier one has %v already", l.Address))
		default:
			kept = append(kept, l)
			hardware[l.MACAddress], addresses[l.Address] = true, true
		}
	}
	f.Config.Server.StaticLeases = kept
}

// LeasesWithin returns the static leases that a server with the given address and subnet can honour, and the problems of the others:
// one of them must not keep the rest of the link from its addresses.
func (s *DHCPServer) LeasesWithin(server netip.Prefix) ([]*StaticLease, []settings.Problem) {
	var fit []*StaticLease
	var problems []settings.Problem
	for _, l := range s.StaticLeases {
		if !server.Contains(l.Address) || l.Address == server.Addr() || l.Address == server.Masked().Addr() || l.Address == lastAddress(server) {
			text := fmt.Sprintf("%v is not the address of a client in %v", l.Address, server.Masked())
			problems = append(problems, l.section.problem(text))
			continue
		}
		fit = append(fit, l)
	}
	return fit, problems
}

// lastAddress is the broadcast address of an IPv4 subnet.
func lastAddress(p netip.Prefix) netip.Addr {
	return toAddr(toUint(p.Masked().Addr()) | 1<<(32-p.Bits()) - 1)
}
