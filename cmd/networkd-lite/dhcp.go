package main

import (
	"context"
	"net/netip"
	"path/filepath"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/kernel/packet"
	"nspawnkit/network/manager"
)

// journalSuffix ends the name of a lease journal; the rest is the name of the link.
const journalSuffix = ".leases"

// dhcpServers serves links with DHCP and keeps the leases in files.
type dhcpServers struct {
	paths
	leases *leaseTable
	report func(manager.Priority, string)
	watch  *leaseWatch
}

// Open is part of [manager.DHCP].
func (d dhcpServers) Open(l network.Link, config dhcp.Config, persist string) (manager.Server, error) {
	if config.MaxLeases != 1 { // a point-to-point link has no third host
		config.Probe = func(address netip.Addr) (dhcp.HardwareAddr, error) { return packet.Probe(l.Index, address) }
	}
	server, err := dhcp.New(config)
	if err != nil {
		return nil, err
	}
	journal, closeJournal, err := d.openJournal(server, l.Name, persist)
	if err != nil {
		return nil, err
	}
	conn, err := packet.Listen(l.Index, l.Name, server.Address())
	if err != nil {
		closeJournal()
		return nil, err
	}
	if conn.Beside() {
		d.report(manager.Notice, l.Name+": another program keeps port 67 of all links for itself (ss -ulpn sport = 67 says which): serving DHCP beside it, "+
			"where the host's firewall does not see the requests")
	}
	forget := d.leases.add(l.Name, server)
	return &dhcpServer{server, func(ctx context.Context) error {
		defer closeJournal()
		defer forget()
		return dhcp.Serve(ctx, watchedConn{conn, l.Name, d.watch}, server, journal, func(err error) { d.report(manager.Warning, err.Error()) })
	}}, nil
}

// dhcpServer is the [manager.Server] of one link.
type dhcpServer struct {
	*dhcp.Server
	serve func(ctx context.Context) error
}

// Serve is part of [manager.Server].
func (s *dhcpServer) Serve(ctx context.Context) error { return s.serve(ctx) }

// openJournal reads the leases of a link into its server. The journal is nil where none is kept.
func (d dhcpServers) openJournal(server *dhcp.Server, link, persist string) (*dhcp.Journal, func() error, error) {
	folder := d.leasesFolder(persist)
	if folder == "" {
		return nil, func() error { return nil }, nil
	}
	path := filepath.Join(folder, link+journalSuffix)
	file := dhcp.NewFile(path)
	journal, problems, err := dhcp.OpenJournal(file, path, server, time.Now())
	for _, problem := range problems {
		d.report(manager.Warning, problem.Error())
	}
	return journal, file.Close, err
}

// leasesFolder returns where the leases are kept by PersistLeases=; empty: nowhere.
func (d dhcpServers) leasesFolder(persist string) string {
	switch persist {
	case "yes":
		return d.state
	case "runtime":
		return d.runtime
	}
	return ""
}
