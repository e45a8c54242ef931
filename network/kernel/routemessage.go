package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// decodeRoute reads an RTM_NEWROUTE message (rtnetlink(7)). The link is 0 where the kernel names none, or one for form's sake, or several.
func decodeRoute(b []byte) (link int, s network.StaticRoute, ok bool) {
	if len(b) < unix.SizeofRtMsg || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return 0, s, false
	}
	unspecified := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		unspecified = netip.IPv6Unspecified()
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	s = network.StaticRoute{
		Destination: netip.PrefixFrom(unspecified, int(b[1])), Table: uint32(b[4]), Protocol: b[5], Scope: b[6], Type: b[7],
		GatewayOnLink: flags&unix.RTNH_F_ONLINK != 0,
	}
	for kind, value := range attributes(b[unix.SizeofRtMsg:]) {
		addr, isAddr := netip.AddrFromSlice(value)
		switch {
		case kind == unix.RTA_MULTIPATH:
			if s.Hops, s.GatewayOnLink = decodeHops(value); len(s.Hops) == 0 {
				return 0, s, false
			}
		case kind == unix.RTA_DST && isAddr:
			s.Destination = netip.PrefixFrom(addr, int(b[1]))
		case kind == unix.RTA_SRC && isAddr:
			s.Source = netip.PrefixFrom(addr, int(b[2]))
		case kind == unix.RTA_GATEWAY && isAddr:
			s.Gateway = addr
		case kind == unix.RTA_VIA && len(value) > 2:
			s.Gateway, _ = netip.AddrFromSlice(value[2:])
		case kind == unix.RTA_PREFSRC && isAddr:
			s.PreferredSource = addr
		case kind == unix.RTA_PREF && len(value) == 1:
			s.Preference = value[0]
		case kind == unix.RTA_METRICS:
			s.Metrics = decodeMetrics(value)
		case len(value) != 4:
		case kind == unix.RTA_OIF:
			link = int(int32(binary.NativeEndian.Uint32(value)))
		case kind == unix.RTA_PRIORITY:
			s.Metric = binary.NativeEndian.Uint32(value)
		case kind == unix.RTA_TABLE:
			s.Table = binary.NativeEndian.Uint32(value)
		case kind == routeNextHop:
			s.NextHop = binary.NativeEndian.Uint32(value)
		}
	}
	if s.NextHop != 0 { // the rest, which is there for older programs, is the next hop's
		s.Hops, s.Gateway, s.GatewayOnLink, s.Type = nil, netip.Addr{}, false, unix.RTN_UNICAST
	}
	if s.Linkless() {
		link = 0 // IPv6 says that it is the loopback link
	}
	return link, s, true
}

// routeNextHop is RTA_NH_ID of linux/rtnetlink.h.
const routeNextHop = 30

// decodeMetrics reads RTA_METRICS.
func decodeMetrics(b []byte) (m network.RouteMetrics) {
	numbers := numericMetrics(&m)
	for kind, value := range attributes(b) {
		switch into := numbers[kind]; {
		case kind == unix.RTAX_CC_ALGO:
			m.CongestionControl = text(value)
		case len(value) != 4:
		case into != nil:
			*into = binary.NativeEndian.Uint32(value)
		case kind == unix.RTAX_QUICKACK:
			m.QuickAck = binary.NativeEndian.Uint32(value) != 0
		case kind == unix.RTAX_FASTOPEN_NO_COOKIE:
			m.FastOpenNoCookie = binary.NativeEndian.Uint32(value) != 0
		}
	}
	return m
}

// numericMetrics are the metrics that are numbers, by their numbers in the kernel.
func numericMetrics(m *network.RouteMetrics) map[uint16]*uint32 {
	return map[uint16]*uint32{
		unix.RTAX_MTU: &m.MTU, unix.RTAX_ADVMSS: &m.AdvertisedSegmentSize, unix.RTAX_HOPLIMIT: &m.HopLimit,
		unix.RTAX_INITCWND: &m.InitialCongestionWindow, unix.RTAX_INITRWND: &m.InitialReceiveWindow, unix.RTAX_RTO_MIN: &m.RetransmissionTimeout,
	}
}

// encodeMetrics writes RTA_METRICS; nil: there are none.
func encodeMetrics(m network.RouteMetrics) *nl.RtAttr {
	if m == (network.RouteMetrics{}) {
		return nil
	}
	list := nl.NewRtAttr(unix.RTA_METRICS, nil)
	for kind, value := range numericMetrics(&m) {
		if *value != 0 {
			list.AddRtAttr(int(kind), nl.Uint32Attr(*value))
		}
	}
	if m.RetransmissionTimeout != 0 {
		list.AddRtAttr(unix.RTAX_LOCK, nl.Uint32Attr(1<<unix.RTAX_RTO_MIN)) // the kernel takes no notice of one that is not locked
	}
	if m.QuickAck {
		list.AddRtAttr(unix.RTAX_QUICKACK, nl.Uint32Attr(1))
	}
	if m.FastOpenNoCookie {
		list.AddRtAttr(unix.RTAX_FASTOPEN_NO_COOKIE, nl.Uint32Attr(1))
	}
	if m.CongestionControl != "" {
		list.AddRtAttr(unix.RTAX_CC_ALGO, nl.ZeroTerminated(m.CongestionControl))
	}
	return list
}

// routeRequest begins a request about a route with what the kernel knows it by.
func routeRequest(kind, flags int, link int, s network.StaticRoute) *nl.NetlinkRequest {
	request := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	message := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Dst_len: uint8(s.Destination.Bits()), Protocol: s.Protocol, Scope: s.Scope, Type: s.Type}}
	if s.Destination.Addr().Is4() {
		message.Family = unix.AF_INET
	}
	if s.GatewayOnLink {
		message.Flags = unix.RTNH_F_ONLINK
	}
	request.AddData(message)
	request.AddData(nl.NewRtAttr(unix.RTA_DST, s.Destination.Addr().AsSlice()))
	request.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(s.Table)))
	if s.Source.IsValid() {
		message.Src_len = uint8(s.Source.Bits())
		request.AddData(nl.NewRtAttr(unix.RTA_SRC, s.Source.Addr().AsSlice()))
	}
	if s.Metric != 0 {
		request.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(s.Metric)))
	}
	if !s.Linkless() {
		request.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(link))))
	}
	switch {
	case s.NextHop != 0:
		request.AddData(nl.NewRtAttr(routeNextHop, nl.Uint32Attr(s.NextHop)))
	case len(s.Hops) > 0:
		message.Flags = 0 // each hop has them
		request.AddData(nl.NewRtAttr(unix.RTA_MULTIPATH, encodeHops(s)))
	case s.Gateway.IsValid():
		request.AddData(encodeGateway(s.Destination, s.Gateway))
	}
	if s.PreferredSource.IsValid() {
		request.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, s.PreferredSource.AsSlice()))
	}
	return request
}

// encodeGateway writes RTA_GATEWAY, or RTA_VIA for a gateway of the other family (RFC 8950).
func encodeGateway(destination netip.Prefix, gateway netip.Addr) *nl.RtAttr {
	if gateway.Is6() && destination.Addr().Is4() {
		return nl.NewRtAttr(unix.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), gateway.AsSlice()...))
	}
	return nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice())
}

// decodeHops reads RTA_MULTIPATH, a list of struct rtnexthop with attributes, up to one of a wrong length.
func decodeHops(b []byte) (hops []network.Hop, onLink bool) {
	for len(b) >= unix.SizeofRtNexthop {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			break
		}
		hop := network.Hop{Weight: int(b[3]) + 1, Link: int(int32(binary.NativeEndian.Uint32(b[4:])))}
		onLink = onLink || b[2]&unix.RTNH_F_ONLINK != 0
		for kind, value := range attributes(b[unix.SizeofRtNexthop:length]) {
			switch {
			case kind == unix.RTA_GATEWAY:
				hop.Gateway, _ = netip.AddrFromSlice(value)
			case kind == unix.RTA_VIA && len(value) > 2:
				hop.Gateway, _ = netip.AddrFromSlice(value[2:])
			}
		}
		hops = append(hops, hop)
		b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	network.SortHops(hops)
	return hops, onLink
}

// encodeHops writes RTA_MULTIPATH.
func encodeHops(s network.StaticRoute) []byte {
	var b []byte
	for _, hop := range s.Hops {
		var gateway []byte
		var flags byte
		if hop.Gateway.IsValid() {
			gateway = encodeGateway(s.Destination, hop.Gateway).Serialize()
			if s.GatewayOnLink {
				flags = unix.RTNH_F_ONLINK
			}
		}
		b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtNexthop+len(gateway)))
		b = append(b, flags, byte(hop.Weight-1))
		b = append(binary.NativeEndian.AppendUint32(b, uint32(hop.Link)), gateway...)
	}
	return b
}

func addRoute(link int, s network.StaticRoute) error {
	request := routeRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, link, s)
	if s.Preference != 0 {
		request.AddData(nl.NewRtAttr(unix.RTA_PREF, []byte{s.Preference}))
	}
	if metrics := encodeMetrics(s.Metrics); metrics != nil {
		request.AddData(metrics)
	}
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func deleteRoute(link int, s network.StaticRoute) error {
	_, err := routeRequest(unix.RTM_DELROUTE, 0, link, s).Execute(unix.NETLINK_ROUTE, 0)
	return err
}
