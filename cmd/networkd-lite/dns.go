package main

import (
	"io/fs"
	"iter"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/dns"
	"nspawnkit/network"
	"nspawnkit/network/kernel/dnssocket"
	"nspawnkit/network/manager"
	"nspawnkit/network/names"
)

// maxForwarded is how many queries of all containers may be under way at the host's servers.
const maxForwarded = 256

// leaseTable knows the DHCP servers that run, by link.
type leaseTable struct {
	servers sync.Map
	foreign func(index int) iter.Seq[dhcp.Lease] // what systemd-networkd has given out where none of these runs
}

func (t *leaseTable) add(link string, server *dhcp.Server) (remove func()) {
	t.servers.Store(link, server)
	return func() { t.servers.CompareAndDelete(link, server) }
}

// of lists the leases of a link.
func (t *leaseTable) of(link network.Link) iter.Seq[dhcp.Lease] {
	server, found := t.servers.Load(link.Name)
	if !found {
		return t.foreign(link.Index)
	}
	return server.(*dhcp.Server).Leases()
}

// dnsServers serves links with DNS.
type dnsServers struct {
	leases     *leaseTable
	forwarder  *dns.Forwarder
	sockets    *dnssocket.Sockets
	report     func(manager.Priority, string)
	host       *hostNames
	neighbours neighbourTable
	directory  atomic.Pointer[names.Directory]
	said       atomic.Int64 // when a problem was reported last, Unix time
}

// quiet is how many seconds pass between two reports of problems, which every query may have while the host's servers do not answer.
const quiet = 60

func (d *dnsServers) problem(err error) {
	now, last := time.Now().Unix(), d.said.Load()
	if (now >= last+quiet || now < last) && d.said.CompareAndSwap(last, now) {
		d.report(manager.Warning, err.Error())
	}
}

// newDNSServers returns what asks the servers of the host's resolv.conf.
func newDNSServers(root fs.FS, sockets *dnssocket.Sockets, leases *leaseTable, report func(manager.Priority, string)) *dnsServers {
	d := &dnsServers{sockets: sockets, leases: leases, report: report}
	d.host = newHostNames(d)
	d.Update(nil, nil)
	resolvers := &network.Resolvers{Root: root, Now: time.Now}
	d.forwarder = dns.NewForwarder(func() []netip.AddrPort { return resolvers.Servers(d.isOurs) }, maxForwarded)
	return d
}

// isOurs reports whether a DNS server is one of these, which must not ask themselves.
func (d *dnsServers) isOurs(address netip.Addr) bool { return d.directory.Load().Serves(address) }

// Open is part of [manager.DNS].
func (d *dnsServers) Open(l network.Link, address netip.Addr, failed func(error)) (stop func(), err error) {
	conn, err := d.sockets.Listen(l.Index, l.Name, address)
	if err != nil {
		return nil, err
	}
	link := l.Name // the server must not hold all that is known of the link
	server := &dns.Server{
		Zone:      func(client netip.Addr) *dns.Zone { return d.directory.Load().Zone(link, client) },
		Forwarder: d.forwarder,
		Report:    d.problem,
	}
	if err := conn.Receive(server, failed); err != nil {
		conn.Close()
		return nil, err
	}
	return func() {
		conn.Stop()
		server.Close()
		conn.Close()
	}, nil
}

// Update is part of [manager.DNS].
func (d *dnsServers) Update(machines network.Machines, links []names.Link) []string {
	directory := names.New(machines, links, names.Source{Leases: d.leases.of, Neighbours: d.neighbours.of, Now: time.Now})
	d.directory.Store(directory)
	d.host.update(links)
	return directory.Conflicts
}
