package main

import (
	"context"
	"os"
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
	report func(manager.Priority, string)
}

// Serve is part of [manager.DHCP].
func (d dhcpServers) Serve(ctx context.Context, l network.Link, config dhcp.Config, persist string) error {
	server, err := dhcp.New(config)
	if err != nil {
		return err
	}
	var journal *dhcp.Journal
	if folder := d.leasesFolder(persist); folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		file := dhcp.NewFile(filepath.Join(folder, l.Name+journalSuffix))
		defer file.Close()
		var problems []error
		journal, problems, err = dhcp.OpenJournal(file, l.Name+journalSuffix, server, time.Now())
		for _, problem := range problems {
			d.report(manager.Warning, problem.Error())
		}
		if err != nil {
			return err
		}
	}
	conn, err := packet.Listen(l.Index, l.Name, server.Address())
	if err != nil {
		return err
	}
	return dhcp.Serve(ctx, conn, server, journal, func(err error) { d.report(manager.Warning, err.Error()) })
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
