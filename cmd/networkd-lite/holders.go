package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel/packet"
	"nspawnkit/network/manager"
)

// Bounds of how many addresses somebody is looked for at, and at how many at a time.
const (
	maxSought = 1024
	seekers   = 64
)

// readPool finds out who has the addresses that the DHCP server of the link may give; it is of interest where none was offered.
func (e *examination) readPool() {
	file, link := e.fileOf(e.facts.Server)
	if file == nil {
		return
	}
	list, clients := manager.Pool(link, file, network.ReadHost(os.DirFS(e.root)))
	server, _ := file.Config.Server.Address(link.Addresses)
	pool := doctor.Pool{
		Size: clients, Server: server, Offset: file.Config.Server.PoolOffset, PoolSize: file.Config.Server.PoolSize,
		Sole: strings.HasPrefix(link.Name, network.VethPrefix) && file.Config.Server.PoolSize == 0, Wanted: file.Config.Addresses,
	}
	if name := strings.TrimSuffix(filepath.Base(file.Path), ".network"); strings.Trim(name, word) == "" {
		pool.Name = name
	}
	held := map[netip.Addr]bool{}
	hold := func(h doctor.Holder) {
		if slices.Contains(list, h.Address) && !held[h.Address] {
			held[h.Address] = true
			pool.Holders = append(pool.Holders, h)
		}
	}
	for _, lease := range e.activeLeases() {
		if e.isOwn(lease) {
			return // it would get this one
		}
		hold(e.holderByLease(lease))
	}
	for _, m := range e.machines {
		for _, container := range (network.Machines{m}).FixedOf(link.Name) {
			for _, fixed := range container.Addresses {
				hold(doctor.Holder{Address: fixed.Addr(), Container: m.Name, By: "its Address="})
			}
		}
	}
	list = slices.DeleteFunc(list, func(a netip.Addr) bool { return held[a] })
	if missing := clients - len(pool.Holders); missing > 0 && missing == len(list) && missing <= maxSought {
		pool.Holders = append(pool.Holders, e.seek(link.Index, list)...)
	}
	slices.SortFunc(pool.Holders, func(a, b doctor.Holder) int { return a.Address.Compare(b.Address) })
	e.facts.Pool = pool
}

// activeLeases lists the leases of the link that have not ended.
func (e *examination) activeLeases() (list []dhcp.Lease) {
	now := time.Now()
	for lease := range e.leasesOf(e.facts.Server.Name) {
		if lease.Expires.After(now) {
			list = append(list, lease)
		}
	}
	return list
}

// isOwn reports whether a lease is that of the container.
func (e *examination) isOwn(lease dhcp.Lease) bool {
	name := e.facts.Container
	return lease.Hardware == e.hardware || name != "" && lease.Container() == name
}

func (e *examination) holderByLease(lease dhcp.Lease) doctor.Holder {
	name, _, _ := strings.Cut(lease.Container(), "/") // of a second link
	if name == "" {
		name = e.containerWith(lease.Hardware)
	}
	return doctor.Holder{Address: lease.Address, Hardware: lease.Hardware.String(), Container: name, By: "its lease"}
}

// containerWith returns the name of the container on the link that has the hardware address; empty: none is known to.
func (e *examination) containerWith(hardware dhcp.HardwareAddr) string {
	server := e.facts.Server.Name
	for _, m := range e.machines {
		for _, l := range m.Links {
			if own, err := network.ParseHardwareAddr(l.ContainerMAC); err == nil && dhcp.HardwareAddr(own) == hardware && (l.Bridge == server || l.Host == server) {
				return m.Name
			}
		}
	}
	return ""
}

// seek looks for somebody at each of the addresses, many at a time.
func (e *examination) seek(ifindex int, addresses []netip.Addr) (found []doctor.Holder) {
	var seeking sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, seekers)
	for _, a := range addresses {
		slots <- struct{}{}
		seeking.Go(func() {
			defer func() { <-slots }()
			if owner, err := packet.Probe(ifindex, a); err == nil && owner != (dhcp.HardwareAddr{}) {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, doctor.Holder{Address: a, Hardware: owner.String(), Container: e.containerWith(owner)})
			}
		})
	}
	seeking.Wait()
	return found
}

// rivals finds out who else has an address of the container: by right first, since the packet filter lets nobody else use it.
func (e *examination) rivals(own netip.Addr) (list []doctor.Holder, err error) {
	file, link := e.fileOf(e.facts.Server)
	sole := file != nil && strings.HasPrefix(link.Name, network.VethPrefix) && file.Config.Server.PoolSize == 0
	for _, lease := range e.activeLeases() {
		if lease.Address == own && !e.isOwn(lease) && !sole {
			list = append(list, e.holderByLease(lease))
		}
	}
	for _, m := range e.machines {
		for _, l := range m.Links {
			has := slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == own })
			if has && m.Name != e.facts.Container && l.Bridge == e.facts.Server.Name {
				list = append(list, doctor.Holder{Address: own, Container: m.Name, By: "its Address="})
			}
		}
	}
	if file != nil {
		for _, lease := range file.Config.Server.StaticLeases {
			if hardware := dhcp.HardwareAddr(lease.MACAddress); lease.Address == own && hardware != e.hardware {
				list = append(list, doctor.Holder{Address: own, Hardware: hardware.String(), Container: e.containerWith(hardware), By: "a [DHCPServerStaticLease]"})
			}
		}
	}
	users, err := e.users(own)
	return append(list, users...), err
}

// users finds out who else answers for an address on the link.
func (e *examination) users(own netip.Addr) (list []doctor.Holder, err error) {
	at := slices.IndexFunc(e.links, func(l network.Link) bool { return l.Name == e.facts.Server.Name })
	if at < 0 {
		return nil, nil
	}
	owners, err := packet.Owners(e.links[at].Index, own)
	for _, owner := range owners {
		if owner != e.hardware {
			list = append(list, doctor.Holder{Address: own, Hardware: owner.String(), Container: e.containerWith(owner)})
		}
	}
	return list, err
}
