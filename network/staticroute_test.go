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
		if got := test.link.RoutesNow(routes); len(got) != test.want {
			t.Errorf("%+v: %v, want %d", test.link, got, test.want)
		}
	}
}
