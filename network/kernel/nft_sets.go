package kernel

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
)

const (
	// elementsInMessage bounds the elements of one message: an attribute of netlink(7) has 16 bits for its length, and an element takes up
	// to 130 bytes.
	elementsInMessage = 400

	// maxTransaction is how large a transaction may be, in bytes: the kernel takes it whole, and by default no more than 208 KiB. A link has
	// some 300 bytes in all sets.
	maxTransaction = 16 << 20
)

// changeElements adds elements to the transaction or removes them.
type changeElements func(*nftables.Set, []nftables.SetElement) error

// inMessages changes any number of elements of a set, by as many messages of a transaction as that takes.
func inMessages(set filledSet, change changeElements) error {
	for list := set.elements; len(list) > 0; {
		n := min(len(list), elementsInMessage)
		if err := change(set.Set, list[:n]); err != nil {
			return fmt.Errorf("change nft set %s: %w", set.Name, err)
		}
		list = list[n:]
	}
	return nil
}

// addSets adds sets with their elements to the transaction.
func (f *Firewall) addSets(sets ...filledSet) error {
	for _, set := range sets {
		if err := f.conn.AddSet(set.Set, nil); err != nil {
			return fmt.Errorf("add nft set %s: %w", set.Name, err)
		}
		if err := inMessages(set, f.conn.SetAddElements); err != nil {
			return err
		}
	}
	return nil
}

// changeSets adds elements to the transaction, or removes them.
func changeSets(sets []filledSet, change changeElements) error {
	for _, set := range sets {
		if err := inMessages(set, change); err != nil {
			return err
		}
	}
	return nil
}

// masqueradeSets returns the sets of the links that are masqueraded.
func masqueradeSets(table *nftables.Table, links4, links6 []string) []filledSet {
	return []filledSet{{ifnameSet(table, masquerade4), elements(links4)}, {ifnameSet(table, masquerade6), elements(links6)}}
}

// widen lets a socket take large transactions. It needs CAP_NET_ADMIN, as all of this; who has not got it, does not send any.
func widen(conn *netlink.Conn) error {
	conn.SetWriteBuffer(maxTransaction)
	return nil
}
