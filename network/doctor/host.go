package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Sysctls returns the paths of the kernel parameters that are wanted for packets that come in through the link.
func Sysctls(link string) []string {
	return []string{"net/ipv4/ip_forward", "net/ipv4/conf/" + link + "/forwarding"}
}

func forwarding(f *Facts) Hop {
	if !f.Server.Exists {
		return unknown("not tried")
	}
	for _, path := range Sysctls(f.Server.Name) {
		if value, known := f.Sysctls[path]; known && value != "1" {
			return fail("sysctl -w "+path+"=1; grep -r forward /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d", "sysctl %s is %s: the host forwards nothing", path, value)
		}
	}
	return ok("the host forwards packets")
}

// reversePath looks at what becomes of the container's source address: rp_filter=1 and the nft table of ours drop packets that the
// host would answer through another link.
func reversePath(f *Facts) Hop { return f.reverse(f.Inside.Addresses, f.ReverseLink) }

// reverse looks at the way back to the first of the addresses, which is through a link.
func (f *Facts) reverse(addresses []netip.Prefix, link string) Hop {
	if len(addresses) == 0 || !f.Server.Exists {
		return unknown("not tried")
	}
	own := addresses[0].Addr()
	switch link {
	case f.Server.Name:
		return ok("the host answers %v through %s", own, f.Server.Name)
	case "":
		return fail("ip route add "+own.String()+" dev "+f.Server.Name, "the host has no route to %v: it drops what comes from there", own)
	}
	return fail("ip route get "+own.String()+"; networkd-lite renumber "+f.Server.Name,
		"the host would answer %v through %s, not %s: it drops what comes from there", own, link, f.Server.Name)
}

func masquerade(f *Facts) Hop {
	s := f.Server.Status
	return f.masquerades(s != nil && s.Masquerade, f.Table.Masquerades)
}

// masquerades compares what is wanted with what there is.
func (f *Facts) masquerades(wanted, there bool) Hop {
	s := f.Server.Status
	switch {
	case s == nil || !f.Table.Known:
		return unknown("not known")
	case s.Owner == "systemd-networkd":
		return unknown("systemd-networkd's: nft list table inet io.systemd.nat")
	case !f.Table.Exists:
		return fail("systemctl reload networkd-lite", "the nft table inet nspawnkit is gone: somebody has flushed it")
	case wanted && !there:
		return fail("systemctl reload networkd-lite", "%s is missing in the nft table inet nspawnkit: somebody has changed it", f.Server.Name)
	case !wanted:
		return ok("none, as %s says", s.File)
	}
	return ok("packets of %s leave with the host's address", f.Server.Name)
}

// chains returns those that drop what comes in to the host, or what is forwarded.
func chains(all []Foreign, input bool) []Foreign {
	return slices.DeleteFunc(slices.Clone(all), func(c Foreign) bool { return c.Input != input })
}

func firewall(f *Facts) Hop { return f.forwards(f.Foreign, f.lost()) }

// forwards looks at the chains of others; lost: packets of the container get lost.
func (f *Facts) forwards(all []Foreign, lost bool) Hop {
	chains := chains(all, false)
	if !f.Link.Exists {
		return unknown("not tried")
	}
	if len(chains) == 0 {
		return ok("nobody else drops what is forwarded")
	}
	var names []string
	for _, c := range chains {
		names = append(names, fmt.Sprintf("%s (%s)", c.Chain, c.Rule))
	}
	text := strings.Join(names, ", ")
	if !chains[0].Certain && !lost {
		return ok("%s lets the container's packets through", text)
	}
	return fail(chains[0].Allow, "%s drops the container's packets", text)
}

// lost reports whether packets of the container get lost on the host: what answers the host does not answer the container.
func (f *Facts) lost() bool {
	return !slices.ContainsFunc(f.Outside, func(p Path) bool { return p.Inside == Answer }) &&
		slices.ContainsFunc(f.Outside, func(p Path) bool { return p.Host == Answer && p.Inside == Silence })
}

func outside(f *Facts) Hop {
	if i := slices.IndexFunc(f.Outside, func(p Path) bool { return p.Inside == Answer }); i >= 0 {
		return ok("%s answers the container", f.Outside[i].Target)
	}
	tried := ""
	for _, p := range f.Outside {
		if p.Inside == NotTried {
			continue
		}
		if p.Host == Answer {
			return fail("nft list ruleset; tcpdump -ni any host "+p.Target, "%s answers the host, but not the container", p.Target)
		}
		tried = p.Target
	}
	if tried != "" {
		return unknown("%s does not answer ping, from the host neither", tried)
	}
	return unknown("not tried")
}

func dns(f *Facts) Hop {
	if f.DHCP.Offered.IsValid() && len(f.DHCP.DNS) == 0 {
		return fail("write DNS= in [DHCPServer] of a .network file, or nameserver in /etc/resolv.conf", "DHCP names no DNS server: the host has none that a container could reach")
	}
	return answers(f.DNS)
}

// answers looks at the DNS servers that were asked.
func answers(asked []Path) Hop {
	var silent []string
	for _, p := range asked {
		switch {
		case p.Inside == Answer:
			return ok("%s answers the container", p.Target)
		case p.Inside != NotTried:
			silent = append(silent, p.Target)
		}
	}
	if len(silent) == 0 {
		return unknown("not tried")
	}
	servers := strings.Join(silent, ", ")
	if slices.ContainsFunc(asked, func(p Path) bool { return p.Host == Answer }) {
		return fail("nft list ruleset; tcpdump -ni any port 53", "%s answers questions of the host, but not of the container", servers)
	}
	return fail("cat /etc/resolv.conf; resolvectl status", "%s answers no DNS question, of the host neither", servers)
}

func ports(f *Facts) Hop { return published(f.Ports) }

// published looks at the ports that were tried.
func published(ports []Port) Hop {
	if len(ports) == 0 {
		return unknown("none is published")
	}
	var fine []string
	for _, p := range ports {
		name := fmt.Sprintf("tcp:%d:%d", p.Host, p.Container)
		switch {
		case p.Inside == Refused:
			return fail("ss -tln (in the container)", "port %s: nothing listens on TCP port %d in the container", name, p.Container)
		case p.Inside == Silence:
			return fail("nft list ruleset (in the container)", "port %s: TCP port %d of the container does not answer the host", name, p.Container)
		case p.Inside == Answer && p.Published != Answer && p.Published != NotTried:
			return fail("networkd-lite ports", "port %s: the container answers, but TCP port %d of the host gives %s", name, p.Host, p.Published)
		case p.Inside == Answer:
			fine = append(fine, name)
		}
	}
	if len(fine) == 0 {
		return unknown("not tried")
	}
	return ok("%s answers", strings.Join(fine, ", "))
}
