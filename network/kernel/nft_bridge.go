package kernel

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// ReplaceBridge keeps the other table of ours, of the family bridge, which is there only while zones have containers:
//
//	table bridge nspawnkit {
//		set sole { type ifname; }
//		set senders { type ifname . ether_addr; }
//		chain guard {
//			type filter hook prerouting priority filter; policy accept;
//			iifname @sole iifname . ether saddr != @senders counter drop
//			iifname @sole ether type arp iifname . arp saddr ether != @senders counter drop
//		}
//	}
//
// The table inet cannot do it: it does not see frames that stay within a bridge, nor ARP, and knows of a frame that leaves the
// bridge only that it came through the bridge.
func (f *Firewall) ReplaceBridge(ports network.Set[network.Sender]) error {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyBridge}
	f.conn.AddTable(table) // so that there is one to delete
	f.conn.DelTable(table)
	if len(ports) > 0 {
		if err := f.addBridge(table, ports); err != nil {
			return err
		}
	}
	err := f.conn.Flush()
	if len(ports) == 0 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)) {
		return nil // a kernel without the family has no table either
	}
	if err != nil {
		return fmt.Errorf("replace nft table bridge %s: %w", TableName, err)
	}
	return nil
}

func (f *Firewall) addBridge(table *nftables.Table, ports network.Set[network.Sender]) error {
	f.conn.AddTable(table)
	sole := network.Set[string]{}
	for port := range ports {
		sole.Add(port.Link)
	}
	for _, set := range guardSets(table, network.Guard{Sole: sole, Senders: ports})[1:] {
		if err := f.conn.AddSet(set.Set, set.elements); err != nil {
			return fmt.Errorf("add nft set %s: %w", set.Name, err)
		}
	}
	chain := f.conn.AddChain(&nftables.Chain{
		Name: "guard", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRef(-200), // "filter" of bridges
	})
	sender := func(base expr.PayloadBase, offset uint32) []expr.Any {
		return []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Payload{DestRegister: 2, Base: base, Offset: offset, Len: 6},
			&expr.Lookup{SourceRegister: 1, SetName: sendersSet, Invert: true},
		}
	}
	isARP := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.ETH_P_ARP >> 8, unix.ETH_P_ARP & 0xff}},
	}
	f.addRule(table, chain, inSet(expr.MetaKeyIIFNAME, soleSet), sender(expr.PayloadBaseLLHeader, 6), drop())
	f.addRule(table, chain, inSet(expr.MetaKeyIIFNAME, soleSet), isARP, sender(expr.PayloadBaseNetworkHeader, 8), drop()) // RFC 826
	return nil
}
