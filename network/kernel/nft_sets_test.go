package kernel

import (
	"fmt"
	"testing"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// manyLinks is a table with that many links in each set.
func manyLinks(count int) (f network.Firewall) {
	f.Guard.Links, f.Guard.Sole, f.Guard.Senders = network.Set[string]{}, network.Set[string]{}, network.Set[network.Sender]{}
	f.Access.Limited = network.Set[network.Sender]{}
	for i := range count {
		name := fmt.Sprintf("ve-%d", i)
		sender := network.Sender{Link: name, MAC: network.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}}
		f.Add(name, network.Families{IPv4: true, IPv6: true})
		f.Guard.Links.Add(name)
		f.Guard.Sole.Add(name)
		f.Guard.Senders.Add(sender)
		f.Access.Limited.Add(sender)
	}
	return f
}

// countElements returns a firewall without a kernel, and the elements of each set that its messages of a kind have.
func countElements(t *testing.T, kind uint16) (*Firewall, map[string]int) {
	t.Helper()
	counts := map[string]int{}
	conn, err := nftables.New(nftables.WithTestDial(func(messages []netlink.Message) ([]netlink.Message, error) {
		for _, m := range messages {
			if m.Header.Type != netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8|kind) {
				continue
			}
			decoder, err := netlink.NewAttributeDecoder(m.Data[4:]) // after struct nfgenmsg
			if err != nil {
				return nil, err
			}
			set, elements := "", 0
			for decoder.Next() {
				switch decoder.Type() {
				case unix.NFTA_SET_ELEM_LIST_SET:
					set = decoder.String()
				case unix.NFTA_SET_ELEM_LIST_ELEMENTS:
					decoder.Nested(func(list *netlink.AttributeDecoder) error {
						for list.Next() {
							elements++
						}
						return list.Err()
					})
				}
			}
			if err := decoder.Err(); err != nil {
				return nil, fmt.Errorf("a message of %d bytes: %w", len(m.Data), err)
			}
			counts[set] += elements
		}
		return messages, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return &Firewall{conn}, counts
}

// As many links as there are leave no set short, and no message is longer than netlink(7) lets an attribute be.
func TestManyLinks(t *testing.T) {
	const count = 2000
	for name, test := range map[string]struct {
		kind uint16
		act  func(*Firewall) error
	}{
		"replace": {unix.NFT_MSG_NEWSETELEM, func(f *Firewall) error { return f.Replace(manyLinks(count)) }},
		"add":     {unix.NFT_MSG_NEWSETELEM, func(f *Firewall) error { return f.Update(manyLinks(count), network.Firewall{}) }},
		"remove":  {unix.NFT_MSG_DELSETELEM, func(f *Firewall) error { return f.Update(network.Firewall{}, manyLinks(count)) }},
	} {
		f, counts := countElements(t, test.kind)
		test.act(f) // the answers of the test are not the kernel's
		for _, set := range []string{masquerade4, masquerade6, guardedSet, soleSet, sendersSet, limitedSet} {
			if counts[set] != count {
				t.Errorf("%s: %d elements of %s, want %d", name, counts[set], set, count)
			}
		}
	}
}
