package resolved

import (
	"fmt"
	"net/netip"
	"testing"

	"nspawnkit/network"
	"nspawnkit/network/names"
)

func link(index int, name, address, suffix string) names.Link {
	l := network.Link{Index: index, Name: name, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix(address)}}
	return names.Link{Link: l, Suffix: suffix, Resolver: l.Addresses[1].Addr()}
}

func TestChoose(t *testing.T) {
	const suffix = "nspawn.internal"
	web, app, other := link(3, "ve-web", "10.1.0.1/28", suffix), link(4, "vz-app", "192.168.5.1/24", suffix), link(5, "ve-x", "10.2.0.1/16", "_dhcp")
	managed := link(2, "ve-managed", "10.3.0.1/28", suffix)
	managed.Resolver = netip.Addr{}
	const first = "[{{3 ve-web {[10.1.0.1] [~nspawn.internal ~5.168.192.in-addr.arpa] 2}} true} {{5 ve-x {[10.2.0.1] [~_dhcp ~2.10.in-addr.arpa] 2}} true}]"
	routes := Choose([]names.Link{managed, web, app, other}, nil)
	if got := fmt.Sprint(routes); got != first {
		t.Errorf("%s, want %s", got, first)
	}
	// An earlier choice stays, though another link would come first now.
	if got := fmt.Sprint(Choose([]names.Link{link(1, "ve-new", "10.9.0.1/28", suffix), web, app, other}, routes)); got != first {
		t.Errorf("with a new link %s, want %s", got, first)
	}
	const second = "[{{4 vz-app {[192.168.5.1] [~nspawn.internal ~5.168.192.in-addr.arpa] 2}} true}]"
	if got := fmt.Sprint(Choose([]names.Link{app, managed}, routes)); got != second {
		t.Errorf("without the link %s, want %s", got, second)
	}
	if got := Choose(nil, routes); len(got) != 0 {
		t.Errorf("without links %v", got)
	}
}

// What has to be reverted before it is told anew is not kept.
func TestKept(t *testing.T) {
	route := func(index int, on network.Tristate, unsigned bool) Route {
		return Route{network.LinkResolving{Index: index, Resolving: network.Resolving{DefaultRoute: on}}, unsigned}
	}
	old := route(3, network.No, true)
	for _, test := range []struct {
		now  Route
		want bool
	}{
		{old, true}, {route(3, network.Yes, true), true}, {route(3, network.Unset, true), false}, {route(3, network.No, false), false}, {route(4, network.No, true), false},
	} {
		if got := kept([]Route{test.now}, old); got != test.want {
			t.Errorf("%+v: %v, want %v", test.now, got, test.want)
		}
	}
}
