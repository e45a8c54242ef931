package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/probe"
)

// readHost6 finds out whether the link is to have IPv6, by the settings of the kernel and by its .network file.
func (e *examination) readHost6() {
	i, server := &e.facts.IPv6, e.facts.Server
	path := "net/ipv6/conf/" + server.Name + "/disable_ipv6"
	switch value, err := kernel.GetSysctl(path); {
	case os.IsNotExist(err):
		i.Off = "the host has none"
		return
	case err == nil && strings.TrimSpace(value) == "1":
		i.Off = "sysctl " + path + " is 1"
		return
	}
	file, link := e.fileOf(server)
	if file == nil {
		return
	}
	i.Advertises = file.Config.SendRA.Enabled
	i.Forwards = network.Desire(link, &file.Config, netip.Prefix{}, netip.Prefix{}).Forwarding.IPv6
	if !i.Advertises && !slices.ContainsFunc(server.Addresses, isGlobal6) {
		i.Off = file.Path + " does not say IPv6SendRA=yes"
	}
}

// fileOf returns the .network file by which networkd-lite looks after a link; nil: none, or systemd-networkd does, which reads others.
func (e *examination) fileOf(server doctor.Link) (*network.File, network.Link) {
	at := slices.IndexFunc(e.links, func(l network.Link) bool { return l.Name == server.Name })
	if at < 0 || server.Status != nil && server.Status.Owner == "systemd-networkd" {
		return nil, network.Link{}
	}
	files, _ := network.ReadFiles(os.DirFS(e.root), network.SearchPath()) // the daemon reports what is wrong with them
	file, _ := files.Find(e.links[at])
	return file, e.links[at]
}

func isGlobal6(p netip.Prefix) bool { return p.Addr().Is6() && !p.Addr().IsLinkLocalUnicast() }

// foreign6 is what [foreign] returns, with the command for IPv6.
func foreign6(f doctor.Foreign, d kernel.Dropper, link string) doctor.Foreign {
	if place := fmt.Sprintf("%s %s %s", d.Family, d.Table, d.Chain); d.Input && !f.Certain && strings.Trim(place, identifier) == "" {
		f.Allow = fmt.Sprintf("nft 'insert rule %s iifname %q icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept; "+
			"insert rule %[1]s iifname %[2]q udp dport 53 accept'", place, link)
	}
	return f
}

// How long things of IPv6 may take: the kernel looks for duplicates of an address for a second or two (RFC 4862, section 5.4).
const (
	solicitTime  = 5 * time.Second
	addressTime  = 5 * time.Second
	addressPause = 50 * time.Millisecond
)

// probe6 looks at IPv6 on the container's side, and sends packets from there.
func (e *examination) probe6() error {
	i := &e.facts.IPv6
	if i.Off != "" {
		return nil
	}
	in, err := e.inside.Inside6()
	if err != nil {
		return err
	}
	if in.Off {
		i.Inside.Off = "the container has it switched off (sysctl net/ipv6/conf/" + e.facts.Inside.Interface + "/disable_ipv6)"
		return nil
	}
	if err := e.solicit(); err != nil {
		return err
	}
	if err := e.readInside6(); err != nil {
		return err
	}
	if err := e.pingHost6(); err != nil || len(i.Inside.Addresses) == 0 {
		return err
	}
	i.ReverseLink = probe.LinkTo(i.Inside.Addresses[0].Addr())
	if err := e.probeOutside6(); err != nil {
		return err
	}
	e.facts.IPv6.Ports = e.tryPorts(i.Inside.Addresses[0].Addr(), netip.IPv6Loopback())
	return nil
}

// solicit asks for a router.
func (e *examination) solicit() error {
	if err := e.awaitLinkLocal(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), solicitTime)
	defer cancel()
	heard := &e.facts.IPv6.Advertisement
	heard.Tried = true
	says, router, err := e.inside.Solicit(ctx, e.ours)
	if err != nil || says == nil {
		return err
	}
	heard.Router, heard.Default, heard.DNS = router, says.RouterLifetime > 0, says.DNS
	for _, p := range says.Prefixes {
		if p.Autonomous && p.Valid > 0 {
			heard.Prefixes = append(heard.Prefixes, p.Prefix)
		}
	}
	return nil
}

// awaitLinkLocal waits until the host's side of a new link has its link-local address, by which its router is known.
func (e *examination) awaitLinkLocal() error {
	name := e.facts.Server.Name
	for end := time.Now().Add(addressTime); time.Now().Before(end); time.Sleep(addressPause) {
		if err := e.look(); err != nil {
			return err
		}
		server := e.describe(name)
		if e.facts.Server = server; slices.ContainsFunc(server.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() }) {
			return nil
		}
	}
	return nil
}

// readInside6 reads what the container has, once its kernel has made an address of what was advertised, or had time to.
func (e *examination) readInside6() error {
	i := &e.facts.IPv6
	for end := time.Now().Add(addressTime); ; time.Sleep(addressPause) {
		in, err := e.inside.Inside6()
		if err != nil {
			return err
		}
		i.Inside = doctor.Inside6{Ignores: !in.AcceptRA, Addresses: in.Addresses, Duplicates: in.Duplicate, Router: in.Router}
		awaited := in.Tentative || in.AcceptRA && len(i.Advertisement.Prefixes) > 0 && len(in.Addresses)+len(in.Duplicate) == 0
		if !awaited || time.Now().After(end) {
			return nil
		}
	}
}

// pingHost6 pings the host's side of the link.
func (e *examination) pingHost6() error {
	addresses := slices.Clone(e.facts.Server.Addresses)
	if len(e.facts.IPv6.Inside.Addresses) == 0 { // from a link-local address nothing else is reached
		addresses = slices.DeleteFunc(addresses, isGlobal6)
	}
	slices.SortStableFunc(addresses, func(a, b netip.Prefix) int { return order(isGlobal6(b)) - order(isGlobal6(a)) })
	at := slices.IndexFunc(addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	if at < 0 {
		return nil
	}
	g, to := &e.facts.IPv6.Gateway, addresses[at].Addr()
	g.Tried, g.Address = true, to
	g.Answers = e.fromInside(func() error { return probe.Ping(e.inside.Scoped(to)) }) == doctor.Answer
	var err error
	g.Neighbour, err = e.inside.Neighbour(to)
	return err
}

func order(first bool) int {
	if first {
		return 1
	}
	return 0
}

// probeOutside6 tries what is beyond the host, its DNS servers and its router, and the DNS servers that containers are told of.
func (e *examination) probeOutside6() error {
	i := &e.facts.IPv6
	router, wayOut, err := probe.Router6()
	if err != nil {
		return err
	}
	host := network.ReadHost(os.DirFS(e.root))
	if i.WayOut = wayOut; wayOut {
		e.tryOutside6(host.DNS6, router)
	}
	for _, server := range i.Advertisement.DNS {
		ask := func() error { return probe.Ask(e.inside.Scoped(server)) }
		fromHost := ask
		if e.ours(server) {
			fromHost = e.passedOn
		}
		path := e.try(server, ask, fromHost)
		i.DNS = append(i.DNS, path)
		if path.Inside == doctor.Answer {
			break
		}
	}
	return nil
}

// tryOutside6 connects to servers, and pings a router that can be reached from elsewhere than its link, until something answers.
func (e *examination) tryOutside6(servers []netip.Addr, router netip.Addr) {
	i := &e.facts.IPv6
	attempts := map[netip.Addr]func() error{}
	for _, server := range servers {
		attempts[server] = func() error { return probe.Connect(netip.AddrPortFrom(server, dnsPort)) }
	}
	targets := slices.Clone(servers)
	if router.IsValid() && !router.IsLinkLocalUnicast() && attempts[router] == nil {
		targets = append(targets, router)
		attempts[router] = func() error { return probe.Ping(router) }
	}
	for _, target := range targets {
		if e.ours(target) {
			continue
		}
		path := e.try(target, attempts[target], attempts[target])
		i.Outside = append(i.Outside, path)
		if path.Inside == doctor.Answer || path.Inside == doctor.Refused && path.Host == doctor.Refused {
			break
		}
	}
}

const dnsPort = 53
