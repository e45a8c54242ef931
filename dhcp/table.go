package dhcp

import (
	"container/heap"
	"slices"
)

// state says what an entry's address is at the moment.
type state uint8

const (
	none       state = iota // there is no entry
	remembered              // lease over or given back; kept for its client while the pool has other addresses
	offered                 // in a DHCPOFFER, until the client asks for it
	bound                   // leased
	declined                // found in use by somebody else, set aside; belongs to no client
)

// marks are what else is known of an entry.
type marks uint8

const (
	onceLeased marks = 1 << iota // was bound before: worth remembering
	probing                      // somebody is being looked for who uses the address, see Config.Probe
	free                         // nobody was found
	heard                        // its client spoke to this server; not so of a lease that was only read from the journal
)

func (m marks) has(mark marks) bool { return m&mark != 0 }

// entry is what the table knows of one address that it ever offered.
type entry struct {
	client   string
	hostName string
	deadline int64 // Unix time in seconds at which the state ends; of a remembered entry, the end of the lease
	address  uint32
	hardware HardwareAddr
	state    state
	marks
}

// table holds at most one entry for each address and for each client. It is bounded by the size of the pool: clients that get no
// address leave no trace. Every operation is O(log n), a search for a free address goes over 64 addresses at a step.
type table struct {
	first, size uint32   // the pool
	reserved    []uint32 // in order
	cells       *cells
	clients     clientIndex // of all entries that are not declined
	deadlines   deadlines   // of all entries that are not remembered
	held        bitmap      // addresses that must not be given to anybody else: not remembered ones, and reserved ones
	known       bitmap      // held and remembered ones
	leases      int         // number of bound entries
}

func newTable(first, size uint32) *table {
	entries := new(cells)
	return &table{
		first: first, size: size,
		cells: entries, clients: newClientIndex(entries), deadlines: deadlines{cells: entries},
		held: newBitmap(size), known: newBitmap(size),
	}
}

// at returns the entry of an address; in state none without one.
func (t *table) at(address uint32) entry { return t.cells.entry(address) }

// of returns the entry of a client; in state none without one.
func (t *table) of(client string) entry { return t.cells.entry(t.clients.find(client)) }

// reserve takes an address out of the pool for good: the server's own, and those of static leases.
func (t *table) reserve(address uint32) {
	if t.dynamic(address) {
		t.held.set(address - t.first)
		t.known.set(address - t.first)
	}
	if at, found := slices.BinarySearch(t.reserved, address); !found {
		t.reserved = slices.Insert(t.reserved, at, address)
	}
}

// dynamic says whether an address may go to any client.
func (t *table) dynamic(address uint32) bool {
	_, reserved := slices.BinarySearch(t.reserved, address)
	return address-t.first < t.size && !reserved
}

// vacant says whether address may go to any client now.
func (t *table) vacant(address uint32) bool {
	return t.dynamic(address) && !t.held.has(address-t.first)
}

// free returns an address for a client whose hash is given: the first from there that was never used, else the first whose lease
// is over.
func (t *table) free(hash uint64) (address uint32, ok bool) {
	from := uint32(hash % uint64(t.size))
	offset, ok := t.known.nextClear(from)
	if !ok {
		offset, ok = t.held.nextClear(from)
	}
	return t.first + offset, ok
}

// advance ends the states whose time has come.
func (t *table) advance(now int64) {
	for len(t.deadlines.addresses) > 0 && t.deadlines.at(0).deadline <= now {
		t.end(t.at(t.deadlines.addresses[0]))
	}
}

// end ends the state of e: what was a lease once is remembered, the rest forgotten.
func (t *table) end(e entry) {
	if !e.has(onceLeased) {
		t.remove(e.address)
		return
	}
	t.unhold(e.address)
	e.state = remembered
	t.cells.store(e)
}

// put makes e the entry of its address and its client, in a state that lasts until deadline, and returns it so.
func (t *table) put(e entry, s state, deadline int64) entry {
	t.remove(e.address)
	t.remove(t.clients.find(e.client))
	e.state, e.deadline = s, deadline
	if s == bound {
		t.leases++
		e.marks |= onceLeased
	}
	t.cells.store(e)
	if s != declined {
		t.clients.add(e.address)
	}
	if t.dynamic(e.address) {
		t.held.set(e.address - t.first)
		t.known.set(e.address - t.first)
	}
	heap.Push(&t.deadlines, e.address)
	return e
}

// decline sets the address of e aside until deadline.
func (t *table) decline(e entry, deadline int64) {
	t.put(entry{address: e.address, hardware: e.hardware}, declined, deadline)
}

// rename gives the entry of an address to another client, which has none.
func (t *table) rename(e entry, client string) {
	t.clients.remove(e.address)
	e.client = client
	t.cells.store(e)
	t.clients.add(e.address)
}

// mark sets or removes what is known of the entry of an address, if there is one.
func (t *table) mark(address uint32, mark marks, on bool) {
	at := t.cells.at(address)
	switch {
	case at == nil:
	case on:
		at.marks |= mark
	default:
		at.marks &^= mark
	}
}

// remove forgets the entry of an address, if there is one.
func (t *table) remove(address uint32) {
	at := t.cells.at(address)
	if at == nil {
		return
	}
	t.unhold(address)
	if at.state != declined {
		t.clients.remove(address)
	}
	t.cells.remove(address)
	if t.dynamic(address) {
		t.known.clear(address - t.first)
	}
}

// unhold makes an address free for others.
func (t *table) unhold(address uint32) {
	at := t.cells.at(address)
	if at.state == remembered {
		return
	}
	heap.Remove(&t.deadlines, int(at.place))
	if t.dynamic(address) {
		t.held.clear(address - t.first)
	}
	if at.state == bound {
		t.leases--
	}
}

// cut shortens everything that lasts beyond limit.
func (t *table) cut(limit int64) {
	for i := range t.deadlines.addresses {
		at := t.deadlines.at(i)
		at.deadline = min(at.deadline, limit)
	}
	heap.Init(&t.deadlines)
}

// holder is the entry with the only lease of a table that gives out one.
func (t *table) holder() entry {
	for i, address := range t.deadlines.addresses {
		if t.deadlines.at(i).state == bound {
			return t.at(address)
		}
	}
	return entry{}
}

// deadlines is a heap of the addresses whose state ends by itself, the first to end on top.
type deadlines struct {
	cells     *cells
	addresses []uint32
}

func (d *deadlines) at(i int) *cell     { return d.cells.at(d.addresses[i]) }
func (d *deadlines) Len() int           { return len(d.addresses) }
func (d *deadlines) Less(i, j int) bool { return d.at(i).deadline < d.at(j).deadline }
func (d *deadlines) Swap(i, j int) {
	d.addresses[i], d.addresses[j] = d.addresses[j], d.addresses[i]
	d.at(i).place, d.at(j).place = int32(i), int32(j)
}

// Push is part of [heap.Interface].
func (d *deadlines) Push(x any) {
	d.addresses = append(d.addresses, x.(uint32))
	last := len(d.addresses) - 1
	d.at(last).place = int32(last)
}

// Pop is part of [heap.Interface].
func (d *deadlines) Pop() any {
	last := len(d.addresses) - 1
	address := d.addresses[last]
	d.addresses = d.addresses[:last]
	return address
}
