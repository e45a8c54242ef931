package main

import (
	"net/netip"
	"os"
	"slices"

	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel/probe"
)

// result says what came of an attempt. One that could not be made, since there is no route say, is one without an answer.
func result(err error) doctor.Result {
	switch {
	case err == nil:
		return doctor.Answer
	case probe.Refused(err):
		return doctor.Refused
	}
	return doctor.Silence
}

// fromInside makes an attempt within the container's namespace.
func (e *examination) fromInside(attempt func() error) doctor.Result {
	return result(e.inside.Do(attempt))
}

// pingHost pings the host's side of the link.
func (e *examination) pingHost() error {
	for _, a := range e.facts.Server.Addresses {
		if !a.Addr().Is4() || a.Addr().IsLinkLocalUnicast() {
			continue
		}
		g := &e.facts.Gateway
		g.Tried, g.Address = true, a.Addr()
		g.Answers = e.fromInside(func() error { return probe.Ping(g.Address) }) == doctor.Answer
		var err error
		g.Neighbour, err = e.inside.Neighbour(g.Address)
		return err
	}
	return nil
}

// probeOutside tries what is beyond the host, its router and DNS servers, and the DNS servers that containers are told of.
func (e *examination) probeOutside() error {
	router, err := probe.Router()
	if err != nil {
		return err
	}
	resolvers := network.ReadHost(os.DirFS(e.root)).DNS
	for _, target := range slices.Concat([]netip.Addr{router}, resolvers, e.facts.DHCP.DNS) {
		if !target.IsValid() || e.ours(target) {
			continue
		}
		ping := func() error { return probe.Ping(target) }
		path := e.try(target, ping, ping)
		e.facts.Outside = append(e.facts.Outside, path)
		if path.Inside == doctor.Answer {
			break
		}
	}
	for _, server := range e.facts.DHCP.DNS {
		ask := func() error { return probe.Ask(server) }
		host := ask
		if e.ours(server) {
			host = e.passedOn
		}
		path := e.try(server, ask, host)
		e.facts.DNS = append(e.facts.DNS, path)
		if path.Inside == doctor.Answer {
			break
		}
	}
	return nil
}

// try makes an attempt from inside, and where that fails what corresponds to it from the host.
func (e *examination) try(target netip.Addr, inside, host func() error) doctor.Path {
	path := doctor.Path{Target: target.String(), Inside: e.fromInside(inside)}
	if path.Inside != doctor.Answer {
		path.Host = result(host())
	}
	return path
}

// ours reports whether an address is the host's own.
func (e *examination) ours(address netip.Addr) bool {
	return slices.ContainsFunc(e.links, func(l network.Link) bool {
		return slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == address })
	})
}

// maxPorts bounds the published ports that are tried: thousands may be.
const maxPorts = 16

// tryPorts connects to what the container publishes, at its address and at a loopback address of the host.
func (e *examination) tryPorts(inside, loopback netip.Addr) (tried []doctor.Port) {
	if e.machine == nil {
		return nil
	}
	for _, port := range e.machine.Ports {
		host := port.Address
		if host.IsValid() && host.Is4() != inside.Is4() {
			continue // it is not published for this version of IP
		}
		if port.Protocol != "tcp" || len(tried) == maxPorts {
			continue
		}
		if !host.IsValid() || host.IsUnspecified() {
			host = loopback
		}
		tried = append(tried, doctor.Port{
			Host: port.Host, Container: port.Container,
			Inside:    result(probe.Connect(netip.AddrPortFrom(inside, port.Container))),
			Published: result(probe.Connect(netip.AddrPortFrom(host, port.Host))),
		})
	}
	return tried
}
