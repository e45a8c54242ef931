package main

import (
	"sync"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// neighbourAge is how old the list of neighbours may be: a query is to cost no system call.
const neighbourAge = time.Second

// neighbourTable knows who was heard of on links.
type neighbourTable struct {
	mu    sync.Mutex
	links map[int][]network.Neighbour // by index
	made  time.Time
}

// of lists the neighbours on a link. One that has gone has none. The kernel lists those of all links, however many are asked for.
func (t *neighbourTable) of(index int) []network.Neighbour {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.made) >= neighbourAge {
		list, _ := kernel.Neighbours()
		t.links, t.made = map[int][]network.Neighbour{}, now
		for _, n := range list {
			t.links[n.Index] = append(t.links[n.Index], n)
		}
	}
	return t.links[index]
}
