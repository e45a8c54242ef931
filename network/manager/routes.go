package manager

import (
	"errors"
	"slices"
	"time"

	"nspawnkit/network"
)

// Routes are the routes of links. [nspawnkit/network/kernel.Links] is one.
type Routes interface {
	// StaticRoutes lists the routes by index of the link; 0: those that lead nowhere.
	StaticRoutes() (map[int][]network.StaticRoute, error)
	// ApplyRoutes does what the difference says, and goes on after an error: each route is a thing of its own.
	ApplyRoutes(network.Link, network.RouteDifference) error
}

// route gives a link the next hops and routes that it is to have. Where there never were any, the kernel is not asked.
func (m *Manager) route(l *link, want []network.StaticRoute, hops []network.NextHop) error {
	return errors.Join(m.setNextHops(l, hops), m.setRoutes(l, want))
}

func (m *Manager) setRoutes(l *link, want []network.StaticRoute) error {
	want, err := m.awaitHops(l, want)
	want = l.RoutesNow(want, m.list)
	if len(want)+len(l.routes) == 0 || err != nil {
		return err
	}
	if err := m.listRoutes(); err != nil {
		return err
	}
	difference := network.DiffRoutes(l.RoutesThere(m.staticRoutes, slices.Concat(want, l.routes)), want, l.routes)
	difference.Remove = slices.DeleteFunc(difference.Remove, func(r network.StaticRoute) bool { return m.sharedRoute(r, l) })
	// Noted beforehand: what is set half way is ours too.
	for _, r := range want {
		if !network.ContainsRoute(l.routes, r) {
			l.routes = append(l.routes, r)
		}
	}
	if !difference.Empty() {
		if slices.ContainsFunc(slices.Concat(difference.Add, difference.Remove), network.StaticRoute.Linkless) {
			m.staticRoutes = nil // the next link is to see it: of two that want the same route that leads nowhere, one sets it
			m.saveStatus()       // when this process is killed half way it is known whose they are: they do not go with the link
		}
		if err := m.Routes.ApplyRoutes(l.Link, difference); err != nil {
			return err
		}
	}
	l.routes = want
	return nil
}

// listRoutes has the kernel list the routes, of all links at a time.
func (m *Manager) listRoutes() (err error) {
	if m.staticRoutes == nil {
		m.staticRoutes, err = m.Routes.StaticRoutes()
	}
	return err
}

// sharedRoute reports whether another link than this one has a route that does not go with a link.
func (m *Manager) sharedRoute(r network.StaticRoute, except *link) bool {
	for _, l := range m.links {
		if l != except && r.Linkless() && network.ContainsRoute(l.routes, r) {
			return true
		}
	}
	return false
}

// leaveRoutes takes note of what a link that has gone leaves behind: routes that lead nowhere, or over other links too, do not go with it,
// and neither do next hops that are of no link.
func (m *Manager) leaveRoutes(routes []network.StaticRoute, hops []network.NextHop) {
	for _, n := range hops {
		if n.Link == 0 {
			m.leftNextHops = append(m.leftNextHops, n)
		}
	}
	for _, r := range routes {
		if r.Linkless() {
			m.leftRoutes = append(m.leftRoutes, r)
		}
	}
}

// removeLeftRoutes removes the routes of links that have gone, and returns how long to wait until the next attempt.
func (m *Manager) removeLeftRoutes() time.Duration {
	m.leftRoutes = slices.DeleteFunc(m.leftRoutes, func(r network.StaticRoute) bool { return m.sharedRoute(r, nil) })
	if len(m.leftRoutes) == 0 {
		return idle
	}
	err := m.listRoutes()
	if err == nil {
		there := network.Link{}.RoutesThere(m.staticRoutes, m.leftRoutes)
		m.leftRoutes = slices.DeleteFunc(m.leftRoutes, func(r network.StaticRoute) bool { return !network.ContainsRoute(there, r) && !r.Divisible() })
		err = m.Routes.ApplyRoutes(network.Link{}, network.RouteDifference{Remove: m.leftRoutes})
	}
	if err != nil {
		m.Report(Error, err.Error())
		return longestWait
	}
	m.leftRoutes = nil
	return idle
}
