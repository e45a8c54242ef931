package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Each case has another program at a port; the golden file has the lines about what it keeps from working, and what fails first.
func TestExamineBesidePrograms(t *testing.T) {
	everywhere := func(f *Facts, port uint16, p Program) {
		f.Listeners = append(f.Listeners, Listener{Program: p, Port: port, Address: netip.IPv4Unspecified()})
	}
	onLink := func(f *Facts, p Program) {
		f.Listeners = append(f.Listeners, Listener{Program: p, Port: dhcpPort, Address: netip.IPv4Unspecified(), OnLink: true})
	}
	dnsmasq := Program{"dnsmasq", 12, "dnsmasq.service"}
	noNames := func(f *Facts) { f.Server.Status.DNSServer = nil }
	for name, breaks := range map[string]func(f *Facts){
		"port 67":        func(f *Facts) { everywhere(f, dhcpPort, dnsmasq) },
		"port 67 silent": func(f *Facts) { everywhere(f, dhcpPort, dnsmasq); f.DHCP = DHCP{Tried: true} },
		"offer of dnsmasq": func(f *Facts) {
			everywhere(f, dhcpPort, dnsmasq)
			f.DHCP.Server, f.DHCP.ServerIsHost = netip.MustParseAddr("192.0.2.7"), true
		},
		"offer of another machine": func(f *Facts) { f.DHCP.Server = netip.MustParseAddr("10.0.0.3") },
		"offer through a relay":    func(f *Facts) { f.DHCP.Server, f.DHCP.Relayed = netip.MustParseAddr("192.0.2.7"), true },
		"port 53":                  func(f *Facts) { noNames(f); everywhere(f, dnsPort, dnsmasq) },
		"port 53 of named":         func(f *Facts) { noNames(f); everywhere(f, dnsPort, Program{"named", 13, "named.service"}) },
		"port 53 of unbound":       func(f *Facts) { noNames(f); everywhere(f, dnsPort, Program{"unbound", 14, ""}) },
		"port 53 of somebody":      func(f *Facts) { noNames(f); everywhere(f, dnsPort, Program{}) },
		"port 53 of the address": func(f *Facts) {
			noNames(f)
			everywhere(f, dnsPort, dnsmasq)
			f.Listeners[0].Address = netip.MustParseAddr("10.0.0.1")
		},
		"port 53 of another": func(f *Facts) {
			noNames(f)
			everywhere(f, dnsPort, dnsmasq)
			f.Listeners[0].Address = netip.MustParseAddr("10.9.0.1")
		},
		"no DHCP server, no names": func(f *Facts) { noNames(f); f.Server.Status.DHCPServer = false },
		"second networkd-lite":     func(f *Facts) { onLink(f, Program{"networkd-lite", 15, "systemd-nspawn@router.service"}) },
		"second without a unit":    func(f *Facts) { onLink(f, Program{"networkd-lite", 15, ""}) },
		"second has gone":          func(f *Facts) { onLink(f, Program{}) },
		"networkd, too":            func(f *Facts) { onLink(f, Program{networkdName, 16, "systemd-networkd.service"}) },
		"networkd alone": func(f *Facts) {
			f.Server.Status.Owner = "systemd-networkd"
			onLink(f, Program{networkdName, 16, "systemd-networkd.service"})
		},
		"networkd failed":           func(f *Facts) { f.Server.Status.Owner, f.Server.Status.Failed = "systemd-networkd", true },
		"networkd without a server": func(f *Facts) { f.Server.Status.Owner, f.DHCP = "systemd-networkd", DHCP{Tried: true} },
		"networkd silent": func(f *Facts) {
			f.Server.Status.Owner, f.Server.Status.File, f.DHCP = "systemd-networkd", "", DHCP{Tried: true}
			onLink(f, Program{networkdName, 16, "systemd-networkd.service"})
		},
		"networkd and a second":     func(f *Facts) { f.Server.Status.Owner = "systemd-networkd"; onLink(f, dnsmasq) },
		"networkd without our file": func(f *Facts) { f.Server.Status.Owner = "systemd-networkd"; noNames(f) },
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			breaks(facts)
			report := Examine(facts)
			golden(t, "programs-"+strings.Map(fileName, name), only(report, "owner", "dhcp", "names")+"first: "+report.Failed+"\n")
		})
	}
}

// only is the text of some hops.
func only(r Report, names ...string) string {
	r.Hops = slices.DeleteFunc(slices.Clone(r.Hops), func(h Hop) bool { return !slices.Contains(names, h.Name) })
	return r.String()
}
