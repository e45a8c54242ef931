package main

import (
	"net/netip"
	"slices"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/doctor"
)

// readDecline finds out whether the container has no address because its DHCP client declined one, and who uses that: by right, and as it is heard
// from inside, where the client heard it, and from the host, where machines behind the container are heard.
func (e *examination) readDecline() error {
	status := e.facts.Link.Status
	if status == nil || !status.Declined.IsValid() || len(e.facts.Inside.Addresses) > 0 {
		return nil
	}
	d := &e.facts.Declined
	d.Address = status.Declined
	for _, l := range e.links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == d.Address }) {
			d.HostBy = printable(l.Name)
		}
	}
	users, err := e.rivals(d.Address)
	if err != nil {
		return err
	}
	d.Users = users
	heard, err := e.inside.Owners(d.Address)
	at := slices.IndexFunc(e.links, func(l network.Link) bool { return l.Name == e.facts.Server.Name })
	for _, owner := range heard {
		switch known := func(h doctor.Holder) bool { return h.Hardware == owner.String() }; {
		case at >= 0 && owner == dhcp.HardwareAddr(e.links[at].HardwareAddr):
			d.Host = true
		case !slices.ContainsFunc(d.Users, known):
			d.Users = append(d.Users, doctor.Holder{Address: d.Address, Hardware: owner.String(), Container: e.containerWith(owner)})
		}
	}
	return err
}
