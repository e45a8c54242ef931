package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Pool is what the DHCP server of the link has to give.
type Pool struct {
	Size    int      // how many clients may have an address at a time; 0: not known
	Holders []Holder // who has them

	Server   netip.Prefix   // the address of the server
	Offset   uint32         // PoolOffset=
	PoolSize uint32         // PoolSize=; 0: not said
	Sole     bool           // a link to one machine, which has one lease
	Name     string         // of the .network file, without directory and suffix, safe to print
	Wanted   []netip.Prefix // its addresses: 0.0.0.0/N stands for a free subnet
}

// Holder is who has an address.
type Holder struct {
	Address   netip.Addr
	Hardware  string // empty: not known
	Container string // empty: not known
	By        string // "its lease", "its Address="; empty: nothing but use
}

// who is the container, or else the hardware address.
func (h Holder) who() string {
	switch {
	case h.Container == "":
		return h.Hardware
	case h.Hardware == "":
		return "container " + h.Container
	}
	return "container " + h.Container + " (" + h.Hardware + ")"
}

// exhausted reports whether there is no address left.
func (p Pool) exhausted() bool { return p.Size > 0 && len(p.Holders) >= p.Size }

// maxListed bounds how many holders are named: a pool may have thousands.
const maxListed = 8

// none is the hop of a pool that is exhausted, which is no failure for a container that needs nothing of it.
func (f *Facts) none() Hop {
	p, link := f.Pool, f.Server.Name
	var words []string
	for _, h := range p.Holders[:min(len(p.Holders), maxListed)] {
		word := fmt.Sprintf("%v by %s", h.Address, h.who())
		if h.By == "" {
			word += " without a lease"
		}
		words = append(words, word)
	}
	if more := len(p.Holders) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("and %d others", more))
	}
	all := "the only address that DHCP may give on " + link + " is taken"
	if p.Size > 1 {
		all = fmt.Sprintf("all %d addresses that DHCP may give on %s are taken", p.Size, link)
	}
	text := fmt.Sprintf("no answer to a DHCPDISCOVER from %s: %s: %s", f.Inside.Interface, all, strings.Join(words, ", "))
	if f.Fixed {
		return unknown("%s; the container needs none, by its Address=", text)
	}
	return fail(p.grow(), "%s", text)
}

// A pool may have that many addresses (systemd.network(5), and the server's own bound), a subnet these prefix lengths.
const (
	maxPool   = 1 << 16
	minSubnet = 8
)

// grow is how the link gets more: of the subnet that it has, or of a larger one.
func (p Pool) grow() string {
	bits := p.Server.Bits()
	most := p.most(bits)
	if p.Sole || p.PoolSize > 0 && p.PoolSize < most {
		return p.write(fmt.Sprintf(`[DHCPServer]\nPoolSize=%d\n`, most))
	}
	at := slices.IndexFunc(p.Wanted, func(w netip.Prefix) bool {
		return w == p.Server || w.Addr() == netip.IPv4Unspecified() && w.Bits() == bits
	})
	if at < 0 || bits <= minSubnet {
		return "networkd-lite leases; " + readLog
	}
	text := `[Network]\nAddress=\n`
	for i, w := range p.Wanted {
		if i == at {
			w = netip.PrefixFrom(w.Addr(), bits-1)
		}
		text += fmt.Sprintf(`Address=%v\n`, w)
	}
	if p.PoolSize > 0 {
		text += fmt.Sprintf(`[DHCPServer]\nPoolSize=%d\n`, p.most(bits-1))
	}
	return p.write(text)
}

// most is how many addresses a pool in a subnet may have.
func (p Pool) most(bits int) uint32 {
	return uint32(min(maxPool, uint64(1)<<(32-bits)-1-uint64(max(p.Offset, 1))))
}

// write is the command that writes a drop-in of the file, behind those that there are.
func (p Pool) write(text string) string {
	if p.Name == "" {
		return "write in the .network file: printf '" + text + "'; systemctl reload networkd-lite"
	}
	folder := "/etc/systemd/network/" + p.Name + ".network.d"
	return fmt.Sprintf("mkdir -p %s && printf '%s' >%[1]s/zz-pool.conf && systemctl reload networkd-lite", folder, text)
}

// conflict looks for others who have the address of the container.
func conflict(f *Facts) Hop {
	if len(f.Inside.Addresses) == 0 {
		return unknown("not tried")
	}
	name, own := f.Inside.Interface, f.Inside.Addresses[0].Addr()
	if len(f.Rivals) == 0 {
		return ok("%v is nobody else's", own)
	}
	rival := f.Rivals[0]
	if rival.By == "" {
		return fail("networkd-lite leases; ip neighbour show "+own.String(), "%s has %v, which %s uses, too", name, own, rival.who())
	}
	return fail(f.startClient(), "%s has %v, which is that of %s by %s", name, own, rival.who(), rival.By)
}
