package manager

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"nspawnkit/network"
)

// NextHops are the next hop objects of the host. [nspawnkit/network/kernel.Links] is one.
type NextHops interface {
	NextHops() ([]network.NextHop, error)
	// ApplyNextHops does what the difference says, and goes on after an error: each next hop is a thing of its own.
	ApplyNextHops(network.NextHopDifference) error
}

// setNextHops gives a link the next hops that it is to have. Where there never were any, the kernel is not asked.
func (m *Manager) setNextHops(l *link, want []network.NextHop) error {
	if l.noHops = nil; len(want)+len(l.nextHops) == 0 {
		return nil
	}
	if err := m.listNextHops(); err != nil {
		return err
	}
	now := l.NextHopsNow(want, m.nextHopList)
	difference := network.DiffNextHops(m.nextHopList, want, now, l.nextHops)
	difference.Remove = slices.DeleteFunc(difference.Remove, func(n network.NextHop) bool { return m.sharedNextHop(n, l) })
	taken := m.takenIDs(l, difference.Taken)
	ours := slices.DeleteFunc(slices.Clone(now), func(n network.NextHop) bool { return slices.ContainsFunc(difference.Taken, n.Equal) })
	// A group stays with what is left of it until all of it is there again.
	for _, n := range l.nextHops {
		_, wanted := network.HopByID(want, n.ID)
		if _, is := network.HopByID(now, n.ID); wanted && !is {
			ours = append(ours, n)
		}
	}
	for _, n := range want {
		if _, is := network.HopByID(now, n.ID); !is {
			l.noHops = append(l.noHops, n.ID)
		}
	}
	if !difference.Empty() {
		m.nextHopList, m.staticRoutes, m.newHops = nil, nil, true // the kernel takes routes away with next hops
		l.nextHops = addHops(ours, l.nextHops)                    // noted beforehand: what is set half way is ours too,
		m.saveStatus()                                            // when this process is killed there, too: nothing else tells it from others'
		if err := m.NextHops.ApplyNextHops(difference); err != nil {
			return errors.Join(taken, err)
		}
	}
	l.nextHops = ours
	return taken
}

// addHops returns a list with those of another one that it has not.
func addHops(list, more []network.NextHop) []network.NextHop {
	list = slices.Clone(list)
	for _, n := range more {
		if !slices.ContainsFunc(list, n.Equal) {
			list = append(list, n)
		}
	}
	return list
}

// takenIDs says who has the IDs of next hops that cannot be.
func (m *Manager) takenIDs(l *link, hops []network.NextHop) error {
	var problems []error
	for _, n := range hops {
		found, _ := network.HopByID(m.nextHopList, n.ID)
		owner := "not networkd-lite's"
		for _, other := range m.links {
			if other != l && slices.ContainsFunc(other.nextHops, found.Equal) {
				owner = "that of " + other.Name
			}
		}
		problems = append(problems, fmt.Errorf("next hop %v: its ID is taken: %v is there, %s: choose another Id= in %s", n, found, owner, l.file.Path))
	}
	return errors.Join(problems...)
}

// listNextHops has the kernel list the next hops.
func (m *Manager) listNextHops() error {
	if m.nextHopList != nil {
		return nil
	}
	list, err := m.NextHops.NextHops()
	m.nextHopList = append([]network.NextHop{}, list...)
	return err
}

// awaitHops returns the routes of which all next hops are there, and takes note of the others.
func (m *Manager) awaitHops(l *link, want []network.StaticRoute) (now []network.StaticRoute, err error) {
	l.waiting = nil
	for _, r := range want {
		waits := r.Waits(l.Link, m.list)
		if r.NextHop != 0 {
			if err := m.listNextHops(); err != nil {
				return nil, err
			}
			_, there := network.HopByID(m.nextHopList, r.NextHop)
			waits = !there
		}
		if waits {
			l.waiting = append(l.waiting, r)
		} else {
			now = append(now, r)
		}
	}
	return now, nil
}

// sharedNextHop reports whether another link than this one has a next hop that is of no link.
func (m *Manager) sharedNextHop(n network.NextHop, except *link) bool {
	for _, l := range m.links {
		if l != except && n.Link == 0 && slices.ContainsFunc(l.nextHops, n.Equal) {
			return true
		}
	}
	return false
}

// removeLeftNextHops removes the next hops of links that have gone, after their routes. It returns how long to wait until the next attempt, or
// until next hops that are waited for are looked for again.
func (m *Manager) removeLeftNextHops() time.Duration {
	changed := m.newHops
	m.newHops = false
	m.leftNextHops = slices.DeleteFunc(m.leftNextHops, func(n network.NextHop) bool { return m.sharedNextHop(n, nil) })
	if len(m.leftNextHops) > 0 {
		err := m.listNextHops()
		if err == nil {
			err = m.NextHops.ApplyNextHops(network.DiffNextHops(m.nextHopList, nil, nil, m.leftNextHops))
		}
		if err != nil {
			m.Report(Error, err.Error())
			return longestWait
		}
		m.leftNextHops = nil
	}
	for _, l := range m.links {
		byID := func(r network.StaticRoute) bool { return r.NextHop != 0 }
		if len(l.noHops) == 0 && !slices.ContainsFunc(l.waiting, byID) {
			continue
		}
		if changed {
			return firstWait // perhaps they came after this link's turn
		}
		return longestWait
	}
	return idle
}

// describeRoutes says what next hops and routes a link was given.
func (l *link) describeRoutes() (parts []string) {
	for _, n := range l.state.NextHops {
		text := "next hop " + n.String()
		switch waits := slices.Contains(l.noHops, n.ID); {
		case waits && len(n.Group) > 0:
			text += " (waits for others)"
		case waits:
			text += " (waits for the carrier)"
		}
		parts = append(parts, text)
	}
	for _, r := range l.state.Routes {
		text := "route " + r.String()
		if network.ContainsRoute(l.waiting, r) {
			text += " (waits for a " + map[bool]string{true: "next hop", false: "link"}[r.NextHop != 0] + ")"
		}
		parts = append(parts, text)
	}
	return parts
}
