package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// hairpinSet holds pairs of links: in and out through the same one.
const hairpinSet = "hairpin"

// portMap is one of the maps of [network.Ports]: "ports4", "ranges4", "loopback4" and those of IPv6.
type portMap struct {
	name    string
	version int
	ranges  bool // the port stays as it is
}

var loopbackMaps = [...]portMap{{"loopback4", 4, false}, {"loopback6", 6, false}}
var forwardMaps = [...]portMap{{"ports4", 4, false}, {"ports6", 6, false}, {"ranges4", 4, true}, {"ranges6", 6, true}}

// addPorts adds to the transaction what leads ports of the host to containers:
//
//	map ports4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; flags interval; counter; }
//	map ranges4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; counter; }
//	map loopback4 …                 (as ports4; and the same three for IPv6)
//	set hairpin { type ifname . ifname; }
//	chain prerouting {
//		type nat hook prerouting priority dstnat; policy accept;
//		fib daddr type local jump ports
//	}
//	chain output {
//		type nat hook output priority -100; policy accept;
//		meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @loopback4
//		fib daddr type local jump ports
//	}
//	chain ports {
//		ip daddr 127.0.0.0/8 return
//		ip6 daddr ::1 return
//		meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @ports4
//		meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @ranges4
//	}
//	chain hairpin {
//		type nat hook postrouting priority srcnat; policy accept;
//		ct status dnat iifname . oifname @hairpin masquerade
//	}
//
// A connection costs one look-up in each map, however many ports are published. The counters count connections, since chains of type
// nat see the first packet of each. A container that reaches a port of its own, or of another one behind the same bridge, through the
// host must see the host as its peer: it would answer its own address itself, and the other one directly.
func (f *Firewall) addPorts(table *nftables.Table, ports network.Ports) error {
	for _, m := range portMaps(table, ports) {
		if err := f.conn.AddSet(m.Set, nil); err != nil {
			return fmt.Errorf("add nft map %s: %w", m.Name, err)
		}
	}
	if err := f.changePorts(table, ports, f.conn.SetAddElements); err != nil {
		return err
	}
	chain := func(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return f.conn.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: priority})
	}
	prerouting := chain("prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	output := chain("output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
	hairpin := chain(hairpinSet, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	inside := f.conn.AddChain(&nftables.Chain{Name: "ports", Table: table})

	jump := []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: inside.Name}}
	f.addRule(table, prerouting, toHost(), jump)
	for _, m := range loopbackMaps {
		if err := f.addDNAT(table, output, m); err != nil {
			return err
		}
	}
	f.addRule(table, output, toHost(), jump)
	f.addRule(table, inside, prefix{4, 16, 4, []byte{127, 0, 0, 0}, 8}.match(), verdict(expr.VerdictReturn))
	f.addRule(table, inside, prefix{6, 24, 16, netip.IPv6Loopback().AsSlice(), 128}.match(), verdict(expr.VerdictReturn))
	for _, m := range forwardMaps {
		if err := f.addDNAT(table, inside, m); err != nil {
			return err
		}
	}
	f.addRule(table, hairpin, throughHairpin(), []expr.Any{&expr.Masq{}})
	return nil
}

// updatePorts adds to the transaction the entries that go and come. Those that go are first: an entry may come back with another target.
func (f *Firewall) updatePorts(table *nftables.Table, add, remove network.Ports) error {
	if err := f.changePorts(table, remove, f.conn.SetDeleteElements); err != nil {
		return err
	}
	return f.changePorts(table, add, f.conn.SetAddElements)
}

func (f *Firewall) changePorts(table *nftables.Table, ports network.Ports, change changeElements) error {
	for _, m := range portMaps(table, ports) {
		if err := inMessages(m, change); err != nil {
			return err
		}
	}
	return nil
}

// portMaps returns the maps, and the set of links, with their elements.
func portMaps(table *nftables.Table, ports network.Ports) []filledSet {
	var list []filledSet
	for _, m := range loopbackMaps {
		list = append(list, filledSet{m.set(table), m.elements(ports.Loopback)})
	}
	for _, m := range forwardMaps {
		list = append(list, filledSet{m.set(table), m.elements(ports.Forward)})
	}
	pairs := ifnameSet(table, hairpinSet)
	pairs.Concatenation = true
	pairs.KeyType = nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName)
	links := make([]nftables.SetElement, 0, len(ports.Hairpin))
	for link := range ports.Hairpin {
		links = append(links, nftables.SetElement{Key: concatenate(ifname(link), ifname(link))})
	}
	return append(list, filledSet{pairs, links})
}

func (m portMap) set(table *nftables.Table) *nftables.Set {
	address := nftables.TypeIPAddr
	if m.version == 6 {
		address = nftables.TypeIP6Addr
	}
	to := address
	if !m.ranges {
		to = nftables.MustConcatSetType(address, nftables.TypeInetService)
	}
	return &nftables.Set{
		Table: table, Name: m.name, IsMap: true, Interval: true, Concatenation: true, Counter: true, KeyByteOrder: binaryutil.BigEndian,
		KeyType: nftables.MustConcatSetType(address, nftables.TypeInetProto, nftables.TypeInetService), DataType: to,
	}
}

// elements returns the entries that belong to this map.
func (m portMap) elements(entries network.PortMap) []nftables.SetElement {
	var list []nftables.SetElement
	for _, key := range slices.SortedFunc(maps.Keys(entries), network.PortKey.Compare) {
		target := entries[key]
		if key.Prefix.Addr().Is6() != (m.version == 6) || m.ranges != (key.First != key.Last && target.Port() == 0) {
			continue
		}
		first := key.Prefix.Masked().Addr().AsSlice()
		element := nftables.SetElement{
			Key:    concatenate(first, []byte{key.Protocol}, binaryutil.BigEndian.PutUint16(key.First)),
			KeyEnd: concatenate(lastAddress(key.Prefix), []byte{key.Protocol}, binaryutil.BigEndian.PutUint16(key.Last)),
		}
		if target.IsValid() {
			element.Val = target.Addr().AsSlice()
			if !m.ranges {
				element.Val = concatenate(element.Val, binaryutil.BigEndian.PutUint16(target.Port()))
			}
		}
		list = append(list, element)
	}
	return list
}

// lastAddress returns the last address of a prefix.
func lastAddress(p netip.Prefix) []byte {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

// toHost is "fib daddr type local".
func toHost() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

// throughHairpin is "ct status dnat iifname . oifname @hairpin".
func throughHairpin() []expr.Any {
	const isDNAT = 1 << 5 // IPS_DST_NAT of nf_conntrack_common.h
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATUS, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(isDNAT), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 2},
		&expr.Lookup{SourceRegister: 1, SetName: hairpinSet},
	}
}

// addDNAT adds "meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @MAP".
func (f *Firewall) addDNAT(table *nftables.Table, chain *nftables.Chain, m portMap) error {
	protocols := &nftables.Set{Table: table, Anonymous: true, Constant: true, KeyType: nftables.TypeInetProto}
	var list []nftables.SetElement
	for _, number := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP} {
		list = append(list, nftables.SetElement{Key: []byte{number}})
	}
	if err := f.conn.AddSet(protocols, list); err != nil {
		return fmt.Errorf("add nft set of protocols: %w", err)
	}
	// The address goes to the registers of 32 bits from the first on, 8 in their numbers, and the rest behind it.
	family, offset, length := byte(unix.NFPROTO_IPV4), uint32(16), uint32(4)
	if m.version == 6 {
		family, offset, length = unix.NFPROTO_IPV6, 24, 16
	}
	const first = unix.NFT_REG32_00
	next := first + length/4
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(family), RegAddrMin: first, RegProtoMin: next, Specified: true}
	if m.ranges {
		nat.RegProtoMin, nat.Specified = 0, false
	}
	f.addRule(table, chain, []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: protocols.Name, SetID: protocols.ID},
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: first, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: next},
		&expr.Payload{DestRegister: next + 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: first, DestRegister: first, IsDestRegSet: true, SetName: m.name},
		nat,
	})
	return nil
}
