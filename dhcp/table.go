package dhcp

import "container/heap"

// state says what an entry's address is at the moment.
type state uint8

const (
	remembered state = iota // lease over or given back; kept for its client while the pool has other addresses
	offered                 // in a DHCPOFFER, until the client asks for it
	bound                   // leased
	declined                // found in use by somebody else, set aside; belongs to no client
)

// entry is what the table knows of one address that it ever offered.
type entry struct {
	client   string
	hostName string
	deadline int64 // Unix time in seconds at which the state ends; of a remembered entry, the end of the lease
	address  uint32
	place    int32 // in table.deadlines, -1 when remembered
	hardware HardwareAddr
	state    state
	leased   bool // was bound before: worth remembering
	probing  bool // somebody is being looked for who uses the address, see Config.Probe
	free     bool // nobody was found
	heard    bool // its client spoke to this server; false for a lease that was only read from the journal
}

// table holds at most one entry for each address and for each client. It is bounded by the size of the pool: clients that get no
// address leave no trace. Every operation is O(log n), a search for a free address goes over 64 addresses at a step.
type table struct {
	first, size uint32 // the pool
	reserved    map[uint32]bool
	byAddress   addressIndex
	byClient    map[string]*entry
	deadlines   deadlines
	held        bitmap // addresses that must not be given to anybody else: not remembered ones, and reserved ones
	known       bitmap // held and remembered ones
	leases      int    // number of bound entries
}

func newTable(first, size uint32) *table {
	return &table{
		first: first, size: size, reserved: map[uint32]bool{},
		byAddress: newAddressIndex(), byClient: map[string]*entry{},
		held: newBitmap(size), known: newBitmap(size),
	}
}

// reserve takes an address out of the pool for good: the server's own, and those of static leases.
func (t *table) reserve(address uint32) {
	if t.dynamic(address) {
		t.held.set(address - t.first)
		t.known.set(address - t.first)
	}
	t.reserved[address] = true
}

// dynamic says whether an address may go to any client.
func (t *table) dynamic(address uint32) bool { return address-t.first < t.size && !t.reserved[address] }

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
	for len(t.deadlines) > 0 && t.deadlines[0].deadline <= now {
		t.end(t.deadlines[0])
	}
}

// end ends the state of e: what was a lease once is remembered, the rest forgotten.
func (t *table) end(e *entry) {
	if !e.leased {
		t.remove(e)
		return
	}
	t.unhold(e)
	e.state = remembered
}

// put makes e the entry of its address and its client, in a state that lasts until deadline.
func (t *table) put(e *entry, s state, deadline int64) {
	if old := t.byAddress.get(e.address); old != e {
		t.remove(old)
	}
	if old := t.byClient[e.client]; old != e {
		t.remove(old)
	}
	t.unhold(e)
	e.state, e.deadline = s, deadline
	t.byAddress.set(e.address, e)
	if s != declined {
		t.byClient[e.client] = e
	}
	if t.dynamic(e.address) {
		t.held.set(e.address - t.first)
		t.known.set(e.address - t.first)
	}
	if s == bound {
		t.leases++
		e.leased = true
	}
	heap.Push(&t.deadlines, e)
}

// decline sets the address of e aside until deadline.
func (t *table) decline(e *entry, deadline int64) {
	t.remove(e)
	t.put(&entry{address: e.address, hardware: e.hardware, place: -1}, declined, deadline)
}

// remove forgets e; nil is nothing to forget.
func (t *table) remove(e *entry) {
	if e == nil {
		return
	}
	t.unhold(e)
	t.byAddress.set(e.address, nil)
	if t.byClient[e.client] == e {
		delete(t.byClient, e.client)
	}
	if t.dynamic(e.address) {
		t.known.clear(e.address - t.first)
	}
}

// unhold makes the address of e free for others.
func (t *table) unhold(e *entry) {
	if e.place < 0 {
		return
	}
	heap.Remove(&t.deadlines, int(e.place))
	if t.dynamic(e.address) {
		t.held.clear(e.address - t.first)
	}
	if e.state == bound {
		t.leases--
	}
}

// cut shortens everything that lasts beyond limit.
func (t *table) cut(limit int64) {
	for _, e := range t.deadlines {
		e.deadline = min(e.deadline, limit)
	}
	heap.Init(&t.deadlines)
}

// holder is the entry with the only lease of a table that gives out one.
func (t *table) holder() *entry {
	for _, e := range t.deadlines {
		if e.state == bound {
			return e
		}
	}
	return nil
}

// deadlines is a heap with the entry that ends first on top.
type deadlines []*entry

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline < d[j].deadline }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = int32(i), int32(j)
}

// Push is part of [heap.Interface].
func (d *deadlines) Push(x any) {
	e := x.(*entry)
	e.place = int32(len(*d))
	*d = append(*d, e)
}

// Pop is part of [heap.Interface].
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	e.place = -1
	return e
}
