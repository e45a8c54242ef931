package dhcp

import (
	"iter"
	"maps"
	"slices"
)

// addressIndex finds entries by address. Neighbours share a page: of a full pool that costs half of what a map of addresses does.
type addressIndex struct {
	pages map[uint32]*[pageSize]*entry // by address / pageSize
	count int
}

const pageSize = 32

func newAddressIndex() addressIndex { return addressIndex{pages: map[uint32]*[pageSize]*entry{}} }

func (x *addressIndex) get(address uint32) *entry {
	if page := x.pages[address/pageSize]; page != nil {
		return page[address%pageSize]
	}
	return nil
}

// set makes e the entry of address; nil: none.
func (x *addressIndex) set(address uint32, e *entry) {
	page := x.pages[address/pageSize]
	if page == nil {
		page = &[pageSize]*entry{}
		x.pages[address/pageSize] = page
	}
	slot := &page[address%pageSize]
	if *slot != nil {
		x.count--
	}
	if e != nil {
		x.count++
	}
	*slot = e
}

// addresses are the ones that may have entries, in order.
func (x *addressIndex) addresses() iter.Seq[uint32] {
	pages := slices.Sorted(maps.Keys(x.pages))
	return func(yield func(uint32) bool) {
		for _, page := range pages {
			for i := range uint32(pageSize) {
				if !yield(page*pageSize + i) {
					return
				}
			}
		}
	}
}
