package doctor

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// healthy are the facts of a container whose network is as it should be.
func healthy() *Facts {
	address := netip.MustParsePrefix("10.0.0.1/28")
	host6 := netip.MustParsePrefix("fd00:1::1/64")
	link := Link{Name: "ve-web", Exists: true, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), address, host6},
		Status: &Status{Owner: "networkd-lite", File: "/etc/80.network", DHCPServer: true, DNSServer: []netip.Addr{address.Addr()}, Masquerade: true, Masquerade6: true}}
	return &Facts{
		Container: "web", Running: true, Link: link, Server: link,
		Inside:      Inside{Found: true, Interface: "host0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/28")}, Router: address.Addr()},
		DHCP:        DHCP{Tried: true, Offered: netip.MustParseAddr("10.0.0.2"), Server: address.Addr(), DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
		Gateway:     Reachable{Tried: true, Address: address.Addr(), Answers: true, Neighbour: true},
		Sysctls:     map[string]string{"net/ipv4/ip_forward": "1", "net/ipv4/conf/ve-web/forwarding": "1", "net/ipv6/conf/all/forwarding": "1"},
		ReverseLink: "ve-web",
		Table:       Table{Known: true, Exists: true, Masquerades: true, Masquerades6: true},
		Outside:     []Path{{Target: "192.0.2.1", Inside: Answer}},
		Resolvers:   []Resolver{{Address: netip.MustParseAddr("192.0.2.53"), Result: Answer}},
		DNS:         []Path{{Target: "192.0.2.53", Inside: Answer}},
		Ports:       []Port{{Host: 8080, Container: 80, Inside: Answer, Published: Answer}},
		IPv6: IPv6{
			Advertises: true, Forwards: true, WayOut: true, ReverseLink: "ve-web",
			Inside: Inside6{Addresses: []netip.Prefix{netip.MustParsePrefix("fd00:1::2/64")}, Router: netip.MustParseAddr("fe80::1")},
			Advertisement: Advertisement{Tried: true, Router: netip.MustParseAddr("fe80::1"), Default: true,
				Prefixes: []netip.Prefix{host6.Masked()}, DNS: []netip.Addr{host6.Addr()}},
			Gateway: Reachable{Tried: true, Address: host6.Addr(), Answers: true, Neighbour: true},
			Outside: []Path{{Target: "2001:db8::53", Inside: Answer}},
			DNS:     []Path{{Target: "fd00:1::1", Inside: Answer}},
			Ports:   []Port{{Host: 8080, Container: 80, Inside: Answer, Published: Answer}},
		},
	}
}

func lostOutside(f *Facts) { f.Outside[0] = Path{"192.0.2.1", Answer, Silence} }

// Each case breaks one thing; the golden file has what is said, and what fails first.
func TestExamine(t *testing.T) {
	chain := Foreign{Chain: "nft chain inet filter forward", Rule: "policy drop", Allow: "nft insert …"}
	for name, breaks := range map[string]func(f *Facts){
		"healthy":               func(*Facts) {},
		"nothing":               func(f *Facts) { *f = Facts{} },
		"no container":          func(f *Facts) { *f = Facts{Container: "web", Running: true} },
		"not running":           func(f *Facts) { f.Running, f.Server.Status = false, nil },
		"link down":             func(f *Facts) { f.Link.Up = false },
		"no bridge":             func(f *Facts) { f.Server = Link{} },
		"bridge down":           func(f *Facts) { f.Server.Name, f.Server.Up = "vz-app", false },
		"failed":                func(f *Facts) { f.Server.Status.Failed, f.Server.Status.Text = true, "add address: no" },
		"nobody's":              func(f *Facts) { f.Server.Status = &Status{} },
		"networkd's":            func(f *Facts) { f.Server.Status = &Status{Owner: "systemd-networkd"} },
		"no carrier":            func(f *Facts) { f.Link.Carrier = false },
		"no address":            func(f *Facts) { f.Server.Addresses = slices.Delete(slices.Clone(f.Server.Addresses), 1, 2) },
		"DHCP is silent":        func(f *Facts) { f.DHCP = DHCP{Tried: true} },
		"DHCP is off":           func(f *Facts) { f.DHCP = DHCP{Tried: true}; f.Server.Status.DHCPServer = false },
		"input is dropped":      func(f *Facts) { f.DHCP = DHCP{Tried: true}; chain.Input = true; f.Foreign = []Foreign{chain} },
		"no process":            func(f *Facts) { f.Inside, f.DHCP, f.Gateway = Inside{}, DHCP{}, Reachable{} },
		"no client":             func(f *Facts) { f.Inside.Addresses = nil },
		"no client, no DHCP":    func(f *Facts) { f.Inside.Addresses, f.DHCP = nil, DHCP{} },
		"no default route":      func(f *Facts) { f.Inside.Router = netip.Addr{} },
		"host is silent":        func(f *Facts) { f.Gateway.Answers, f.Gateway.Neighbour = false, false },
		"host answers no ping":  func(f *Facts) { f.Gateway.Answers = false },
		"no forwarding":         func(f *Facts) { f.Sysctls["net/ipv4/ip_forward"] = "0" },
		"link does not forward": func(f *Facts) { f.Sysctls["net/ipv4/conf/ve-web/forwarding"] = "0" },
		"no way back":           func(f *Facts) { f.ReverseLink = "" },
		"another way back":      func(f *Facts) { f.ReverseLink = "tun0" },
		"table is gone":         func(f *Facts) { f.Table = Table{Known: true} },
		"not masqueraded":       func(f *Facts) { f.Table.Masquerades = false },
		"not to be masqueraded": func(f *Facts) { f.Server.Status.Masquerade = false },
		"forward is dropped":    func(f *Facts) { lostOutside(f); chain.Input = false; f.Foreign = []Foreign{chain} },
		"forward could drop":    func(f *Facts) { chain.Input = false; f.Foreign = []Foreign{chain} },
		"lost":                  lostOutside,
		"nobody answers ping":   func(f *Facts) { f.Outside[0] = Path{"192.0.2.1", Silence, Silence} },
		"no DNS server":         func(f *Facts) { f.DHCP.DNS, f.DNS = nil, nil },
		"DNS is silent":         func(f *Facts) { f.DNS[0] = Path{"192.0.2.53", Refused, Refused} },
		"DNS for the host only": func(f *Facts) { f.DNS[0] = Path{"192.0.2.53", Answer, Silence} },
		"nothing listens":       func(f *Facts) { f.Ports[0].Inside = Refused },
		"container is silent":   func(f *Facts) { f.Ports[0].Inside = Silence },
		"not published":         func(f *Facts) { f.Ports[0].Published = Refused },
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			breaks(facts)
			report := Examine(facts)
			golden(t, strings.Map(fileName, name), report.String()+"first: "+report.Failed+"\n")
		})
	}
}

func fileName(r rune) rune {
	if strings.ContainsRune("', ", r) {
		return '-'
	}
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Whatever is not known, there is a report about every hop.
func TestExamineKnowsNothing(t *testing.T) {
	for _, f := range []*Facts{{}, {Container: "web"}, {Link: Link{Exists: true}}, {Server: Link{Exists: true}}, {Inside: Inside{Found: true}}} {
		for _, hop := range Examine(f).Hops {
			if hop.Text == "" || hop.State == Fail && hop.Fix == "" {
				t.Errorf("%+v: %+v", f, hop)
			}
		}
	}
}

func TestMarked(t *testing.T) {
	report := Report{Hops: []Hop{{Name: "link", State: OK, Text: "is there"}, {Name: "nat", State: Fail, Text: "is not", Fix: "do"}}}
	mark := func(sign string) func(string) string { return func(text string) string { return sign + text + sign } }
	want := "+ok   + link        is there\n-FAIL - nat         is not\n             try: do\n"
	if got := report.Marked(mark("+"), mark("-")); got != want {
		t.Errorf("%q", got)
	}
}
