// Package names knows what the containers of the host are called and which addresses they have, and who may know of whom.
//
// A container's name is that of the machine whose link it is, as nspawn-exec has written it down: what a container says of itself, in
// DHCP's host name option or elsewhere, counts for nothing. So it cannot take another's name. The package stands beside network, which
// decides about links, and dns, which answers questions; it opens nothing.
package names

import (
	"bytes"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/dns"
	"nspawnkit/network"
)

// Link is a link whose containers have names.
type Link struct {
	network.Link
	Suffix string // domain of the names, in lower case
	// Resolver is the address at which the host's own resolver may ask; zero: none, as no server runs there or the link is
	// systemd-networkd's, which would take the setting back.
	Resolver netip.Addr
}

// Suffix returns the domain of the names on the links of a .network file.
func Suffix(file *network.File) string {
	if domain := file.Config.Server.LocalLeaseDomain; domain != "" {
		return domain
	}
	return dns.DefaultSuffix
}

// Directory is what is known at one moment: which containers there are. What addresses they have it asks leases each time.
type Directory struct {
	links  []Link
	source Source

	byName  map[string][]place
	byLink  map[string][]place
	subnets []netip.Prefix      // of all links
	access  map[string][]string // the bridges of the zones that a container reaches from elsewhere, by its name

	// Conflicts says which containers cannot be found by their name, and why.
	Conflicts []string
}

// place is one end of a link: where a container is.
type place struct {
	name     string // of the container, in lower case
	link     *Link
	hardware net.HardwareAddr // nil on a link to one container only: whoever is there is it
}

// Source tells which addresses there are at the moment. Its functions may be called from several goroutines.
type Source struct {
	// Leases lists what the DHCP server of a link has given out.
	Leases func(network.Link) iter.Seq[dhcp.Lease]
	// Neighbours lists who was heard of on the link with that index.
	Neighbours func(index int) []network.Neighbour
	Now        func() time.Time
}

// New makes a directory of the containers on links.
func New(machines network.Machines, links []Link, source Source) *Directory {
	d := &Directory{links: links, source: source, byName: map[string][]place{}, byLink: map[string][]place{}, access: map[string][]string{}}
	owner := map[string]string{}
	for i := range machines {
		d.addMachine(&machines[i], owner)
	}
	for i := range links {
		if l := &links[i]; len(d.byLink[l.Name]) == 0 && strings.HasPrefix(l.Name, network.VethPrefix) {
			d.addForeign(l, owner)
		}
	}
	d.subnets = subnetsOf(links)
	return d
}

// addMachine adds a container with all its links. owner has the machine of each name, which two can share but for upper case.
func (d *Directory) addMachine(m *network.Machine, owner map[string]string) {
	name := strings.ToLower(m.Name)
	if !d.claim(name, m.Name, owner) {
		return
	}
	for _, end := range m.Links {
		p := place{name: name}
		link := end.Host
		if end.Bridge != "" {
			link = end.Bridge
			hardware, err := net.ParseMAC(end.ContainerMAC)
			if err != nil || len(hardware) != 6 {
				continue
			}
			p.hardware = hardware
		}
		d.add(link, p)
	}
	for _, zone := range m.ZoneAccess {
		d.access[name] = append(d.access[name], network.ZoneBridgeName(zone))
	}
	if _, known := d.byName[name]; !known {
		delete(owner, name)
	}
}

// addForeign adds the container of a link that nobody has written anything about: one of systemd-nspawn itself, which calls the link
// by the machine.
func (d *Directory) addForeign(l *Link, owner map[string]string) {
	full := l.Name
	for _, alternative := range l.AltNames {
		if strings.HasPrefix(alternative, network.VethPrefix) {
			full = alternative
		}
	}
	machine := strings.TrimPrefix(full, network.VethPrefix)
	if name := strings.ToLower(machine); d.claim(name, machine, owner) {
		d.add(l.Name, place{name: name})
	}
}

// claim takes a name for a machine, the first that comes.
func (d *Directory) claim(name, machine string, owner map[string]string) bool {
	switch other, taken := owner[name]; {
	case dns.Reserved(name):
		d.Conflicts = append(d.Conflicts, "container "+machine+" cannot be found by its name, which means something else")
		return false
	case taken:
		d.Conflicts = append(d.Conflicts, "container "+machine+" cannot be found by its name, which differs from that of "+other+" in upper case only")
		return false
	}
	owner[name] = machine
	return true
}

func (d *Directory) add(link string, p place) {
	for i := range d.links {
		if d.links[i].Name == link {
			p.link = &d.links[i]
			d.byName[p.name] = append(d.byName[p.name], p)
			d.byLink[link] = append(d.byLink[link], p)
			return
		}
	}
}

// maxNeighbours bounds the addresses of a container that are taken from who was heard of: a container can take any number.
const maxNeighbours = 16

// addresses lists those that the container has at a place: what the DHCP server has given it, and where that gives nothing (IPv6), those
// in the subnets of the link under which it was heard of.
func (d *Directory) addresses(p place) []netip.Addr {
	var list []netip.Addr
	for lease := range d.source.Leases(p.link.Link) {
		if p.is(lease.Hardware) && lease.Expires.After(d.source.Now()) {
			list = append(list, lease.Address)
		}
	}
	leased := len(list)
	for _, n := range d.source.Neighbours(p.link.Index) {
		if p.is(n.Hardware) && (n.Address.Is6() || leased == 0) && p.link.holds(n.Address) && len(list) < leased+maxNeighbours {
			list = append(list, n.Address)
		}
	}
	return list
}

// holds reports whether a container on the link may have the address.
func (l *Link) holds(address netip.Addr) bool {
	return !address.IsLinkLocalUnicast() && slices.ContainsFunc(l.Addresses, func(a netip.Prefix) bool {
		return a.Contains(address) && a.Addr() != address
	})
}

// is reports whether a hardware address is that of the container at the place.
func (p place) is(hardware [6]byte) bool {
	return p.hardware == nil || bytes.Equal(p.hardware, hardware[:])
}

// Entry is one address of a container.
type Entry struct {
	Name      string     `json:"name"`      // "web.nspawn.internal"
	Address   netip.Addr `json:"address"`   // "192.168.177.55"
	Container string     `json:"container"` // "web"
	Link      string     `json:"link"`      // "ve-web"
}

// Entries lists everything, by name, link and address.
func (d *Directory) Entries() []Entry {
	list := []Entry{}
	for _, places := range d.byName {
		for _, p := range places {
			for _, address := range d.addresses(p) {
				list = append(list, Entry{p.name + "." + p.link.Suffix, address, p.name, p.link.Name})
			}
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := strings.Compare(a.Link, b.Link); c != 0 {
			return c
		}
		return a.Address.Compare(b.Address)
	})
	return list
}
