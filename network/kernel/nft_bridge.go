package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// The sets of [network.BridgeGuard], for IPv4 and IPv6.
const (
	heldSet4, heldSet6       = "held4", "held6"
	holdersSet4, holdersSet6 = "holders4", "holders6"
)

// ReplaceBridge keeps the other table of ours, of the family bridge, which is there only while zones have containers:
//
//	table bridge nspawnkit {
//		set sole { type ifname; }
//		set senders { type ifname . ether_addr; }
//		set held4 { type ipv4_addr; }
//		set held6 { type ipv6_addr; }
//		set holders4 { type ifname . ipv4_addr; }
//		set holders6 { type ifname . ipv6_addr; }
//		chain guard {
//			type filter hook prerouting priority filter; policy accept;
//			iifname @sole jump port
//		}
//		chain port {
//			iifname . ether saddr != @senders counter drop
//			ether type arp iifname . arp saddr ether != @senders counter drop
//			ether type arp arp saddr ip @held4 iifname . arp saddr ip != @holders4 counter drop
//			ether type ip ip saddr @held4 iifname . ip saddr != @holders4 counter drop
//			ether type ip6 ip6 saddr @held6 iifname . ip6 saddr != @holders6 counter drop
//			icmpv6 type nd-neighbor-advert icmpv6 taddr @held6 iifname . icmpv6 taddr != @holders6 counter drop
//			ether type ip udp dport 67 jump dhcp
//		}
//		chain dhcp {
//			iifname . @th,288,48 @senders return
//			counter drop
//		}
//	}
//
// The table inet cannot do it: it does not see frames that stay within a bridge, nor ARP, and knows of a frame that leaves the
// bridge only that it came through the bridge. Whoever asks a DHCP server gives the hardware address that he asks for in the message
// itself (chaddr, RFC 2131, section 2); where it cannot be read, in a fragment, the message is dropped.
func (f *Firewall) ReplaceBridge(guard network.BridgeGuard) error {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyBridge}
	f.conn.AddTable(table) // so that there is one to delete
	f.conn.DelTable(table)
	if len(guard.Senders) > 0 {
		if err := f.addBridge(table, guard); err != nil {
			return err
		}
	}
	err := f.conn.Flush()
	if len(guard.Senders) == 0 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)) {
		return nil // a kernel without the family has no table either
	}
	if err != nil {
		return fmt.Errorf("replace nft table bridge %s: %w", TableName, err)
	}
	return nil
}

func (f *Firewall) addBridge(table *nftables.Table, guard network.BridgeGuard) error {
	f.conn.AddTable(table)
	if err := f.addSets(bridgeSets(table, guard)...); err != nil {
		return err
	}
	chain := f.conn.AddChain(&nftables.Chain{
		Name: "guard", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRef(-200), // "filter" of bridges
	})
	port := f.conn.AddChain(&nftables.Chain{Name: "port", Table: table})
	dhcp := f.conn.AddChain(&nftables.Chain{Name: "dhcp", Table: table})
	f.addRule(table, chain, inSet(expr.MetaKeyIIFNAME, soleSet), jump(port))

	source, arpSource := field{expr.PayloadBaseLLHeader, 6, 6}, field{expr.PayloadBaseNetworkHeader, 8, 6} // RFC 826
	f.addRule(table, port, source.in(sendersSet, false), drop())
	f.addRule(table, port, isFrame(unix.ETH_P_ARP), arpSource.in(sendersSet, false), drop())
	f.addRule(table, port, isFrame(unix.ETH_P_ARP), field{expr.PayloadBaseNetworkHeader, 14, 4}.heldByOthers(heldSet4, holdersSet4), drop())
	f.addRule(table, port, isFrame(unix.ETH_P_IP), field{expr.PayloadBaseNetworkHeader, 12, 4}.heldByOthers(heldSet4, holdersSet4), drop())
	f.addRule(table, port, isFrame(unix.ETH_P_IPV6), field{expr.PayloadBaseNetworkHeader, 8, 16}.heldByOthers(heldSet6, holdersSet6), drop())
	neighbor := field{expr.PayloadBaseTransportHeader, 0, 1}.is(136) // RFC 4861, section 4.4
	f.addRule(table, port, isFrame(unix.ETH_P_IPV6), isTransport(unix.IPPROTO_ICMPV6), neighbor,
		field{expr.PayloadBaseTransportHeader, 8, 16}.heldByOthers(heldSet6, holdersSet6), drop())
	toServer := field{expr.PayloadBaseTransportHeader, 2, 2}.is(0, 67)
	f.addRule(table, port, isFrame(unix.ETH_P_IP), isTransport(unix.IPPROTO_UDP), toServer, jump(dhcp))
	f.addRule(table, dhcp, field{expr.PayloadBaseTransportHeader, 8 + 28, 6}.in(sendersSet, true), verdict(expr.VerdictReturn))
	f.addRule(table, dhcp, drop())
	return nil
}

// bridgeSets returns the sets of the table bridge with their elements.
func bridgeSets(table *nftables.Table, guard network.BridgeGuard) []filledSet {
	sole := network.Set[string]{}
	for port := range guard.Senders {
		sole.Add(port.Link)
	}
	sets := guardSets(table, network.Guard{Sole: sole, Senders: guard.Senders})[1:]
	for _, family := range []struct {
		held, holders string
		kind          nftables.SetDatatype
		is            func(netip.Addr) bool
	}{
		{heldSet4, holdersSet4, nftables.TypeIPAddr, netip.Addr.Is4},
		{heldSet6, holdersSet6, nftables.TypeIP6Addr, netip.Addr.Is6},
	} {
		held := filledSet{&nftables.Set{Table: table, Name: family.held, KeyType: family.kind}, nil}
		for address := range guard.Held {
			if family.is(address) {
				held.elements = append(held.elements, nftables.SetElement{Key: address.AsSlice()})
			}
		}
		holders := filledSet{ifnameSet(table, family.holders), nil}
		holders.Concatenation, holders.KeyType = true, nftables.MustConcatSetType(nftables.TypeIFName, family.kind)
		for holder := range guard.Holders {
			if family.is(holder.Address) {
				key := concatenate(ifname(holder.Link), holder.Address.AsSlice())
				holders.elements = append(holders.elements, nftables.SetElement{Key: key})
			}
		}
		sets = append(sets, held, holders)
	}
	return sets
}

// field is a part of a packet.
type field struct {
	base           expr.PayloadBase
	offset, length uint32
}

// load puts it into a register.
func (f field) load(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: f.base, Offset: f.offset, Len: f.length}
}

// is is true when the field has this value.
func (f field) is(value ...byte) []expr.Any {
	return []expr.Any{f.load(1), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value}}
}

// in is "iifname . FIELD @SET", or with != where it is to be missing.
func (f field) in(set string, found bool) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		f.load(2), // 16 bytes behind register 1, as an interface name takes them
		&expr.Lookup{SourceRegister: 1, SetName: set, Invert: !found},
	}
}

// heldByOthers is "FIELD @HELD iifname . FIELD != @HOLDERS".
func (f field) heldByOthers(held, holders string) []expr.Any {
	return append([]expr.Any{f.load(1), &expr.Lookup{SourceRegister: 1, SetName: held}}, f.in(holders, false)...)
}

// isFrame is "ether type …".
func isFrame(kind uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(kind)},
	}
}

// isTransport is "meta l4proto …".
func isTransport(protocol byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
	}
}
