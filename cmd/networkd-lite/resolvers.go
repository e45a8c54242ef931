package main

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel/probe"
)

// askResolvers asks the DNS servers of the host, all at once, and where one is the stub of systemd-resolved (systemd-resolved.service(8))
// those that it asks.
func (e *examination) askResolvers() {
	root := os.DirFS(e.root)
	resolvers := network.Resolvers{Root: root, Now: time.Now}
	list := &e.facts.Resolvers
	known := func(a netip.Addr) bool {
		return slices.ContainsFunc(*list, func(r doctor.Resolver) bool { return r.Address == a })
	}
	isStub := false
	for _, server := range resolvers.Servers(e.servesNames) {
		if a := server.Addr(); !known(a) {
			*list = append(*list, doctor.Resolver{Address: a})
			isStub = isStub || a == netip.AddrFrom4([4]byte{127, 0, 0, 53}) || a == netip.AddrFrom4([4]byte{127, 0, 0, 54})
		}
	}
	if host := network.ReadHost(root); isStub {
		for _, a := range slices.Concat(host.DNS, host.DNS6) {
			if !known(a) {
				*list = append(*list, doctor.Resolver{Address: a, Behind: true})
			}
		}
	}
	var asking sync.WaitGroup
	for i := range *list {
		asking.Go(func() { (*list)[i].Result = result(probe.Ask((*list)[i].Address)) })
	}
	asking.Wait()
}

// servesNames reports whether the daemon has a DNS server at the address, which asks the same servers.
func (e *examination) servesNames(address netip.Addr) bool {
	for _, l := range e.status.Links {
		if slices.Contains(l.DNSServer, address) {
			return true
		}
	}
	return false
}

// passedOn is what comes of questions that networkd-lite passes on.
func (e *examination) passedOn() error {
	if slices.ContainsFunc(e.facts.Resolvers, func(r doctor.Resolver) bool { return r.Result == doctor.Answer }) {
		return nil
	}
	return probe.ErrSilence
}
