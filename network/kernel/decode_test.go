package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// attribute writes one, filled up to 4 bytes.
func attribute(kind uint16, value ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func joined(parts ...[]byte) (b []byte) {
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

func named(kind uint16, name string) []byte { return attribute(kind, append([]byte(name), 0)...) }

// linkMessage is an RTM_NEWLINK of a veth.
func linkMessage() []byte {
	header := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(header[4:], 7)
	binary.NativeEndian.PutUint32(header[8:], unix.IFF_UP|unix.IFF_LOWER_UP)
	return joined(header, named(unix.IFLA_IFNAME, "ve-web"), attribute(unix.IFLA_MTU, binary.NativeEndian.AppendUint32(nil, 1400)...),
		attribute(unix.IFLA_ADDRESS, 2, 0, 0, 0, 0, 1), attribute(200, 1, 2, 3),
		attribute(unix.IFLA_LINKINFO|unix.NLA_F_NESTED, joined(named(unix.IFLA_INFO_KIND, "veth"), attribute(unix.IFLA_INFO_DATA, 1))...),
		attribute(unix.IFLA_PROP_LIST|unix.NLA_F_NESTED, joined(named(unix.IFLA_ALT_IFNAME, "ve-web-with-a-long-name"), named(unix.IFLA_ALT_IFNAME, "b"))...))
}

func TestDecodeLink(t *testing.T) {
	want := network.Link{
		Index: 7, Name: "ve-web", AltNames: []string{"ve-web-with-a-long-name", "b"}, Kind: "veth", Up: true, Carrier: true, MTU: 1400,
		HardwareAddr: network.HardwareAddr{2, 0, 0, 0, 0, 1},
	}
	if got, ok := decodeLink(linkMessage()); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	infiniband := joined(make([]byte, unix.SizeofIfInfomsg), named(unix.IFLA_IFNAME, "ib0"), attribute(unix.IFLA_ADDRESS, make([]byte, 20)...))
	if got, ok := decodeLink(infiniband); !ok || !reflect.DeepEqual(got, network.Link{Name: "ib0"}) {
		t.Errorf("hardware is %+v", got)
	}
	if _, ok := decodeLink(linkMessage()[:20]); ok {
		t.Error("a link without a name")
	}
}

// addressMessageOf is an RTM_NEWADDR of the link 7.
func addressMessageOf(bits, flags byte, attributes ...[]byte) []byte {
	return append([]byte{unix.AF_INET6, bits, flags, 0, 7, 0, 0, 0}, joined(attributes...)...)
}

func TestDecodeAddress(t *testing.T) {
	if binary.NativeEndian.Uint32([]byte{7, 0, 0, 0}) != 7 {
		t.Skip("messages of this test are little-endian")
	}
	ip6 := append([]byte{0xfe, 0x80}, make([]byte, 14)...)
	for want, message := range map[string][]byte{
		"7 10.0.0.1/28 true":     addressMessageOf(28, 0, attribute(unix.IFA_ADDRESS, 10, 0, 0, 1), attribute(unix.IFA_LOCAL, 10, 0, 0, 1)),
		"7 10.0.0.1/32 true":     addressMessageOf(32, 0, attribute(unix.IFA_ADDRESS, 10, 0, 0, 2), attribute(unix.IFA_LOCAL, 10, 0, 0, 1)),
		"7 fe80::/64 true":       addressMessageOf(64, unix.IFA_F_PERMANENT, attribute(unix.IFA_ADDRESS, ip6...)),
		"7 fe80::/64 false":      addressMessageOf(64, unix.IFA_F_TENTATIVE, attribute(unix.IFA_ADDRESS, ip6...)),
		"7 fe80::/63 false":      addressMessageOf(63, 0, attribute(unix.IFA_ADDRESS, ip6...), attribute(unix.IFA_FLAGS, unix.IFA_F_DADFAILED, 0, 0, 0)),
		"7 invalid Prefix false": addressMessageOf(28, 0, attribute(unix.IFA_LABEL, 0)),
		"0 invalid Prefix false": {1, 2, 3},
	} {
		index, prefix, usable := decodeAddress(message)
		if got := fmt.Sprint(index, " ", prefix, " ", usable); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(linkMessage())
	f.Add(addressMessageOf(28, 0, attribute(unix.IFA_LOCAL, 10, 0, 0, 1)))
	f.Add(joined([]byte{unix.AF_INET, 16, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, attribute(unix.RTA_MULTIPATH, joined(hop(9, 0, 1, attribute(unix.RTA_GATEWAY, 10, 0, 0, 2)), hop(7, 0, 0))...)))
	f.Add(append(make([]byte, unix.SizeofIfInfomsg), 3, 0, 3, 0, 0))
	f.Add(nextHopMessageOf(unix.AF_UNSPEC, 0, attribute(unix.NHA_ID, 9, 0, 0, 0), attribute(unix.NHA_GROUP, 7, 0, 0, 0, 1, 0, 0, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeLink(b)
		decodeAddress(b)
		decodeRoute(b)
		decodeNextHop(b)
	})
}

// hop is a struct rtnexthop with attributes.
func hop(link, flags, hops byte, attributes ...[]byte) []byte {
	inner := joined(attributes...)
	b := append(binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtNexthop+len(inner))), flags, hops)
	return append(binary.NativeEndian.AppendUint32(b, uint32(link)), inner...)
}

// Routes as the kernel says them.
func TestDecodeRoute(t *testing.T) {
	number := func(kind uint16, n uint32) []byte {
		return attribute(kind, binary.NativeEndian.AppendUint32(nil, n)...)
	}
	metrics := joined(number(unix.RTAX_LOCK, 1<<unix.RTAX_RTO_MIN), number(unix.RTAX_MTU, 1400), number(unix.RTAX_RTO_MIN, 1500), number(unix.RTAX_QUICKACK, 1),
		named(unix.RTAX_CC_ALGO, "reno"))
	via := append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), netip.MustParseAddr("2001:db8::2").AsSlice()...)
	for _, test := range []struct {
		message []byte
		want    string
	}{
		{joined([]byte{unix.AF_INET, 16, 0, 0, 254, 4, 0, 1, 4, 0, 0, 0}, attribute(unix.RTA_DST, 10, 9, 0, 0), attribute(unix.RTA_VIA, via...),
			number(unix.RTA_TABLE, 254), number(unix.RTA_OIF, 7), number(unix.RTA_PRIORITY, 5), attribute(unix.RTA_PREFSRC, 10, 0, 0, 1),
			attribute(unix.RTA_METRICS|unix.NLA_F_NESTED, metrics...)),
			"7 10.9.0.0/16 via 2001:db8::2 src 10.0.0.1 metric 5 onlink mtu 1400 rto_min lock 1500ms quickack 1 congctl reno true"},
		{joined([]byte{unix.AF_INET6, 0, 48, 0, 254, 16, 0, 7, 0, 0, 0, 0}, attribute(unix.RTA_SRC, netip.MustParseAddr("2001:db8::").AsSlice()...),
			number(unix.RTA_OIF, 1), number(unix.RTA_PRIORITY, 1024), attribute(unix.RTA_PREF, 3)),
			"0 unreachable default from 2001:db8::/48 metric 1024 proto dhcp pref low true"},
		{joined([]byte{unix.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, attribute(unix.RTA_MULTIPATH, 0)), "false"},
		{joined([]byte{unix.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, attribute(unix.RTA_MULTIPATH, joined(
			hop(9, unix.RTNH_F_ONLINK, 19, attribute(unix.RTA_GATEWAY, 10, 0, 0, 2)), hop(7, 0, 255, attribute(unix.RTA_VIA, via...)), hop(8, 0, 0))...)),
			"0 default nexthop via 2001:db8::2 dev 7 weight 256 nexthop dev 8 weight 1 nexthop via 10.0.0.2 dev 9 weight 20 onlink true"},
		{joined([]byte{unix.AF_INET, 16, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, attribute(unix.RTA_DST, 10, 9, 0, 0), number(routeNextHop, 9), number(unix.RTA_OIF, 7),
			attribute(unix.RTA_GATEWAY, 10, 0, 0, 2)), "0 10.9.0.0/16 nhid 9 true"},
		{[]byte{unix.AF_MPLS, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}, "false"},
		{[]byte{unix.AF_INET}, "false"},
	} {
		link, route, ok := decodeRoute(test.message)
		got := fmt.Sprint(ok)
		if ok {
			got = fmt.Sprint(link, " ", route, " ", ok)
		}
		if got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// nextHopMessageOf is an RTM_NEWNEXTHOP of who set static routes.
func nextHopMessageOf(family, flags byte, attributes ...[]byte) []byte {
	return append([]byte{family, 0, unix.RTPROT_STATIC, 0, flags, 0, 0, 0}, joined(attributes...)...)
}

// Next hops as the kernel says them; one that does more than [NextHop] can say is never taken for ours.
func TestDecodeNextHop(t *testing.T) {
	if binary.NativeEndian.Uint32([]byte{7, 0, 0, 0}) != 7 {
		t.Skip("messages of this test are little-endian")
	}
	id, link := attribute(unix.NHA_ID, 9, 0, 0, 0), attribute(unix.NHA_OIF, 7, 0, 0, 0)
	group := attribute(unix.NHA_GROUP, 5, 0, 0, 0, 19, 0, 0, 0, 4, 0, 0, 0, 255, 1, 0, 0)
	for _, test := range []struct {
		message []byte
		want    string
	}{
		{nextHopMessageOf(unix.AF_INET, unix.RTNH_F_ONLINK, id, link, attribute(unix.NHA_GATEWAY, 10, 0, 0, 2)), "id 9 via 10.0.0.2 onlink 7 false true"},
		{nextHopMessageOf(unix.AF_INET6, 0, id, link), "id 9 ipv6 7 false true"},
		{nextHopMessageOf(unix.AF_INET, 0, id, attribute(unix.NHA_BLACKHOLE)), "id 9 ipv4 blackhole 0 false true"},
		{nextHopMessageOf(unix.AF_UNSPEC, 0, id, group, attribute(unix.NHA_GROUP_TYPE, 0, 0)), "id 9 group 4,512/5,20 0 false true"},
		{nextHopMessageOf(unix.AF_UNSPEC, 0, id, group, attribute(unix.NHA_GROUP_TYPE, 1, 0)), "id 9 group 4,512/5,20 0 true true"},
		{nextHopMessageOf(unix.AF_UNSPEC, 0, id, group, attribute(forwardingDatabase)), "id 9 group 4,512/5,20 0 true true"},
		{nextHopMessageOf(unix.AF_INET, 0, id, link, attribute(unix.NHA_ENCAP_TYPE, 1, 0)), "id 9 ipv4 7 true true"},
		{nextHopMessageOf(unix.AF_INET, 0, link), "id 0 ipv4 7 false false"},
		{[]byte{unix.AF_INET}, "id 0 ipv4 0 false false"},
	} {
		n, ok := decodeNextHop(test.message)
		if got := fmt.Sprint(n, " ", n.Link, " ", n.Special, " ", ok); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
