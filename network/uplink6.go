package network

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"
)

// addIPv6 adds the IPv6 servers and the search domains of systemd-networkd's or else systemd-resolved's state of the link.
func (u *Uplink) addIPv6(networkd, resolved string) {
	for _, key := range []struct{ state, name string }{{networkd, "DNS"}, {resolved, "SERVERS"}} {
		if len(u.DNS6) == 0 {
			u.DNS6 = servers6(words(key.state, key.name))
		}
	}
	for _, state := range []string{networkd, resolved} {
		if len(u.Domains) == 0 {
			u.Domains = searchDomains(words(state, "DOMAINS"))
		}
	}
}

// Uplink6 is Uplink with the DNS6 and Domains of resolv.conf(5) where the link has none.
func (h Host) Uplink6(name string) Uplink {
	u := h.Uplink(name)
	if name == ":none" {
		return u
	}
	if len(u.DNS6) == 0 {
		u.DNS6 = h.DNS6
	}
	if len(u.Domains) == 0 {
		u.Domains = h.Search
	}
	return u
}

// readResolver6 reads what resolv.conf(5) says beside IPv4 servers, of the servers that systemd-resolved got from its links or else of the
// host's own file.
func (h *Host) readResolver6(root fs.FS) {
	for _, path := range []string{"run/systemd/resolve/resolv.conf", "etc/resolv.conf"} {
		data, _ := fs.ReadFile(root, path)
		var nameservers []string
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			switch fields[0] {
			case "nameserver":
				nameservers = append(nameservers, fields[1])
			case "search", "domain":
				h.Search = searchDomains(fields[1:]) // the last one counts
			}
		}
		if h.DNS6 = servers6(nameservers); len(h.DNS6)+len(h.Search) > 0 {
			return
		}
	}
}

// words returns those of the KEY= lines of a state file.
func words(state, key string) []string {
	var list []string
	for line := range strings.Lines(state) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), key+"="); found {
			list = append(list, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return list
}

// servers6 returns the IPv6 addresses that a container can reach, too: not those on the loopback link or on any other one alone.
func servers6(words []string) []netip.Addr {
	var list []netip.Addr
	for _, word := range words {
		addr, err := netip.ParseAddr(word)
		usable := err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" && addr.IsGlobalUnicast()
		if usable && !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list[:min(len(list), maxNames)]
}

// searchDomains returns the words that are domains; "~example.com" is one for routing only (systemd.network(5), Domains=).
func searchDomains(words []string) []string {
	var list []string
	for _, word := range words {
		if domain := strings.TrimSuffix(word, "."); validDomain(domain) && !slices.Contains(list, domain) {
			list = append(list, domain)
		}
	}
	return list[:min(len(list), maxNames)]
}

// maxNames bounds the servers and the domains of the host that are passed on: an advertisement has to fit in one packet. resolv.conf(5)
// has room for three servers and six domains.
const maxNames = 6
