package kernel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// TableName is the name of the one nft table of ours, of the family inet. Nothing else in the packet filter is touched.
const TableName = "nspawnkit"

// The sets of the table: names of the links whose forwarded packets are masqueraded when they leave the host.
const (
	masquerade4 = "masquerade4"
	masquerade6 = "masquerade6"
)

// Firewall keeps the nft table of ours:
//
//	table inet nspawnkit {
//		set masquerade4 { type ifname; }
//		set masquerade6 { type ifname; }
//		chain postrouting {
//			type nat hook postrouting priority srcnat; policy accept;
//			meta nfproto ipv4 iifname @masquerade4 oifname != @masquerade4 masquerade
//			meta nfproto ipv6 iifname @masquerade6 oifname != @masquerade6 masquerade
//		}
//	}
//
// A packet is told by the link it came in through, not by its source address, which a container can choose; packets from
// one container to another keep their source. Matching the incoming link in postrouting needs Linux 5.7.
type Firewall struct {
	conn *nftables.Conn
}

// NewFirewall returns the table of the network namespace of the calling process. Every transaction has a socket of its own:
// one that failed leaves nothing behind for the next.
func NewFirewall() (*Firewall, error) {
	conn, err := nftables.New(nftables.WithSockOptions(widen))
	if err != nil {
		return nil, fmt.Errorf("open nf_tables: %w", err)
	}
	return &Firewall{conn}, nil
}

// Replace puts the table in place with the elements of want, in one transaction: packets meet the old table or the new
// one.
func (f *Firewall) Replace(want network.Firewall) error {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	f.conn.AddTable(table) // so that there is one to delete
	f.conn.DelTable(table)
	f.conn.AddTable(table)
	chain := f.conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	if err := f.addSets(masqueradeSets(table, want.Masquerade4, want.Masquerade6)...); err != nil {
		return err
	}
	f.addRule(table, chain, masquerade(unix.NFPROTO_IPV4, masquerade4))
	f.addRule(table, chain, masquerade(unix.NFPROTO_IPV6, masquerade6))
	err := errors.Join(f.addGuard(table, want.Guard), f.addAccess(table, want.Access), f.addPorts(table, want.Ports))
	if err != nil {
		return err
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("replace nft table inet %s: %w", TableName, err)
	}
	return nil
}

// Update adds and removes elements, in one transaction. It fails when somebody has removed the table; [Firewall.Replace]
// puts it back.
func (f *Firewall) Update(add, remove network.Firewall) error {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	err := errors.Join(
		f.updatePorts(table, add.Ports, remove.Ports),
		changeSets(linkSets(table, remove), f.conn.SetDeleteElements),
		changeSets(linkSets(table, add), f.conn.SetAddElements),
		f.conn.Flush(),
	)
	if errors.Is(err, unix.ENOENT) {
		err = unix.ENOENT // once, not for every element
	}
	if err != nil {
		return fmt.Errorf("update nft table inet %s: %w", TableName, err)
	}
	return nil
}

// linkSets returns all sets but those of ports, with their elements.
func linkSets(table *nftables.Table, f network.Firewall) []filledSet {
	return slices.Concat(guardSets(table, f.Guard), accessSets(table, f.Access), masqueradeSets(table, f.Masquerade4, f.Masquerade6))
}

// ifnameSet is a set of names of links. Names are strings of the host's byte order, which nft(8) must know to print them.
func ifnameSet(table *nftables.Table, name string) *nftables.Set {
	return &nftables.Set{Table: table, Name: name, KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
}

// elements are names of links as the kernel compares them: IFNAMSIZ bytes, filled up with NUL.
func elements(links []string) []nftables.SetElement {
	list := make([]nftables.SetElement, len(links))
	for i, link := range links {
		list[i].Key = ifname(link)
	}
	return list
}

func ifname(link string) []byte {
	key := make([]byte, unix.IFNAMSIZ)
	copy(key, link)
	return key
}

// masquerade is the rule "meta nfproto PROTOCOL iifname @SET oifname != @SET masquerade".
func masquerade(protocol byte, set string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: set},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: set, Invert: true},
		&expr.Masq{},
	}
}
