package network

import (
	"errors"
	"fmt"
	"testing"
)

func TestHostForwarding(t *testing.T) {
	mac := HardwareAddr{2, 0, 0, 0, 0, 1}
	links := []Link{
		{Index: 1, Name: "lo"}, {Index: 2, Name: "eth0", HardwareAddr: mac}, {Index: 3, Name: "eth1", HardwareAddr: mac},
		{Index: 4, Name: "ve-a", Kind: "veth", HardwareAddr: mac}, {Index: 5, Name: "br0", Kind: "bridge", HardwareAddr: mac},
		{Index: 6, Name: "docker0", Kind: "bridge", HardwareAddr: mac},
	}
	off := sysctlTable{
		"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0", "net/ipv6/conf/lo/accept_ra": "1",
		"net/ipv6/conf/eth0/accept_ra": "1", "net/ipv6/conf/eth1/accept_ra": "0", "net/ipv6/conf/ve-a/accept_ra": "1",
		"net/ipv6/conf/br0/accept_ra": "1", "net/ipv6/conf/docker0/accept_ra": "1",
	}
	on := sysctlTable{"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1", "net/ipv6/conf/eth0/accept_ra": "1"}
	routes := func() ([]Route, error) {
		return []Route{{Link: 3, Advertised: true}, {Link: 4, Advertised: true}, {Link: 5, Advertised: true}, {Link: 5}, {Link: 6}}, nil
	}
	broken := func() ([]Route, error) { return nil, errors.New("no") }
	for _, test := range []struct {
		name     string
		families Families
		sysctls  sysctlTable
		routes   func() ([]Route, error)
		want     string
	}{
		{"nothing", Families{}, off, broken, "[] <nil>"},
		{"IPv4", Families{IPv4: true}, off, broken, "[{net/ipv4/ip_forward 1}] <nil>"},
		{"both", Families{true, true}, off, routes, "[{net/ipv4/ip_forward 1} {net/ipv6/conf/eth0/accept_ra 2} " +
			"{net/ipv6/conf/br0/accept_ra 2} {net/ipv6/conf/all/forwarding 1}] <nil>"},
		{"on already", Families{true, true}, on, broken, "[] <nil>"},
		{"no IPv6", Families{true, true}, sysctlTable{"net/ipv4/ip_forward": "0"}, broken, "[{net/ipv4/ip_forward 1}] <nil>"},
		{"routes unknown", Families{true, true}, off, broken, "[] no"},
	} {
		got, err := HostForwarding(test.families, links, test.routes, test.sysctls.get)
		if got := fmt.Sprint(got, err); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
