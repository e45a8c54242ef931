package kernel

import (
	"encoding/binary"
	"fmt"
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
	f.Add(append(make([]byte, unix.SizeofIfInfomsg), 3, 0, 3, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeLink(b)
		decodeAddress(b)
	})
}
