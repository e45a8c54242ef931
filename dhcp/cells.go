package dhcp

import (
	"cmp"
	"iter"
	"slices"
)

// cell is an entry as the table keeps it, in 24 bytes and without a pointer: a full pool costs little memory, and the garbage collector
// nothing.
type cell struct {
	deadline int64
	place    int32  // in table.deadlines, of an entry that is there
	next     uint32 // address of the next entry in the chain of table.clients
	hardware HardwareAddr
	state    state
	marks    marks
}

// cells holds entries by address. The zero value has none.
type cells struct {
	pages []page            // in the order of their numbers
	texts map[uint32]string // what has no room in a cell, by address: see entry.text; nil: nothing yet
	count int
}

const pageSize = 16

// page has the cells of neighbours, which stay where they are.
type page struct {
	number uint32 // their addresses / pageSize
	cells  *[pageSize]cell
}

// search returns where the page of address is in c.pages, or belongs.
func (c *cells) search(address uint32) (index int, found bool) {
	return slices.BinarySearchFunc(c.pages, address/pageSize, func(p page, number uint32) int { return cmp.Compare(p.number, number) })
}

// at returns the cell of address; nil: none.
func (c *cells) at(address uint32) *cell {
	index, found := c.search(address)
	if !found {
		return nil
	}
	at := &c.pages[index].cells[address%pageSize]
	if at.state == none {
		return nil
	}
	return at
}

// entry returns that of address; in state none without one.
func (c *cells) entry(address uint32) entry {
	at := c.at(address)
	if at == nil {
		return entry{}
	}
	e := entry{address: address, deadline: at.deadline, hardware: at.hardware, state: at.state, marks: at.marks}
	if e.state != declined {
		e.client = string(c.appendClient(nil, address))
	}
	if text := c.texts[address]; text != "" {
		e.hostName = text[1+int(text[0]):]
	}
	return e
}

// store makes e the entry of its address, where it was or newly.
func (c *cells) store(e entry) {
	index, found := c.search(e.address)
	if !found {
		c.pages = slices.Insert(c.pages, index, page{e.address / pageSize, new([pageSize]cell)})
	}
	at := &c.pages[index].cells[e.address%pageSize]
	if at.state == none {
		c.count++
	}
	at.deadline, at.hardware, at.state, at.marks = e.deadline, e.hardware, e.state, e.marks
	text := e.text()
	if text == "" {
		delete(c.texts, e.address)
		return
	}
	if c.texts == nil {
		c.texts = map[uint32]string{}
	}
	c.texts[e.address] = text
}

// remove forgets the entry of address.
func (c *cells) remove(address uint32) {
	if at := c.at(address); at != nil {
		*at = cell{}
		delete(c.texts, address)
		c.count--
	}
}

// text is what a cell has no room for: the length of the client identifier, the identifier and the host name. The identifier is empty
// where it follows from the hardware address; empty as a whole where there is no host name either.
func (e *entry) text() string {
	client := e.client
	if client == clientOf(e.hardware) {
		client = ""
	}
	if client == "" && e.hostName == "" {
		return ""
	}
	return string([]byte{byte(len(client))}) + client + e.hostName
}

// appendClient appends the client identifier of the entry of address, which exists.
func (c *cells) appendClient(b []byte, address uint32) []byte {
	if text := c.texts[address]; text != "" && text[0] > 0 {
		return append(b, text[1:1+int(text[0])]...)
	}
	at := c.at(address)
	return append(append(b, hardwareEthernet), at.hardware[:]...)
}

// addresses are the ones that may have entries, in order.
func (c *cells) addresses() iter.Seq[uint32] {
	pages := slices.Clone(c.pages)
	return func(yield func(uint32) bool) {
		for _, page := range pages {
			for i := range uint32(pageSize) {
				if !yield(page.number*pageSize + i) {
					return
				}
			}
		}
	}
}
