package names

import (
	"net/netip"
	"slices"
	"strings"

	"nspawnkit/dns"
	"nspawnkit/network"
)

// Zone returns what a client of a link may know; of a link that is not of the directory, nobody may ask. A client with an address of the
// host is the host itself: the kernel lets nobody else have it (martian sources), and brings what the host sends to its own address of a
// link to sockets that are bound to that link.
//
// Who cannot be reached is not named either: a zone knows its own containers, those with a link of their own know each other, and who has
// access to another zone knows that, too.
func (d *Directory) Zone(link string, client netip.Addr) *dns.Zone {
	at := slices.IndexFunc(d.links, func(l Link) bool { return l.Name == link })
	if at < 0 {
		return &dns.Zone{Hosts: view{directory: d}}
	}
	z := d.zone(&d.links[at])
	if slices.Contains(z.Self, client.Unmap()) {
		z.Hosts, z.Closed = view{directory: d}, true // everything, and it has others to ask for the rest
		return z
	}
	for _, p := range d.byLink[link] {
		if zones := d.access[p.name]; len(zones) > 0 && slices.Contains(d.addresses(p), client.Unmap()) {
			z.Hosts = view{d, p.link, zones}
		}
	}
	return z
}

// zone is made for each question: most links ask none, and there are hundreds.
func (d *Directory) zone(l *Link) *dns.Zone {
	z := &dns.Zone{Suffix: l.Suffix, Subnets: d.subnets, Hosts: view{directory: d, link: l}}
	for _, a := range l.Addresses {
		z.Clients = append(z.Clients, a.Masked())
		if own(a) {
			z.Self = append(z.Self, a.Addr())
		}
	}
	return z
}

// own reports whether an address of a link is one that the host is known by: a link-local one is of no use without the link's name.
func own(a netip.Prefix) bool { return !a.Addr().IsLinkLocalUnicast() }

func subnetsOf(links []Link) []netip.Prefix {
	var list []netip.Prefix
	for i := range links {
		for _, a := range links[i].Addresses {
			list = append(list, a.Masked())
		}
	}
	return list
}

// view is what may be known on a link; nil: on the host. It is a [dns.Hosts].
type view struct {
	directory *Directory
	link      *Link
	zones     []string // bridges of other zones that may be known
}

// sees reports whether what is on another link may be known here.
func (v view) sees(other *Link) bool {
	return v.link == nil || other.Name == v.link.Name || slices.Contains(v.zones, other.Name) ||
		strings.HasPrefix(v.link.Name, network.VethPrefix) && strings.HasPrefix(other.Name, network.VethPrefix)
}

// Addresses is part of [dns.Hosts]. Those on the link itself come first.
func (v view) Addresses(name string) (addresses []netip.Addr, exists bool) {
	for _, p := range v.directory.byName[name] {
		if !v.sees(p.link) {
			continue
		}
		exists = true
		at := len(addresses)
		if v.link != nil && p.link.Name == v.link.Name {
			at = 0
		}
		addresses = slices.Insert(addresses, at, v.directory.addresses(p)...)
	}
	return addresses, exists
}

// Name is part of [dns.Hosts].
func (v view) Name(address netip.Addr) (name string, exists bool) {
	for i := range v.directory.links {
		l := &v.directory.links[i]
		if !v.sees(l) || !slices.ContainsFunc(l.Addresses, func(a netip.Prefix) bool { return a.Contains(address) }) {
			continue
		}
		for _, p := range v.directory.byLink[l.Name] {
			if slices.Contains(v.directory.addresses(p), address) {
				return p.name, true
			}
		}
	}
	return "", false
}

// Serves reports whether an address is one of the host on the links.
func (d *Directory) Serves(address netip.Addr) bool {
	for i := range d.links {
		if slices.ContainsFunc(d.links[i].Addresses, func(a netip.Prefix) bool { return own(a) && a.Addr() == address }) {
			return true
		}
	}
	return false
}
