package names

import (
	"net/netip"
	"slices"
	"strings"

	"nspawnkit/dns"
	"nspawnkit/network"
)

// Zone returns what the clients of a link may know; nil if the link is not of the directory.
//
// Who cannot be reached is not named either: a zone knows its own containers, those with a link of their own know each other.
func (d *Directory) Zone(link string) *dns.Zone {
	for i := range d.links {
		if l := &d.links[i]; l.Name == link {
			z := &dns.Zone{Suffix: l.Suffix, Subnets: d.subnets(), Hosts: view{d, l}}
			for _, a := range l.Addresses {
				z.Self = append(z.Self, a.Addr())
				z.Clients = append(z.Clients, a.Masked())
			}
			return z
		}
	}
	return nil
}

// HostZone returns what the host itself may know under the names of a link, at the link's own addresses: everything.
func (d *Directory) HostZone(link string) *dns.Zone {
	z := d.Zone(link)
	if z == nil {
		return nil
	}
	z.Hosts = view{d, nil}
	z.Clients = nil
	for _, self := range z.Self {
		z.Clients = append(z.Clients, netip.PrefixFrom(self, self.BitLen()))
	}
	return z
}

// subnets are those of all links.
func (d *Directory) subnets() []netip.Prefix {
	var list []netip.Prefix
	for i := range d.links {
		for _, a := range d.links[i].Addresses {
			list = append(list, a.Masked())
		}
	}
	return list
}

// view is what may be known on a link; nil: on the host. It is a [dns.Hosts].
type view struct {
	directory *Directory
	link      *Link
}

// sees reports whether what is on another link may be known here.
func (v view) sees(other *Link) bool {
	return v.link == nil || other.Name == v.link.Name ||
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
