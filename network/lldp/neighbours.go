package lldp

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// How many neighbours are kept. Whoever invents more loses those of its own link that would end first.
const (
	maxNeighbours     = 4096 // of all links
	maxLinkNeighbours = 128  // of one link
)

// saveInterval is the least between two times that neighbours are saved.
const saveInterval = time.Second

// Listener is a link on which neighbours are listened to.
type Listener struct {
	Name        string
	RoutersOnly bool    // LLDP=routers-only
	Source      [6]byte // hardware address of the link: nobody else's
}

// Neighbours are those of all links. While nothing comes and nobody's time ends, they sleep.
type Neighbours struct {
	Save func([]Neighbour) // takes all, when they are others than before

	mu    sync.Mutex
	links map[int]*listened
	total int
	dirty bool
	poke  chan struct{}
}

// listened is a link with its neighbours.
type listened struct {
	Listener
	stations map[station]*heard
}

// station is what tells neighbours apart (IEEE 802.1AB-2016, MSAP).
type station struct{ chassis, port string }

type heard struct {
	Neighbour
	until time.Time
}

// NewNeighbours returns none; they are saved once, too.
func NewNeighbours(save func([]Neighbour)) *Neighbours {
	return &Neighbours{Save: save, links: map[int]*listened{}, dirty: true, poke: make(chan struct{}, 1)}
}

// Listen says on which links, by index, neighbours are listened to. Those of others are forgotten.
func (n *Neighbours) Listen(links map[int]Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for index, l := range n.links {
		if wanted, found := links[index]; !found || wanted != l.Listener {
			n.total -= len(l.stations)
			n.dirty = n.dirty || len(l.stations) > 0
			delete(n.links, index)
		}
	}
	for index, wanted := range links {
		if n.links[index] == nil {
			n.links[index] = &listened{Listener: wanted, stations: map[station]*heard{}}
		}
	}
	n.wake()
}

// Receive takes a frame that came in on the link with that index. What is malformed, or nobody listens to, is dropped.
func (n *Neighbours) Receive(link int, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[link]
	if l == nil {
		return
	}
	m, err := parse(frame)
	if err != nil || [6]byte(frame[6:12]) == l.Source {
		return
	}
	id := station{m.chassis, m.port}
	before := l.stations[id]
	if m.lifetime == 0 || l.RoutersOnly && !m.Capabilities.Routers() {
		if before != nil {
			n.drop(l, id)
			n.wake()
		}
		return
	}
	if before == nil {
		n.makeRoom(l)
		before = &heard{}
		l.stations[id] = before
		n.total++
	}
	m.Link = l.Name
	until := time.Now().Add(m.lifetime)
	changed := before.Neighbour != m.Neighbour
	n.dirty = n.dirty || changed
	if changed || until.Before(before.until) { // one that only lives on need not wake Run
		n.wake()
	}
	before.Neighbour, before.until = m.Neighbour, until
}

func (n *Neighbours) drop(l *listened, id station) {
	delete(l.stations, id)
	n.total--
	n.dirty = true
}

// makeRoom drops a neighbour where there are too many: the link's own, or where the link has none, one of the link that has most.
func (n *Neighbours) makeRoom(l *listened) {
	if len(l.stations) < maxLinkNeighbours && n.total < maxNeighbours {
		return
	}
	if len(l.stations) == 0 {
		for _, other := range n.links {
			if len(other.stations) > len(l.stations) {
				l = other
			}
		}
	}
	var first station
	for id, h := range l.stations {
		if l.stations[first] == nil || h.until.Before(l.stations[first].until) {
			first = id
		}
	}
	n.drop(l, first)
}

// wake has Run look when there is something to save, or another time to wait for.
func (n *Neighbours) wake() {
	select {
	case n.poke <- struct{}{}:
	default:
	}
}

// Run saves what changes, and forgets neighbours whose time has ended, until ctx ends.
func (n *Neighbours) Run(ctx context.Context) {
	for {
		list, changed, next := n.look(time.Now())
		var timer <-chan time.Time // none: there are no neighbours
		poke := n.poke
		if changed {
			n.Save(list)
			timer, poke = time.After(saveInterval), nil
		} else if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-poke:
		case <-timer:
		}
	}
}

// look forgets whose time has ended, and returns all if they have changed, by link, and when the next one's time ends.
func (n *Neighbours) look(now time.Time) (list []Neighbour, changed bool, next time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list = []Neighbour{}
	for _, l := range n.links {
		for id, h := range l.stations {
			if !h.until.After(now) {
				n.drop(l, id)
				continue
			}
			list = append(list, h.Neighbour)
			if next.IsZero() || h.until.Before(next) {
				next = h.until
			}
		}
	}
	changed, n.dirty = n.dirty, false
	if changed {
		slices.SortFunc(list, func(a, b Neighbour) int {
			return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.ChassisID, b.ChassisID), cmp.Compare(a.PortID, b.PortID))
		})
	}
	return list, changed, next
}
