package kernel

import (
	"math"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// addAddress gives a link an address, with the prefix route and, for IPv4, the broadcast address that go with it, as far as the settings do
// not say otherwise.
func addAddress(index int, a netip.Prefix, s network.AddressSettings) error {
	request := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	message := addressMessage(request, index, a, s)
	message.Scope = s.Scope
	if s.Flags != 0 {
		request.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(s.Flags)))
	}
	switch {
	case !a.Addr().Is4() || s.NoBroadcast:
	case s.Broadcast.IsValid():
		request.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, s.Broadcast.AsSlice()))
	case a.Bits() < 31 && !s.Peer.IsValid(): // RFC 3021: a /31 has none
		request.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, broadcast(a)))
	}
	if s.Label != "" {
		request.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(s.Label)))
	}
	if s.Deprecated {
		lifetimes := nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Prefered: 0, Valid: math.MaxUint32}}
		request.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, lifetimes.Serialize()))
	}
	if s.RouteMetric != 0 {
		request.AddData(nl.NewRtAttr(unix.IFA_RT_PRIORITY, nl.Uint32Attr(s.RouteMetric)))
	}
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// deleteAddress takes an address from a link. With a peer the kernel knows it by that.
func deleteAddress(index int, a netip.Prefix, s network.AddressSettings) error {
	request := nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK)
	addressMessage(request, index, a, s)
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// addressMessage begins a request about an address.
func addressMessage(request *nl.NetlinkRequest, index int, a netip.Prefix, s network.AddressSettings) *nl.IfAddrmsg {
	message := nl.NewIfAddrmsg(unix.AF_INET6)
	if a.Addr().Is4() {
		message.Family = unix.AF_INET
	}
	message.Prefixlen, message.Index = uint8(a.Bits()), uint32(index)
	request.AddData(message)
	peer := a.Addr()
	if s.Peer.IsValid() {
		peer = s.Peer
	}
	request.AddData(nl.NewRtAttr(unix.IFA_LOCAL, a.Addr().AsSlice()))
	request.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, peer.AsSlice()))
	return message
}

// broadcast returns the last address of an IPv4 subnet.
func broadcast(a netip.Prefix) []byte {
	ip := a.Masked().Addr().As4()
	for i := a.Bits(); i < len(ip)*8; i++ {
		ip[i/8] |= 1 << (7 - i%8)
	}
	return ip[:]
}
