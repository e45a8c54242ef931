package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func silent6(f *Facts) {
	f.IPv6 = IPv6{Advertises: true, Forwards: true, WayOut: true, Advertisement: Advertisement{Tried: true}}
}

func lost6(f *Facts) { f.IPv6.Outside[0] = Path{"2001:db8::53", Answer, Silence} }

// withoutIPv6 leaves the addresses of IPv4.
func (l *Link) withoutIPv6() {
	l.Addresses = slices.DeleteFunc(slices.Clone(l.Addresses), func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// Each case breaks one thing of IPv6; the golden files have the lines about it, and what fails first. What is off because somebody wants
// it so fails nowhere.
func TestExamineIPv6(t *testing.T) {
	chain := Foreign{Chain: "nft chain ip6 filter forward", Rule: "policy drop", Allow: "nft insert …"}
	input := chain
	input.Input = true
	for name, breaks := range map[string]func(f *Facts){
		"switched off": func(f *Facts) {
			f.IPv6 = IPv6{Off: "sysctl net/ipv6/conf/ve-web/disable_ipv6 is 1"}
			f.Server.withoutIPv6()
		},
		"no address":             func(f *Facts) { silent6(f); f.Server.withoutIPv6() },
		"link-local alone":       func(f *Facts) { f.Server.Addresses = f.Server.Addresses[:2] },
		"nobody advertises":      silent6,
		"input is dropped":       func(f *Facts) { silent6(f); f.IPv6.Foreign = []Foreign{input} },
		"not to advertise":       func(f *Facts) { silent6(f); f.IPv6.Advertises = false },
		"networkd's":             func(f *Facts) { silent6(f); f.Server.Status = &Status{Owner: "systemd-networkd"} },
		"another router":         func(f *Facts) { f.IPv6.Advertisement.Router = netip.MustParseAddr("fe80::bad") },
		"no prefix":              func(f *Facts) { f.IPv6.Advertisement.Prefixes, f.IPv6.Inside = nil, Inside6{} },
		"off inside":             func(f *Facts) { f.IPv6.Inside = Inside6{Off: "disable_ipv6 is 1"} },
		"ignores advertisements": func(f *Facts) { f.IPv6.Inside = Inside6{Ignores: true} },
		"takes no address":       func(f *Facts) { f.IPv6.Inside = Inside6{} },
		"duplicate": func(f *Facts) {
			f.IPv6.Inside = Inside6{Duplicates: []netip.Addr{netip.MustParseAddr("fd00:1::2")}}
		},
		"no default route":      func(f *Facts) { f.IPv6.Inside.Router = netip.Addr{} },
		"no router":             func(f *Facts) { f.IPv6.Inside.Router, f.IPv6.Advertisement.Default = netip.Addr{}, false },
		"another default route": func(f *Facts) { f.IPv6.Inside.Router = netip.MustParseAddr("fd00:1::99") },
		"host is silent":        func(f *Facts) { f.IPv6.Gateway.Answers, f.IPv6.Gateway.Neighbour = false, false },
		"host answers no ping":  func(f *Facts) { f.IPv6.Gateway.Answers = false },
		"no forwarding":         func(f *Facts) { f.Sysctls[forwardingAll6] = "0" },
		"not to be forwarded": func(f *Facts) {
			f.Sysctls[forwardingAll6], f.IPv6.Forwards = "0", false
			lost6(f)
		},
		"another way back":      func(f *Facts) { f.IPv6.ReverseLink = "tun0" },
		"not masqueraded":       func(f *Facts) { f.Table.Masquerades6 = false },
		"not to be masqueraded": func(f *Facts) { f.Server.Status.Masquerade6 = false; lost6(f) },
		"forward is dropped":    func(f *Facts) { lost6(f); f.IPv6.Foreign = []Foreign{chain} },
		"forward could drop":    func(f *Facts) { f.IPv6.Foreign = []Foreign{chain} },
		"lost":                  lost6,
		"rejected":              func(f *Facts) { f.IPv6.Outside[0] = Path{"2001:db8::53", Answer, Refused} },
		"refused to all":        func(f *Facts) { f.IPv6.Outside[0] = Path{"2001:db8::53", Refused, Refused} },
		"nobody answers":        func(f *Facts) { f.IPv6.Outside[0] = Path{"2001:db8::53", Silence, Silence} },
		"no way out":            func(f *Facts) { f.IPv6.WayOut, f.IPv6.Outside = false, nil },
		"nobody to ask":         func(f *Facts) { f.IPv6.Outside = nil },
		"no DNS server":         func(f *Facts) { f.IPv6.Advertisement.DNS, f.IPv6.DNS = nil, nil },
		"DNS is silent":         func(f *Facts) { f.IPv6.DNS[0] = Path{"fd00:1::1", Silence, Silence} },
		"IPv4 alone":            func(f *Facts) { f.IPv6.Ports[0].Inside = Refused },
		"nothing listens":       func(f *Facts) { f.Ports, f.IPv6.Ports[0].Inside = nil, Refused },
		"not published":         func(f *Facts) { f.IPv6.Ports[0].Published = Refused },
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			breaks(facts)
			report := Examine(facts)
			_, text, _ := strings.Cut(report.String(), " ports ")
			_, text, _ = strings.Cut(text, "\n")
			golden(t, "ipv6-"+strings.Map(fileName, name), text+"first: "+report.Failed+"\n")
		})
	}
}
