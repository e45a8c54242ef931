package network

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
)

// sysctlTable is what Diff and HostForwarding read.
type sysctlTable map[string]string

func (s sysctlTable) get(path string) (string, error) {
	value, ok := s[path]
	if !ok {
		return "", errors.New("no such sysctl")
	}
	return value + "\n", nil
}

func TestDesire(t *testing.T) {
	free, free6 := netip.MustParsePrefix("192.168.5.16/28"), netip.MustParsePrefix("fd00:1:2:3::/64")
	for _, test := range []struct{ network, want string }{
		{"Address=0.0.0.0/28\nIPMasquerade=both\nDHCPServer=yes",
			"{[{net/ipv6/conf/ve-a.b/accept_ra 0} {net/ipv6/conf/ve-a.b/addr_gen_mode 0}" +
				" {net/ipv4/conf/ve-a.b/forwarding 1} {net/ipv6/conf/ve-a.b/forwarding 1}]" +
				" [192.168.5.17/28] map[] [] [] {true true} {true true}}"},
		{"Address=10.0.0.1/24\nLinkLocalAddressing=no\nIPv6Forwarding=no",
			"{[{net/ipv6/conf/ve-a.b/accept_ra 0} {net/ipv6/conf/ve-a.b/addr_gen_mode 1} {net/ipv6/conf/ve-a.b/forwarding 0}]" +
				" [10.0.0.1/24] map[] [] [] {false false} {false false}}"},
		{"IPMasquerade=ipv4\nIPv4Forwarding=no",
			"{[{net/ipv6/conf/ve-a.b/accept_ra 0} {net/ipv6/conf/ve-a.b/addr_gen_mode 0} {net/ipv4/conf/ve-a.b/forwarding 0}]" +
				" [] map[] [] [] {true false} {false false}}"},
		{"Address=::/64\nIPv6SendRA=yes\n[IPv6Prefix]\nPrefix=fd00:9::/64\nAssign=yes\n[IPv6Prefix]\nPrefix=fd00:8::/64",
			"{[{net/ipv6/conf/ve-a.b/accept_ra 0} {net/ipv6/conf/ve-a.b/addr_gen_mode 0} {net/ipv6/conf/ve-a.b/forwarding 1}]" +
				" [fd00:1:2:3::1/64 fd00:9::ff:fe00:1/64] map[] [] [] {false false} {false false}}"},
		{"Address=::/80", "{[{net/ipv6/conf/ve-a.b/accept_ra 0} {net/ipv6/conf/ve-a.b/addr_gen_mode 0}]" +
			" [fd00:1:2:3::1/80] map[] [] [] {false false} {false false}}"},
	} {
		root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte("[Network]\n" + test.network)}}
		files, _ := ReadFiles(root, SearchPath())
		got := fmt.Sprint(Desire(Link{Name: "ve-a.b", HardwareAddr: HardwareAddr{2, 0, 0, 0, 0, 1}}, &files[0].Config, free, free6))
		if got != test.want {
			t.Errorf("%q:\ngot  %s\nwant %s", test.network, got, test.want)
		}
	}
}

func TestDiff(t *testing.T) {
	want := State{Addresses: prefixes("10.0.0.1/24"), Sysctls: []Sysctl{{"a", "1"}, {"b", "0"}, {"missing", "1"}}}
	sysctls := sysctlTable{"a": "0", "b": "0"}
	for _, test := range []struct {
		name       string
		up         bool
		has, ours  string
		difference string
	}{
		{"new link", false, "", "", "{[] [{a 1}] [10.0.0.1/24] true map[] map[]}"},
		{"after a restart", true, "10.0.0.1/24", "10.0.0.1/24", "{[] [{a 1}] [] false map[] map[]}"},
		{"another address of ours", true, "10.1.0.1/24", "10.1.0.1/24", "{[10.1.0.1/24] [{a 1}] [10.0.0.1/24] false map[] map[]}"},
		{"an address of somebody else", true, "10.1.0.1/24", "", "{[] [{a 1}] [10.0.0.1/24] false map[] map[]}"},
		{"ours has gone already", true, "", "10.1.0.1/24", "{[] [{a 1}] [10.0.0.1/24] false map[] map[]}"},
	} {
		l := Link{Up: test.up, Addresses: prefixes(test.has)}
		if got := fmt.Sprint(Diff(l, want, prefixes(test.ours), sysctls.get)); got != test.difference {
			t.Errorf("%s: got %s, want %s", test.name, got, test.difference)
		}
	}
}

func TestFirewall(t *testing.T) {
	var a, b Firewall
	for _, name := range []string{"vz-b", "ve-a", "ve-a"} {
		a.Add(name, Families{IPv4: true})
	}
	b.Add("ve-a", Families{true, true})
	x, y := a.Missing(b), b.Missing(a)
	got := fmt.Sprint(a.Masquerade4, a.Masquerade6, x.Masquerade4, x.Masquerade6, y.Masquerade4, y.Masquerade6)
	if want := "[ve-a vz-b] [] [vz-b] [] [] [ve-a]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadHost(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, test := range []struct {
		resolved, etc string
		want          string
	}{
		{"nameserver 9.9.9.9\nnameserver fe80::1\n", "nameserver 127.0.0.53\n", "[9.9.9.9]"},
		{"", "# nameserver 8.8.8.8\nnameserver 127.0.0.1\nnameserver 1.1.1.1 x\nsearch a\nnameserver", "[1.1.1.1]"},
		{"nameserver 127.0.0.1\n", "nameserver 0.0.0.0\n", "[]"},
	} {
		root := fstest.MapFS{"run/systemd/resolve/resolv.conf": file(test.resolved), "etc/resolv.conf": file(test.etc)}
		if got := fmt.Sprint(ReadHost(root).DNS); got != test.want {
			t.Errorf("%q, %q: got %s, want %s", test.resolved, test.etc, got, test.want)
		}
	}
}
