package kernel

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// What the kernel says of links and addresses is decoded here and not by a library, since all of it is read whenever one of hundreds of links
// changes: the libraries make an object of every attribute, and each message has some sixty.

// dump asks for everything of a kind.
func (k *Links) dump(kind netlink.HeaderType, request []byte) ([]netlink.Message, error) {
	return k.dumps.Execute(netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump}, Data: request})
}

// linkRequest is a struct ifinfomsg of all links, and IFLA_EXT_MASK, so that the counters are left out.
func linkRequest() []byte {
	const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h
	request := make([]byte, unix.SizeofIfInfomsg, unix.SizeofIfInfomsg+8)
	request = binary.NativeEndian.AppendUint16(request, 8)
	request = binary.NativeEndian.AppendUint16(request, unix.IFLA_EXT_MASK)
	return binary.NativeEndian.AppendUint32(request, skipStatistics)
}

// attributes yields the attributes of a netlink message (netlink(7)), up to one of a wrong length.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofNlAttr {
			length, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
			if length < unix.SizeofNlAttr || length > len(b) || !yield(kind&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofNlAttr:length]) {
				return
			}
			b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
		}
	}
}

// decodeLink reads an RTM_NEWLINK message (rtnetlink(7)).
func decodeLink(b []byte) (l network.Link, ok bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return l, false
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	l.Index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	l.Up, l.Carrier = flags&unix.IFF_UP != 0, flags&unix.IFF_LOWER_UP != 0
	for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch {
		case kind == unix.IFLA_IFNAME:
			l.Name = text(value)
		case kind == unix.IFLA_ADDRESS && len(value) == len(l.HardwareAddr):
			l.HardwareAddr = network.HardwareAddr(value)
		case kind == unix.IFLA_MTU && len(value) >= 4:
			l.MTU = int(binary.NativeEndian.Uint32(value))
		case kind == unix.IFLA_LINKINFO:
			for inner, value := range attributes(value) {
				if inner == unix.IFLA_INFO_KIND {
					l.Kind = text(value)
				}
			}
		case kind == unix.IFLA_PROP_LIST:
			for inner, value := range attributes(value) {
				if inner == unix.IFLA_ALT_IFNAME {
					l.AltNames = append(l.AltNames, text(value))
				}
			}
		}
	}
	return l, l.Name != ""
}

// decodeAddress reads an RTM_NEWADDR message. The prefix has the address of the host: IFA_LOCAL, where IFA_ADDRESS is the other end's
// (rtnetlink(7)). Packets can come from a usable one: duplicate address detection has ended well.
func decodeAddress(b []byte) (index int, prefix netip.Prefix, usable bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return 0, netip.Prefix{}, false
	}
	flags, index := uint32(b[2]), int(binary.NativeEndian.Uint32(b[4:]))
	var local, address netip.Addr
	for kind, value := range attributes(b[unix.SizeofIfAddrmsg:]) {
		switch {
		case kind == unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case kind == unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(value)
		case kind == unix.IFA_FLAGS && len(value) >= 4:
			flags = binary.NativeEndian.Uint32(value)
		}
	}
	if local.IsValid() {
		address = local
	}
	if !address.IsValid() {
		return index, netip.Prefix{}, false
	}
	return index, netip.PrefixFrom(address.Unmap(), int(b[1])), flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
}

// text is a string that ends with NUL.
func text(b []byte) string {
	if n := len(b); n > 0 && b[n-1] == 0 {
		b = b[:n-1]
	}
	return string(b)
}
