package kernel

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// The sets of [network.Access].
const (
	zonesSet      = "zones"
	sameZoneSet   = "same_zone"
	zoneAccessSet = "zone_access"
	limitedSet    = "limited"
	hostPortsSet  = "host_ports"
)

// statusDNAT is IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h: the destination was translated.
const statusDNAT = 1 << 5

// addAccess adds to the transaction what keeps containers from zones and from services of the host:
//
//	set zones { type ifname; }
//	set same_zone { type ifname . ifname; }
//	set zone_access { type ifname . ether_addr . ifname; }
//	set limited { type ifname . ether_addr; }
//	set host_ports { type ifname . ether_addr . inet_proto . inet_service; flags interval; }
//	chain forward {
//		type filter hook forward priority filter; policy accept;
//		iifname @guarded oifname @zones jump zone
//	}
//	chain zone {
//		ct state established,related return
//		ct status dnat return
//		iifname . oifname @same_zone return
//		iifname . ether saddr . oifname @zone_access return
//		counter reject with icmpx admin-prohibited
//	}
//	chain input {
//		type filter hook input priority filter; policy accept;
//		iifname . ether saddr @limited jump host
//	}
//	chain host {
//		ct state established,related return
//		meta l4proto { icmp, icmpv6 } return
//		…
//		iifname . ether saddr . meta l4proto . th dport @host_ports return
//		counter reject with icmpx admin-prohibited
//	}
//
// With br_netfilter frames from port to port of a zone come by, too: in and out through its bridge. What is refused is refused aloud,
// since silence takes minutes to understand.
func (f *Firewall) addAccess(table *nftables.Table, access network.Access) error {
	if err := f.addSets(accessSets(table, access)...); err != nil {
		return err
	}
	base := func(name string, hook *nftables.ChainHook) *nftables.Chain {
		return f.conn.AddChain(&nftables.Chain{
			Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter,
		})
	}
	add := func(chain *nftables.Chain, parts ...[]expr.Any) { f.addRule(table, chain, parts...) }
	back := verdict(expr.VerdictReturn)

	forward, zone := base("forward", nftables.ChainHookForward), f.conn.AddChain(&nftables.Chain{Name: "zone", Table: table})
	add(forward, inSet(expr.MetaKeyIIFNAME, guardedSet), inSet(expr.MetaKeyOIFNAME, zonesSet), jump(zone))
	add(zone, conntrack(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), back)
	add(zone, conntrack(expr.CtKeySTATUS, statusDNAT), back)
	add(zone, []expr.Any{meta(expr.MetaKeyIIFNAME, 1), meta(expr.MetaKeyOIFNAME, 2), lookup(sameZoneSet)}, back)
	add(zone, isEther(), append(senderRegisters(), meta(expr.MetaKeyOIFNAME, 14), lookup(zoneAccessSet)), back)
	add(zone, reject())

	input, host := base("input", nftables.ChainHookInput), f.conn.AddChain(&nftables.Chain{Name: "host", Table: table})
	add(input, isEther(), append(senderRegisters(), lookup(limitedSet)), jump(host))
	add(host, conntrack(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), back)
	add(host, protocol(unix.IPPROTO_ICMP), back)
	add(host, protocol(unix.IPPROTO_ICMPV6), back)
	for _, port := range []uint16{53, 67, 547} { // DNS, DHCP, DHCPv6
		add(host, protocol(unix.IPPROTO_UDP), destinationPort(port), back)
	}
	add(host, protocol(unix.IPPROTO_TCP), destinationPort(53), back)
	ports := append(senderRegisters(), meta(expr.MetaKeyL4PROTO, 14), portRegister(15), lookup(hostPortsSet))
	add(host, isEther(), ports, back)
	add(host, reject())
	return nil
}

// accessSets returns the sets with the elements of access.
func accessSets(table *nftables.Table, access network.Access) []filledSet {
	concatenated := func(name string, types ...nftables.SetDatatype) *nftables.Set {
		set := ifnameSet(table, name)
		set.Concatenation, set.KeyType = true, nftables.MustConcatSetType(types...)
		return set
	}
	link, mac := nftables.TypeIFName, nftables.TypeEtherAddr
	hostPorts := concatenated(hostPortsSet, link, mac, nftables.TypeInetProto, nftables.TypeInetService)
	hostPorts.Interval = true
	var same, zoneAccess, ports []nftables.SetElement
	for zone := range access.Zones {
		same = append(same, nftables.SetElement{Key: concatenate(ifname(zone), ifname(zone))})
	}
	for a := range access.ZoneAccess {
		zoneAccess = append(zoneAccess, nftables.SetElement{Key: concatenate(ifname(a.Link), a.MAC[:], ifname(a.Bridge))})
	}
	for p := range access.HostPorts {
		key := func(port uint16) []byte {
			return concatenate(ifname(p.Link), p.MAC[:], []byte{p.Protocol}, binary.BigEndian.AppendUint16(nil, port))
		}
		ports = append(ports, nftables.SetElement{Key: key(p.First), KeyEnd: key(p.Last)})
	}
	return []filledSet{
		{ifnameSet(table, zonesSet), linkElements(access.Zones)},
		{concatenated(sameZoneSet, link, link), same},
		{concatenated(zoneAccessSet, link, mac, link), zoneAccess},
		{concatenated(limitedSet, link, mac), senderElements(access.Limited)},
		{hostPorts, ports},
	}
}

func jump(chain *nftables.Chain) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain.Name}}
}

// meta loads a key. Registers 1 to 4 have 128 bits; 8 to 23 are the same in pieces of 32 bits.
func meta(key expr.MetaKey, register uint32) expr.Any {
	return &expr.Meta{Key: key, Register: register}
}

// senderRegisters loads "iifname . ether saddr" to the registers of 32 bits 8 to 13.
func senderRegisters() []expr.Any {
	return []expr.Any{
		meta(expr.MetaKeyIIFNAME, 1),
		&expr.Payload{DestRegister: 2, Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6},
	}
}

// lookup looks for what begins in register 1.
func lookup(set string) expr.Any { return &expr.Lookup{SourceRegister: 1, SetName: set} }

// conntrack is "ct state STATE,…" or "ct status STATUS": one of the bits is set.
func conntrack(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// protocol is "meta l4proto NUMBER".
func protocol(number byte) []expr.Any {
	return []expr.Any{meta(expr.MetaKeyL4PROTO, 1), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{number}}}
}

func portRegister(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

// destinationPort is "th dport NUMBER".
func destinationPort(number uint16) []expr.Any {
	return []expr.Any{portRegister(1), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, number)}}
}

// reject is "counter reject with icmpx admin-prohibited".
func reject() []expr.Any {
	return []expr.Any{
		&expr.Counter{}, &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED},
	}
}
