package network

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestDiffRoutes(t *testing.T) {
	route := func(destination string) StaticRoute {
		return StaticRoute{Destination: netip.MustParsePrefix(destination), Type: routeUnicast, Table: tableMain, Scope: scopeLink, Protocol: protocolStatic}
	}
	a, b, c, foreign := route("10.1.0.0/16"), route("10.2.0.0/16"), route("10.3.0.0/16"), route("10.4.0.0/16")
	gone := route("10.5.0.0/16")
	got := DiffRoutes([]StaticRoute{a, b, foreign}, []StaticRoute{b, c}, []StaticRoute{a, b, gone})
	if want := "{[10.1.0.0/16] [10.3.0.0/16]}"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if d := DiffRoutes([]StaticRoute{b, foreign}, []StaticRoute{b}, []StaticRoute{b}); !d.Empty() {
		t.Errorf("%v, want nothing", d)
	}
}

// A route from an address that is still checked for duplicates waits.
func TestRoutesNow(t *testing.T) {
	source := netip.MustParseAddr("2001:db8::1")
	routes := []StaticRoute{{Destination: netip.MustParsePrefix("2001:db8:1::/48"), PreferredSource: source}, {Destination: netip.MustParsePrefix("10.0.0.0/8")}}
	for _, test := range []struct {
		link Link
		want int
	}{
		{Link{}, 0}, {Link{Up: true}, 2}, {Link{Up: true, Unusable: []netip.Addr{source}}, 1},
	} {
		if got := test.link.RoutesNow(routes, nil); len(got) != test.want {
			t.Errorf("%+v: %v, want %d", test.link, got, test.want)
		}
	}
}

// Each way of a route is of a link that is up: that of the file, or one by its name, alternative name or index.
func TestHops(t *testing.T) {
	web, db := Link{Index: 3, Name: "ve-web", Up: true}, Link{Index: 4, Name: "ve-dbABCD", AltNames: []string{"ve-db-of-a-long-name"}, Up: true}
	gateway := netip.MustParseAddr("10.0.0.2")
	hop := func(name string) Hop { return Hop{Gateway: gateway, Interface: name, Weight: 7} }
	for _, test := range []struct {
		hops  []Hop
		links []Link
		want  string
	}{
		{[]Hop{hop("ve-db-of-a-long-name"), hop("")}, []Link{web, db}, "[nexthop via 10.0.0.2 dev 3 weight 7 nexthop via 10.0.0.2 dev 4 weight 7] true"},
		{[]Hop{hop("4"), hop("ve-web")}, []Link{web, db}, "[nexthop via 10.0.0.2 dev 3 weight 7 nexthop via 10.0.0.2 dev 4 weight 7] true"},
		{[]Hop{hop("ve-dbABCD")}, []Link{web, db}, "[nexthop via 10.0.0.2 dev 4 weight 1] true"},
		{[]Hop{hop("4")}, []Link{web}, "false"},
		{[]Hop{hop("4")}, []Link{web, {Index: 4}}, "false"},
	} {
		r, ok := StaticRoute{Hops: test.hops}.over(web, test.links)
		got := fmt.Sprint(ok)
		if ok {
			got = fmt.Sprint(r.Hops, ok)
		}
		if got != test.want {
			t.Errorf("%v: %s, want %s", test.hops, got, test.want)
		}
		if test.hops[0].Link != 0 {
			t.Error("the route of the file was changed")
		}
	}
}
