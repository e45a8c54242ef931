package manager

import (
	"slices"

	"nspawnkit/network"
)

// Routes are the routes of links. [nspawnkit/network/kernel.Links] is one.
type Routes interface {
	// StaticRoutes lists those that somebody set, with the protocol "static", by index of the link.
	StaticRoutes() (map[int][]network.StaticRoute, error)
	// ApplyRoutes does what the difference says, and goes on after an error: each route is a thing of its own.
	ApplyRoutes(network.Link, network.RouteDifference) error
}

// route gives a link the routes that it is to have. Where there never were any, the kernel is not asked.
func (m *Manager) route(l *link, want []network.StaticRoute) error {
	want = l.RoutesNow(want)
	if len(want)+len(l.routes) == 0 {
		return nil
	}
	if m.staticRoutes == nil { // the kernel lists those of all links at a time
		var err error
		if m.staticRoutes, err = m.Routes.StaticRoutes(); err != nil {
			return err
		}
	}
	difference := network.DiffRoutes(m.staticRoutes[l.Index], want, l.routes)
	// Noted beforehand: what is set half way is ours too.
	for _, r := range want {
		if !slices.Contains(l.routes, r) {
			l.routes = append(l.routes, r)
		}
	}
	if difference.Empty() {
		l.routes = want
		return nil
	}
	if err := m.Routes.ApplyRoutes(l.Link, difference); err != nil {
		return err
	}
	l.routes = want
	return nil
}
