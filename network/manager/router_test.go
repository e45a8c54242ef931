package manager

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/network"
	"nspawnkit/network/ra"
)

// openRouter notes in h.advertise what is said; a withdrawal is noted when it is over.
func (h *host) openRouter(l network.Link, a *ra.Advertisement, failed func(error)) (func(error), error) {
	if h.openErr != nil {
		return nil, h.openErr
	}
	says := "+" + l.Name
	for _, p := range a.Prefixes {
		says += " " + p.Prefix.String()
	}
	h.advertise = append(h.advertise, fmt.Sprint(says, a.DNS, a.Domains))
	h.routerFailed = failed
	return func(cause error) {
		if errors.Is(cause, ra.ErrWithdrawn) {
			h.advertise = append(h.advertise, "-"+l.Name)
		}
	}, nil
}

// advertised compares what routers did since the last call.
func (h *host) advertised(want ...string) {
	h.t.Helper()
	if !slices.Equal(h.advertise, want) {
		h.t.Errorf("router advertisements %q, want %q", h.advertise, want)
	}
	h.advertise = nil
}

const routerFile = "[Match]\nName=ve-*\n[Network]\nAddress=::/64\nIPv6SendRA=yes\n[IPv6SendRA]\nDNS=_link_local fd00::53\nDomains=example.org\n"

const (
	ulaPrefix = "fd61:2067:6c6f:eb13::/64"
	ulaSays   = "+ve-web " + ulaPrefix + "[fe80::1 fd00::53] [example.org]"
	ulaLog    = "<6>ve-web: fd61:2067:6c6f:eb13::1/64, router advertisements"
)

// newRouter returns a host whose links get IPv6 only, and the daemon that made ve-web a router's link.
func newRouter(t *testing.T) (*host, *Manager) {
	h := newHost(t)
	h.files = fstest.MapFS{"etc/systemd/network/10.network": {Data: []byte(routerFile)}}
	h.add(3, "ve-web", "veth")
	m := h.start()
	h.look(m, ulaLog)
	h.advertised() // no link-local address yet
	h.links[0].LinkLocal = netip.MustParseAddr("fe80::1")
	h.look(m, "")
	h.advertised(ulaSays)
	return h, m
}

func TestRouterLife(t *testing.T) {
	h, m := newRouter(t)
	h.look(m, "")
	h.advertised()
	h.links[0].MTU = 1400
	h.look(m, "")
	h.advertised(ulaSays) // anew, without a withdrawal
	h.links[0].LinkLocal = netip.Addr{}
	h.look(m, "")
	h.advertised("-ve-web")
	h.links[0].LinkLocal = netip.MustParseAddr("fe80::1")
	h.look(m, "")
	h.advertised(ulaSays)

	h.remove(3)
	h.add(4, "ve-web", "veth")
	h.links[0].LinkLocal = netip.MustParseAddr("fe80::1")
	h.look(m, "<6>ve-web: gone\n"+ulaLog) // the same prefix
	h.advertised(ulaSays)
	if s := m.Status().Links[0]; !s.RouterAdvertisements || s.Prefix != ulaPrefix {
		t.Errorf("status %+v", s)
	}
	h.managed[4] = true
	h.look(m, "<6>ve-web: left to systemd-networkd")
	h.advertised("-ve-web")
}

// The prefix is the same after a restart; hosts are not told that the router goes meanwhile.
func TestRouterRestart(t *testing.T) {
	h, m := newRouter(t)
	m.stopServers()
	h.advertised()
	h.look(h.start(), ulaLog)
	h.advertised(ulaSays)

	m.stopServers()
	h.saved[PrefixesFile] = []byte("{torn") // the link still carries its prefix
	m = h.start()
	if string(h.saved[PrefixesFile+".bad"]) != "{torn" || !strings.Contains(strings.Join(h.log, ""), "kept as prefixes.json.bad") {
		t.Errorf("the torn file is lost, said %q", h.log)
	}
	h.look(m, ulaLog)
}

func TestRouterFailures(t *testing.T) {
	h, m := newRouter(t)
	h.links[0].MTU = 1400
	h.openErr = errors.New("no")
	h.look(m, "<3>ve-web: router advertisements: no")

	h, m = newRouter(t)
	h.routerFailed(errors.New("network is down"))
	h.routerFailed(errors.New("again"))
	h.look(m, "<3>ve-web: router advertisements: network is down")
	h.now = h.now.Add(longestWait)
	h.look(m, ulaLog)
	h.advertised(ulaSays)
}

// On a host without IPv6 the rest works.
func TestWithoutIPv6(t *testing.T) {
	h := newHost(t)
	h.files["usr/lib/nspawnkit/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[Network]\nAddress=::/64\nIPv6SendRA=yes\n")}
	h.sysctls["net/ipv6/conf/ve-web/disable_ipv6"] = "1\n"
	h.add(3, "ve-web", "veth")
	m := h.start()
	h.look(m, forwarding+configured+", no IPv6 (sysctl net/ipv6/conf/ve-web/disable_ipv6=1)", serving)
	h.sysctls["net/ipv6/conf/ve-web/disable_ipv6"] = "0\n"
	h.links[0].LinkLocal = netip.MustParseAddr("fe80::1")
	h.look(m, "<6>ve-web: 192.168.177.49/28, fd61:2067:6c6f:eb13::1/64, DHCP server, router advertisements, masquerading")
	h.advertised("+ve-web " + ulaPrefix + "[] []")
}

// A prefix is free of everything that the host has and the files promise.
func TestPrefixClash(t *testing.T) {
	taken := netip.MustParsePrefix(ulaPrefix)
	for name, occupy := range map[string]func(h *host){
		"address": func(h *host) {
			h.links = append(h.links, network.Link{Index: 2, Name: "eth0", Addresses: []netip.Prefix{taken}})
		},
		"route": func(h *host) { h.routes6 = []network.Route{{Destination: taken, Link: 2}} },
		"file": func(h *host) {
			h.files["etc/systemd/network/90.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=eth9\n[Network]\nAddress=" + ulaPrefix)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.files = fstest.MapFS{"etc/systemd/network/10.network": {Data: []byte(routerFile)}}
			h.add(3, "ve-web", "veth")
			occupy(h)
			h.look(h.start(), "<6>ve-web: fd61:2067:6c6f:eb14::1/64, router advertisements")
		})
	}
}

// Containers hear of the DNS server of the link, unless the file names others; as long as that has no IPv6 address, of none.
func TestRouterNames(t *testing.T) {
	uplink := network.Host{DNS6: []netip.Addr{netip.MustParseAddr("2001:db8::53")}, Search: []string{"example.org"}}
	local := netip.MustParseAddr("fe80::1")
	for _, test := range []struct{ file, serves, want string }{
		{"", "192.168.177.49 fd00::1 fe80::1", "[fd00::1] [example.org nspawn.internal]"},
		{"", "192.168.177.49 fe80::1", "[fe80::1] [example.org nspawn.internal]"},
		{"", "192.168.177.49", "[] [example.org nspawn.internal]"},
		{"", "", "[2001:db8::53] [example.org]"},
		{"EmitDNS=no", "fd00::1", "[] [example.org]"},
		{"EmitDomains=no", "fd00::1", "[fd00::1] []"},
		{"Domains=a.example", "fd00::1", "[fd00::1] [a.example]"},
		{"DNS=2001:db8::1", "fd00::1", "[2001:db8::1] [example.org]"},
		{"UplinkInterface=:none", "fd00::1", "[] []"},
	} {
		root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte("[Network]\nIPv6SendRA=yes\n[IPv6SendRA]\n" + test.file)}}
		files, _ := network.ReadFiles(root, network.SearchPath())
		l := &link{suffix: "nspawn.internal"}
		l.LinkLocal, l.state.Addresses = local, []netip.Prefix{netip.MustParsePrefix("192.168.177.49/28"), netip.MustParsePrefix("fd00::1/64")}
		for word := range strings.FieldsSeq(test.serves) {
			l.names = append(l.names, &nameServer{address: netip.MustParseAddr(word)})
		}
		s := &files[0].Config.SendRA
		a := s.Advertisement(l.Link, netip.Prefix{}, uplink.Uplink6)
		l.advertiseNames(a, s)
		if got := fmt.Sprint(a.DNS, a.Domains); got != test.want {
			t.Errorf("%q, serving %s: got %s, want %s", test.file, test.serves, got, test.want)
		}
	}
}
