package doctor

import (
	"fmt"
	"net/netip"
	"strings"
)

// Decline is that the container's DHCP client gave an address back, since it found that somebody else uses it.
type Decline struct {
	Address netip.Addr // zero: it declined none, or got another one since
	Users   []Holder   // who uses it now, the host not among them
	HostBy  string     // the link by which the host has it, safe to print; empty: it has not
	Host    bool       // the host answers for it on the link: it has it, or a route of type local
}

// who says by whom the address is used.
func (d Decline) who() string {
	var words []string
	for _, u := range d.Users[:min(len(d.Users), maxListed)] {
		word := u.who() + " uses"
		if u.By != "" {
			word = "is that of " + u.who() + " by " + u.By
		}
		words = append(words, word)
	}
	switch {
	case d.HostBy != "":
		words = append(words, "the host has on "+d.HostBy)
	case d.Host:
		words = append(words, "the host answers ARP for")
	}
	if len(words) == 0 {
		return "somebody used, of whom nothing is heard now"
	}
	return strings.Join(words, ", and which ")
}

// declined is the hop of a container that has no address since it declined one. Where another one is offered it has to ask once more.
func (f *Facts) declined() Hop {
	d := f.Declined
	fix := fmt.Sprintf("networkd-lite leases; ip neighbour show %v", d.Address)
	switch {
	case f.DHCP.Offered.IsValid() && f.DHCP.Offered != d.Address:
		fix = fmt.Sprintf("systemctl --machine=%s restart systemd-networkd   # or whichever DHCP client it has: %v is offered now", f.Container, f.DHCP.Offered)
	case d.HostBy != "":
		fix = fmt.Sprintf("ip -4 address show to %v", d.Address)
	case d.Host:
		fix = fmt.Sprintf("ip route get %v", d.Address)
	}
	return fail(fix, "%s has no IPv4 address: the container's DHCP client declined %v, which %s", f.Inside.Interface, d.Address, d.who())
}
