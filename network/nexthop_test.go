package network

import (
	"fmt"
	"net/netip"
	"testing"
)

// What differs is replaced in place where the kernel can, and what is of others stays, with its ID.
func TestDiffNextHops(t *testing.T) {
	via := func(id uint32, gateway string) NextHop {
		a := netip.MustParseAddr(gateway)
		return NextHop{ID: id, Gateway: a, IPv6: a.Is6(), Link: 3, Protocol: protocolStatic}
	}
	group := func(id uint32, members ...uint32) NextHop {
		n := NextHop{ID: id, Protocol: protocolStatic}
		for _, m := range members {
			n.Group = append(n.Group, Member{m, 1})
		}
		return n
	}
	resilient := group(5, 1, 2)
	resilient.Special = true
	one, two, both := via(1, "10.0.0.2"), via(2, "10.0.0.3"), group(5, 1, 2)
	for _, test := range []struct {
		name              string
		there, want, ours []NextHop
		difference        string
	}{
		{"new", nil, []NextHop{one, both}, nil, "{[] [] [id 1 via 10.0.0.2 id 5 group 1/2] []}"},
		{"there", []NextHop{one, both}, []NextHop{one, both}, nil, "{[] [] [] []}"},
		{"gone from the file", []NextHop{one, two, both}, []NextHop{two}, []NextHop{one, two, both}, "{[id 5 group 1/2 id 1 via 10.0.0.2] [] [] []}"},
		{"another gateway", []NextHop{one}, []NextHop{via(1, "10.0.0.9")}, []NextHop{one}, "{[] [id 1 via 10.0.0.9] [] []}"},
		{"another family", []NextHop{one}, []NextHop{via(1, "fe80::2")}, []NextHop{one}, "{[id 1 via 10.0.0.2] [] [id 1 via fe80::2] []}"},
		{"a group now", []NextHop{one, two}, []NextHop{two, group(1, 2)}, []NextHop{one, two}, "{[id 1 via 10.0.0.2] [] [id 1 group 2] []}"},
		{"what is left of a group", []NextHop{one, group(5, 1)}, []NextHop{one, both}, []NextHop{one, both}, "{[] [id 5 group 1/2] [] []}"},
		{"what is left of a group, gone from the file", []NextHop{group(5, 1)}, nil, []NextHop{both}, "{[id 5 group 1] [] [] []}"},
		{"taken", []NextHop{two, via(1, "10.0.0.9")}, []NextHop{one}, nil, "{[] [] [] [id 1 via 10.0.0.2]}"},
		{"replaced by somebody", []NextHop{via(1, "10.0.0.9")}, []NextHop{one}, []NextHop{one}, "{[] [] [] [id 1 via 10.0.0.2]}"},
		{"replaced by somebody, gone from the file", []NextHop{via(1, "10.0.0.9"), resilient, group(6, 2)}, nil, []NextHop{one, both, group(6, 1)}, "{[] [] [] []}"},
		{"the same but for more", []NextHop{resilient}, []NextHop{both}, []NextHop{both}, "{[] [] [] [id 5 group 1/2]}"},
	} {
		if got := DiffNextHops(test.there, test.want, test.want, test.ours); fmt.Sprint(got) != test.difference {
			t.Errorf("%s: %v, want %s", test.name, got, test.difference)
		}
	}
	// What cannot be now, as there is no carrier, is no reason to remove what is left of it.
	if d := DiffNextHops([]NextHop{group(5, 2)}, []NextHop{one, both}, nil, []NextHop{one, both}); !d.Empty() {
		t.Errorf("%v, want nothing", d)
	}
}

// Next hops wait for the carrier, and groups for all of their next hops.
func TestNextHopsNow(t *testing.T) {
	want := []NextHop{{ID: 1, Group: []Member{{2, 1}, {9, 1}}}, {ID: 2}, {ID: 3, Blackhole: true}}
	for _, test := range []struct {
		link  Link
		there []NextHop
		want  string
	}{
		{Link{Index: 7}, []NextHop{{ID: 9}}, "[id 3 ipv4 blackhole]"},
		{Link{Index: 7, Up: true}, []NextHop{{ID: 9}}, "[id 3 ipv4 blackhole]"},
		{Link{Index: 7, Up: true, Carrier: true}, nil, "[id 2 ipv4 id 3 ipv4 blackhole]"},
		{Link{Index: 7, Up: true, Carrier: true}, []NextHop{{ID: 9}}, "[id 2 ipv4 id 3 ipv4 blackhole id 1 group 2/9]"},
	} {
		got := test.link.NextHopsNow(want, test.there)
		if fmt.Sprint(got) != test.want {
			t.Errorf("%+v: %v, want %s", test.link, got, test.want)
		}
		for _, n := range got {
			if link := map[uint32]int{2: 7}[n.ID]; n.Link != link {
				t.Errorf("%v is of link %d, want %d", n, n.Link, link)
			}
		}
	}
}
