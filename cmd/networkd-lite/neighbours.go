package main

import (
	"sync"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// neighbourAge is how old a list of neighbours may be: a query is to cost no system call.
const neighbourAge = time.Second

// neighbourTable knows who was heard of on links.
type neighbourTable struct {
	mu    sync.Mutex
	links map[int]neighbourList // by index
	began time.Time             // when the oldest list was made
}

type neighbourList struct {
	made time.Time
	list []network.Neighbour
}

// of lists the neighbours on a link. One that has gone has none.
func (t *neighbourTable) of(index int) []network.Neighbour {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.links == nil || now.Sub(t.began) > time.Minute { // links come and go
		t.links, t.began = map[int]neighbourList{}, now
	}
	if known, found := t.links[index]; found && now.Sub(known.made) < neighbourAge {
		return known.list
	}
	list, _ := kernel.Neighbours(index)
	t.links[index] = neighbourList{now, list}
	return list
}
