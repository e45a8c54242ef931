package main

import (
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/kernel/packet"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/manager"
)

// journalSuffix ends the name of a lease journal; the rest is the name of the link.
const journalSuffix = ".leases"

// journalWriters is how many lease journals are written at a time. Each has a thread wait for the disk, which writes what several ask
// for at once.
const journalWriters = 8

// dhcpServers serves links with DHCP and keeps the leases in files.
type dhcpServers struct {
	paths
	leases  *leaseTable
	sockets *packet.Sockets
	writers dhcp.Writers
	report  func(manager.Priority, string)
	watch   *leaseWatch // is told of replies
	served  func()      // is told of requests
}

// openDHCP prepares the servers of all links.
func openDHCP(p paths, poller *poll.Poller, leases *leaseTable, report func(manager.Priority, string)) (dhcpServers, error) {
	sockets, err := packet.Open(poller)
	return dhcpServers{paths: p, leases: leases, sockets: sockets, writers: make(dhcp.Writers, journalWriters), report: report}, err
}

// Open is part of [manager.DHCP].
func (d dhcpServers) Open(l network.Link, config dhcp.Config, persist string, failed func(error)) (manager.Server, error) {
	if config.RelayTarget.IsValid() {
		return d.openRelay(l, config, failed)
	}
	if config.MaxLeases != 1 { // a point-to-point link has no third host
		index := l.Index // the server must not hold all that is known of the link
		config.Probe = func(address netip.Addr) (dhcp.HardwareAddr, error) { return packet.Probe(index, address) }
	}
	server, err := dhcp.New(config)
	if err != nil {
		return nil, err
	}
	journal, err := d.openJournal(server, l.Name, persist)
	if err != nil {
		return nil, err
	}
	conn, err := d.sockets.Listen(l.Index, l.Name, server.Address())
	if err != nil {
		return nil, err
	}
	if conn.Beside() {
		d.report(manager.Notice, l.Name+": another program keeps port 67 of all links for itself (ss -ulpn sport = 67 says which): serving DHCP beside it, "+
			"where the host's firewall does not see the requests")
	}
	responder := dhcp.NewResponder(watchedConn{conn, l.Name, d.watch}, server, journal, d.writers, d.problem)
	receive := func(request []byte) {
		d.served()
		responder.Receive(request)
	}
	if err := conn.Receive(receive, failed); err != nil {
		conn.Close()
		return nil, err
	}
	return &dhcpServer{server, responder, conn, d.leases.add(l.Name, server)}, nil
}

// problem reports what went wrong, which may be that an address is in use by somebody else.
func (d dhcpServers) problem(err error) {
	d.report(manager.Warning, err.Error())
	if errors.Is(err, dhcp.ErrDeclined) {
		d.watch.declined()
	}
}

// dhcpServer is the [manager.Server] of one link.
type dhcpServer struct {
	*dhcp.Server
	responder *dhcp.Responder
	conn      *packet.Conn
	forget    func() // takes the leases out of the table
}

// Close is part of [manager.Server].
func (s *dhcpServer) Close() {
	s.conn.Stop()
	s.responder.Close()
	s.forget()
	s.conn.Close()
}

// openJournal reads the leases of a link into its server. The journal is nil where none is kept.
func (d dhcpServers) openJournal(server *dhcp.Server, link, persist string) (*dhcp.Journal, error) {
	folder := d.leasesFolder(persist)
	if folder == "" {
		return nil, nil
	}
	path := filepath.Join(folder, link+journalSuffix)
	journal, problems, err := dhcp.OpenJournal(dhcp.File(path), path, server, time.Now())
	for _, problem := range problems {
		d.report(manager.Warning, problem.Error())
	}
	return journal, err
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
