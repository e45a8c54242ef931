package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// NextHop is a next hop object of the kernel (ip-nexthop(8)) that a .network file asks for: [NextHop]. Routes name it by its ID.
type NextHop struct {
	ID        uint32     `json:"id"`
	IPv6      bool       `json:"ipv6,omitzero"`      // the family; a group has none
	Gateway   netip.Addr `json:"gateway,omitzero"`   // zero: the destination is on the link
	OnLink    bool       `json:"onLink,omitzero"`    // RTNH_F_ONLINK: the gateway need not be in a subnet of the link
	Blackhole bool       `json:"blackhole,omitzero"` // packets are dropped
	Group     []Member   `json:"group,omitzero"`     // of other next hops, by ID
	Link      int        `json:"link,omitzero"`      // index; 0: none, as for a blackhole or a group
	Protocol  uint8      `json:"protocol"`           // RTPROT_*: who set it
	Special   bool       `json:"special,omitzero"`   // it has what no [NextHop] asks for: encapsulation, or a group that is resilient
}

// Member is a next hop of a group.
type Member struct {
	ID     uint32 `json:"id"`
	Weight int    `json:"weight"` // from 1 to 255: its share of connections
}

// Equal reports whether the kernel would say the same of both.
func (n NextHop) Equal(other NextHop) bool { return reflect.DeepEqual(n, other) }

// remainsOf reports whether n is what the kernel has left of another one: it takes members out of groups when they go.
func (n NextHop) remainsOf(whole NextHop) bool {
	if len(whole.Group) == 0 {
		return n.Equal(whole)
	}
	left, all := n.Group, whole.Group
	n.Group, whole.Group = nil, nil
	return len(left) > 0 && n.Equal(whole) && !slices.ContainsFunc(left, func(m Member) bool { return !slices.Contains(all, m) })
}

// replaces reports whether the kernel can make n of another one, so that routes over it stay.
func (n NextHop) replaces(other NextHop) bool {
	return (len(n.Group) == 0) == (len(other.Group) == 0) && n.IPv6 == other.IPv6
}

// SortMembers puts the members of a group in the one order in which they are compared.
func SortMembers(group []Member) {
	slices.SortFunc(group, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
}

// HopByID returns the next hop with an ID.
func HopByID(list []NextHop, id uint32) (hop NextHop, ok bool) {
	i := slices.IndexFunc(list, func(n NextHop) bool { return n.ID == id })
	if i < 0 {
		return NextHop{}, false
	}
	return list[i], true
}

// NextHopsNow returns the next hops that a link can have at the moment, groups last: the kernel has none on a link without a carrier, and no
// group of such that are not there.
func (l Link) NextHopsNow(want, there []NextHop) []NextHop {
	var now []NextHop
	for _, n := range want {
		switch {
		case len(n.Group) > 0:
		case n.Blackhole:
			now = append(now, n)
		case l.Up && l.Carrier:
			n.Link = l.Index
			now = append(now, n)
		}
	}
	missing := func(m Member) bool {
		_, exists := HopByID(there, m.ID)
		_, comes := HopByID(now, m.ID)
		return !exists && !comes
	}
	for _, n := range want {
		if len(n.Group) > 0 && !slices.ContainsFunc(n.Group, missing) {
			now = append(now, n)
		}
	}
	return now
}

// NextHopDifference is what is to be done to next hops, in the order of the fields.
type NextHopDifference struct {
	Remove, Replace, Add []NextHop
	Taken                []NextHop // cannot be: others, which stay, have their IDs
}

// Empty reports whether nothing is to be done.
func (d NextHopDifference) Empty() bool { return len(d.Remove)+len(d.Replace)+len(d.Add) == 0 }

// DiffNextHops compares the next hops of the host with those that a link is to have, and can have now. ours are those that this program set
// earlier: others stay.
func DiffNextHops(there, want, now, ours []NextHop) NextHopDifference {
	var d NextHopDifference
	for _, n := range slices.Backward(ours) { // groups first
		found, ok := HopByID(there, n.ID)
		if _, wanted := HopByID(want, n.ID); ok && !wanted && found.remainsOf(n) {
			d.Remove = append(d.Remove, found)
		}
	}
	for _, n := range now {
		found, ok := HopByID(there, n.ID)
		known := ok && slices.ContainsFunc(ours, found.remainsOf)
		switch {
		case ok && found.Equal(n):
		case known && n.replaces(found):
			d.Replace = append(d.Replace, n)
		case known:
			d.Remove, d.Add = append(d.Remove, found), append(d.Add, n)
		case ok:
			d.Taken = append(d.Taken, n)
		default:
			d.Add = append(d.Add, n)
		}
	}
	return d
}

// String is the next hop as ip-nexthop(8) has it.
func (n NextHop) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "id %d", n.ID)
	for i, m := range n.Group {
		b.WriteString([]string{" group ", "/"}[min(i, 1)])
		if fmt.Fprintf(&b, "%d", m.ID); m.Weight != 1 {
			fmt.Fprintf(&b, ",%d", m.Weight)
		}
	}
	if !n.Gateway.IsValid() && len(n.Group) == 0 {
		b.WriteString(map[bool]string{true: " ipv6", false: " ipv4"}[n.IPv6])
	}
	if n.Gateway.IsValid() {
		fmt.Fprintf(&b, " via %v", n.Gateway)
	}
	if n.Blackhole {
		b.WriteString(" blackhole")
	}
	if n.OnLink {
		b.WriteString(" onlink")
	}
	return b.String()
}
