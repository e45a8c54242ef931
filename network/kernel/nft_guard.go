package kernel

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// The sets of [network.Guard].
const (
	guardedSet = "guarded" // links whose packets must come from where they say
	soleSet    = "sole"    // those of them with one machine behind them
	sendersSet = "senders" // hardware addresses of these machines
)

// addGuard adds to the transaction what keeps containers from sending in the name of others:
//
//	set guarded { type ifname; }
//	set sole { type ifname; }
//	set senders { type ifname . ether_addr; }
//	chain guard {
//		type filter hook prerouting priority raw; policy accept;
//		iifname @sole meta iiftype ether iifname . ether saddr != @senders counter drop
//		iifname @guarded jump source
//	}
//	chain source {
//		ip saddr 0.0.0.0 return
//		ip saddr 169.254.0.0/16 ip daddr 169.254.0.0/16 return
//		ip saddr 169.254.0.0/16 ip daddr 224.0.0.0/4 return
//		ip6 saddr :: return
//		ip6 saddr fe80::/10 return
//		fib saddr . iif oif 0 counter drop
//	}
//
// What returns is for hosts without an address yet and for the link alone: the kernel forwards no packet from 0.0.0.0, :: or
// fe80::/10. The last rule is a strict reverse path check, for both families and whatever rp_filter says.
func (f *Firewall) addGuard(table *nftables.Table, guard network.Guard) error {
	if err := f.addSets(guardSets(table, guard)...); err != nil {
		return err
	}
	chain := f.conn.AddChain(&nftables.Chain{
		Name: "guard", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	})
	source := f.conn.AddChain(&nftables.Chain{Name: "source", Table: table})
	add := func(chain *nftables.Chain, parts ...[]expr.Any) { f.addRule(table, chain, parts...) }
	add(chain, inSet(expr.MetaKeyIIFNAME, soleSet), unknownSender(sendersSet), drop())
	add(chain, inSet(expr.MetaKeyIIFNAME, guardedSet), jump(source))

	linkLocal := prefix{4, 12, 4, []byte{169, 254, 0, 0}, 16}
	add(source, prefix{4, 12, 4, []byte{0, 0, 0, 0}, 32}.match(), verdict(expr.VerdictReturn))
	add(source, linkLocal.match(), prefix{4, 16, 4, []byte{169, 254, 0, 0}, 16}.match(), verdict(expr.VerdictReturn))
	add(source, linkLocal.match(), prefix{4, 16, 4, []byte{224, 0, 0, 0}, 4}.match(), verdict(expr.VerdictReturn))
	add(source, prefix{6, 8, 16, make([]byte, 16), 128}.match(), verdict(expr.VerdictReturn))
	add(source, prefix{6, 8, 16, append([]byte{0xfe, 0x80}, make([]byte, 14)...), 10}.match(), verdict(expr.VerdictReturn))
	add(source, []expr.Any{
		&expr.Fib{Register: 1, FlagSADDR: true, FlagIIF: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}, drop())
	return nil
}

// filledSet is a set with elements.
type filledSet struct {
	*nftables.Set
	elements []nftables.SetElement
}

// guardSets returns the sets of the table inet with the elements of guard.
func guardSets(table *nftables.Table, guard network.Guard) []filledSet {
	return []filledSet{
		{ifnameSet(table, guardedSet), linkElements(guard.Links)},
		{ifnameSet(table, soleSet), linkElements(guard.Sole)},
		{senderSet(table, sendersSet), senderElements(guard.Senders)},
	}
}

// senderSet is a set of links with hardware addresses.
func senderSet(table *nftables.Table, name string) *nftables.Set {
	set := ifnameSet(table, name)
	set.Concatenation = true
	set.KeyType = nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeEtherAddr)
	return set
}

func linkElements(links network.Set[string]) []nftables.SetElement {
	list := make([]nftables.SetElement, 0, len(links))
	for link := range links {
		list = append(list, nftables.SetElement{Key: ifname(link)})
	}
	return list
}

func senderElements(senders network.Set[network.Sender]) []nftables.SetElement {
	list := make([]nftables.SetElement, 0, len(senders))
	for sender := range senders {
		list = append(list, nftables.SetElement{Key: concatenate(ifname(sender.Link), sender.MAC[:])})
	}
	return list
}

// concatenate joins the parts of a key, each filled up to whole registers of 32 bits.
func concatenate(parts ...[]byte) []byte {
	var key []byte
	for _, part := range parts {
		key = append(key, part...)
		key = append(key, make([]byte, -len(part)&3)...)
	}
	return key
}

// addRule adds a rule of the expressions of parts, in order.
func (f *Firewall) addRule(table *nftables.Table, chain *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, part := range parts {
		all = append(all, part...)
	}
	f.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: all})
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

// drop is "counter drop".
func drop() []expr.Any { return []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}} }

// inSet is "iifname @SET" or "oifname @SET".
func inSet(key expr.MetaKey, set string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Lookup{SourceRegister: 1, SetName: set}}
}

// unknownSender is "meta iiftype ether iifname . ether saddr != @SET".
func unknownSender(set string) []expr.Any {
	return slices.Concat(isEther(), senderRegisters(), []expr.Any{&expr.Lookup{SourceRegister: 1, SetName: set, Invert: true}})
}

// isEther is "meta iiftype ether".
func isEther() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint16(unix.ARPHRD_ETHER)},
	}
}

// prefix is a condition on an address in the header of a version of IP.
type prefix struct {
	version        int
	offset, length uint32 // of the address in the header
	address        []byte
	bits           int
}

// match returns the expressions, in the table inet.
func (p prefix) match() []expr.Any {
	protocol := byte(unix.NFPROTO_IPV4)
	if p.version == 6 {
		protocol = unix.NFPROTO_IPV6
	}
	mask := make([]byte, p.length)
	for i := range p.bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	list := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: p.offset, Len: p.length},
	}
	if p.bits < 8*int(p.length) {
		list = append(list, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: p.length, Mask: mask, Xor: make([]byte, p.length)})
	}
	return append(list, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.address})
}
