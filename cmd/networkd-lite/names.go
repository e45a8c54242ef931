package main

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/names"
	"nspawnkit/network/networkd"
)

// nameTable is what containers are called.
type nameTable []names.Entry

func (n nameTable) rows() [][]string {
	rows := [][]string{{"NAME", "ADDRESS", "CONTAINER", "LINK"}}
	for _, one := range n {
		rows = append(rows, []string{one.Name, one.Address.String(), one.Container, one.Link})
	}
	return rows
}

// readNames makes the same directory as the daemon, from the links, the files about machines and the leases on disk or of
// systemd-networkd.
func readNames(p paths) (table, error) {
	kernelLinks, err := kernel.OpenLinks()
	if err != nil {
		return nil, err
	}
	defer kernelLinks.Close()
	list, err := kernelLinks.List()
	if err != nil {
		return nil, err
	}
	root := os.DirFS(p.root)
	machines, _ := (&network.MachineFiles{Root: root}).Read() // the daemon reports what cannot be read
	files, _ := network.ReadFiles(root, network.SearchPath())
	var links []names.Link
	for _, l := range list {
		if file, _ := files.Find(l); l.Served() && file != nil && file.Config.DHCPServer {
			links = append(links, names.Link{Link: l, Suffix: names.Suffix(file)})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err == nil { // otherwise no link is systemd-networkd's
		defer bus.Close()
	}
	leasesOf := func(l network.Link) iter.Seq[dhcp.Lease] {
		if bus != nil && networkd.ReadState(root, l.Index).File != "" {
			if list, err := networkd.AskLeases(ctx, bus, l.Index, kernel.Booted()); err == nil {
				return slices.Values(list)
			}
		}
		return p.leasesOf(l.Name)
	}
	source := names.Source{Leases: leasesOf, Neighbours: new(neighbourTable).of, Now: time.Now}
	return nameTable(names.New(machines, links, source).Entries()), nil
}

// leasesOf reads the leases of a link from its journal.
func (p paths) leasesOf(link string) iter.Seq[dhcp.Lease] {
	var list []dhcp.Lease
	for _, folder := range []string{p.state, p.runtime} {
		if file, err := os.Open(filepath.Join(folder, link+journalSuffix)); err == nil {
			list = append(list, dhcp.ReadLeases(file)...)
			file.Close()
		}
	}
	return slices.Values(list)
}
