package dhcp

import "hash/maphash"

// clientIndex finds the entries of clients: a table of hashes whose chains go through the cells. Clients choose their identifiers, but
// do not know the seed, and so cannot choose one chain for all.
type clientIndex struct {
	cells *cells
	seed  maphash.Seed
	heads []uint32 // the first address of each chain, 0: none; their number is a power of two
	count int
}

func newClientIndex(c *cells) clientIndex {
	return clientIndex{cells: c, seed: maphash.MakeSeed(), heads: make([]uint32, 1)}
}

// find returns the address of a client; 0: none.
func (x *clientIndex) find(client string) uint32 {
	var buffer [maxClientIdentifier]byte
	for address := *x.head([]byte(client)); address != 0; address = x.cells.at(address).next {
		if string(x.cells.appendClient(buffer[:0], address)) == client {
			return address
		}
	}
	return 0
}

// add makes the entry of address, which is new, one that is found by its client.
func (x *clientIndex) add(address uint32) {
	if x.count == len(x.heads) {
		x.grow()
	}
	x.count++
	x.link(address)
}

// remove undoes add, while the entry is still the same.
func (x *clientIndex) remove(address uint32) {
	var buffer [maxClientIdentifier]byte
	at := x.head(x.cells.appendClient(buffer[:0], address))
	for *at != address {
		at = &x.cells.at(*at).next
	}
	*at = x.cells.at(address).next
	x.count--
}

func (x *clientIndex) head(client []byte) *uint32 {
	return &x.heads[maphash.Bytes(x.seed, client)&uint64(len(x.heads)-1)]
}

func (x *clientIndex) link(address uint32) {
	var buffer [maxClientIdentifier]byte
	head := x.head(x.cells.appendClient(buffer[:0], address))
	x.cells.at(address).next, *head = *head, address
}

func (x *clientIndex) grow() {
	chains := x.heads
	x.heads = make([]uint32, 2*len(chains))
	for _, address := range chains {
		for address != 0 {
			next := x.cells.at(address).next
			x.link(address)
			address = next
		}
	}
}
