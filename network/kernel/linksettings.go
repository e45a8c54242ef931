package kernel

import (
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Configure gives the device of a link its settings: those that differ from had.
func (k *Links) Configure(l network.Link, want, had network.LinkSettings) error {
	device := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: l.Index, Name: l.Name}}
	if want.MACAddress != (network.HardwareAddr{}) && want.MACAddress != l.HardwareAddr {
		if err := k.handle.LinkSetHardwareAddr(device, net.HardwareAddr(want.MACAddress[:])); err != nil {
			return fail("set MACAddress= of", l.Name, err)
		}
	}
	if want.MTUBytes != 0 && want.MTUBytes != had.MTUBytes {
		if err := k.handle.LinkSetMTU(device, int(want.MTUBytes)); err != nil {
			return fail("set MTUBytes= of", l.Name, err)
		}
	}
	if want.Group == network.Yes && (had.Group != network.Yes || want.GroupNumber != had.GroupNumber) {
		if err := k.handle.LinkSetGroup(device, int(want.GroupNumber)); err != nil {
			return fail("set Group= of", l.Name, err)
		}
	}
	for _, flag := range []struct {
		key       string
		want, had network.Tristate
		on, off   func(netlink.Link) error
	}{
		{"ARP", want.ARP, had.ARP, k.handle.LinkSetARPOn, k.handle.LinkSetARPOff},
		{"Multicast", want.Multicast, had.Multicast, k.handle.LinkSetMulticastOn, k.handle.LinkSetMulticastOff},
		{"AllMulticast", want.AllMulticast, had.AllMulticast, k.handle.LinkSetAllmulticastOn, k.handle.LinkSetAllmulticastOff},
		{"Promiscuous", want.Promiscuous, had.Promiscuous, k.handle.SetPromiscOn, k.handle.SetPromiscOff},
	} {
		set := flag.on
		if flag.want == network.No {
			set = flag.off
		}
		if flag.want == network.Unset || flag.want == flag.had {
			continue
		}
		if err := set(device); err != nil {
			return fail("set "+flag.key+"= of", l.Name, err)
		}
	}
	return configurePort(l, want.Port)
}

// portAttribute is an attribute of a bridge port (include/uapi/linux/if_link.h, IFLA_BRPORT_*).
type portAttribute struct {
	code    int
	bytes   int
	inverse bool // the kernel's name is the opposite of systemd's
}

// encode writes a value as the kernel has it.
func (a portAttribute) encode(value uint32) []byte {
	switch a.bytes {
	case 1:
		return []byte{byte(value)}
	case 2:
		return nl.Uint16Attr(uint16(value))
	}
	return nl.Uint32Attr(value)
}

// attributeOf returns the attribute of a key of [Bridge].
func attributeOf(key string) portAttribute {
	return map[string]portAttribute{
		"UnicastFlood":            {nl.IFLA_BRPORT_UNICAST_FLOOD, 1, false},
		"MulticastFlood":          {nl.IFLA_BRPORT_MCAST_FLOOD, 1, false},
		"MulticastToUnicast":      {nl.IFLA_BRPORT_MCAST_TO_UCAST, 1, false},
		"NeighborSuppression":     {nl.IFLA_BRPORT_NEIGH_SUPPRESS, 1, false},
		"Learning":                {nl.IFLA_BRPORT_LEARNING, 1, false},
		"HairPin":                 {nl.IFLA_BRPORT_MODE, 1, false},
		"Isolated":                {nl.IFLA_BRPORT_ISOLATED, 1, false},
		"UseBPDU":                 {nl.IFLA_BRPORT_GUARD, 1, true},
		"FastLeave":               {nl.IFLA_BRPORT_FAST_LEAVE, 1, false},
		"AllowPortToBeRoot":       {nl.IFLA_BRPORT_PROTECT, 1, true},
		"ProxyARP":                {nl.IFLA_BRPORT_PROXYARP, 1, false},
		"ProxyARPWiFi":            {nl.IFLA_BRPORT_PROXYARP_WIFI, 1, false},
		"Locked":                  {nl.IFLA_BRPORT_LOCKED, 1, false},
		"MACAuthenticationBypass": {nl.IFLA_BRPORT_MAB, 1, false},
		"VLANTunnel":              {nl.IFLA_BRPORT_VLAN_TUNNEL, 1, false},
		"MulticastRouter":         {nl.IFLA_BRPORT_MULTICAST_ROUTER, 1, false},
		"Cost":                    {nl.IFLA_BRPORT_COST, 4, false},
		"Priority":                {nl.IFLA_BRPORT_PRIORITY, 2, false},
	}[key]
}

// configurePort sets what the link is as a port of a bridge, each key by itself so that an error names it.
func configurePort(l network.Link, port []network.PortSetting) error {
	for _, setting := range port {
		attribute, value := attributeOf(setting.Key), setting.Value
		if attribute.inverse {
			value = 1 - value
		}
		request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		message := nl.NewIfInfomsg(unix.AF_BRIDGE)
		message.Index = int32(l.Index)
		request.AddData(message)
		data := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
		data.AddRtAttr(attribute.code, attribute.encode(value))
		request.AddData(data)
		if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil {
			return fail("set [Bridge] "+setting.Key+"= of", l.Name, err)
		}
	}
	return nil
}
