package manager

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/network"
)

func (h *host) StaticRoutes() (map[int][]network.StaticRoute, error) {
	list := map[int][]network.StaticRoute{}
	for _, r := range h.static {
		link := 3
		if r.Linkless() {
			link = 0
		}
		list[link] = append(list[link], r)
	}
	return list, nil
}

func (h *host) ApplyRoutes(l network.Link, d network.RouteDifference) error {
	if h.applyErr != nil {
		return h.applyErr
	}
	for _, r := range d.Add {
		if network.ContainsRoute(h.static, r) {
			h.t.Errorf("route %v added twice", r)
		}
		if status := string(h.saved[StatusFile]); r.Linkless() && !strings.Contains(status, r.Destination.String()) {
			h.t.Errorf("%v is set before it is noted down in %s", r, status)
		}
	}
	h.removed = append(h.removed, d.Remove...)
	h.static = slices.DeleteFunc(slices.Concat(h.static, d.Add), func(r network.StaticRoute) bool { return network.ContainsRoute(d.Remove, r) })
	return nil
}

func (h *host) routesOf(want string) {
	h.t.Helper()
	if got := fmt.Sprint(h.static); got != want {
		h.t.Errorf("routes %s, want %s", got, want)
	}
}

func routeFile(sections string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("[Match]\nName=ve-web\n[Network]\nAddress=10.0.0.1/24\n" + sections)}
}

// Routes come when the link is up, come back when somebody takes them away, and go with the file and after a kill.
func TestRoutes(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = routeFile("[Route]\nGateway=10.0.0.2\nDestination=10.9.0.0/16\n")
	m := h.start()
	h.add(3, "ve-web", "veth")
	const configured = "<6>ve-web: 10.0.0.1/24, route 10.9.0.0/16 via 10.0.0.2"
	h.look(m, configured)
	h.routesOf("[]") // the link was down
	h.look(m, "")
	h.routesOf("[10.9.0.0/16 via 10.0.0.2]")
	h.static = nil
	h.look(m, "")
	h.routesOf("[10.9.0.0/16 via 10.0.0.2]")

	foreign := h.static[0]
	foreign.Metric = 7
	h.static = append(h.static, foreign)
	h.files["etc/systemd/network/10.network"] = routeFile("Gateway=10.0.0.3\n")
	m = h.start() // the earlier daemon was killed
	h.look(m, "<6>ve-web: 10.0.0.1/24, route default via 10.0.0.3")
	h.routesOf("[10.9.0.0/16 via 10.0.0.2 metric 7 default via 10.0.0.3]")

	h.managed[3] = true
	h.look(m, "<6>ve-web: left to systemd-networkd")
	h.routesOf("[10.9.0.0/16 via 10.0.0.2 metric 7]")
}

// A route that cannot be set is tried again, and is no reason to have no address.
func TestRouteFails(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = routeFile("[Route]\nGateway=10.0.0.2\n")
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.look(m, "<6>ve-web: 10.0.0.1/24, route default via 10.0.0.2")
	h.applyErr = errors.New("add route: file exists")
	h.look(m, "<3>ve-web: add route: file exists")
	h.applyErr = nil
	h.now = h.now.Add(firstWait)
	h.look(m, "<6>ve-web: 10.0.0.1/24, route default via 10.0.0.2")
	h.routesOf("[default via 10.0.0.2]")
}

// A route that leads nowhere is the kernel's alone: it goes with the last link that wants it, after a kill, too.
func TestLinklessRoutes(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-*\n[Network]\nLinkLocalAddressing=no\n[Route]\nDestination=10.9.0.0/16\nType=blackhole\n")}
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.add(4, "ve-db", "veth")
	h.links[0].Up, h.links[1].Up = true, true
	h.look(m, "<6>ve-web: route blackhole 10.9.0.0/16\n<6>ve-db: route blackhole 10.9.0.0/16")
	h.routesOf("[blackhole 10.9.0.0/16]")
	h.remove(3)
	h.look(m, "<6>ve-web: gone")
	h.routesOf("[blackhole 10.9.0.0/16]")

	m = h.start() // the earlier daemon was killed, and the link went meanwhile
	h.remove(4)
	h.applyErr = errors.New("remove route: out of memory")
	h.look(m, "<3>remove route: out of memory")
	h.applyErr = nil
	h.look(m, "")
	h.routesOf("[]")
}

// A route over several links waits until all are up, and goes with one of them: what is left of one of IPv6, too.
func TestMultiPathRoutes(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = routeFile("[Route]\nDestination=2001:db8::/32\nMultiPathRoute=fe80::2 9\nMultiPathRoute=fe80::2@ve-db\n")
	h.files["etc/systemd/network/20.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-db\n")}
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.links[0].Up = true
	const route = "2001:db8::/32 nexthop via fe80::2 weight 9 nexthop via fe80::2 dev ve-db weight 1 metric 1024"
	h.look(m, "<6>ve-web: 10.0.0.1/24, route "+route+" (waits for a link)")
	h.routesOf("[]")
	h.add(4, "ve-db", "veth")
	h.links[1].Up = true
	h.look(m, "<6>ve-web: 10.0.0.1/24, route "+route+"\n<6>ve-db: up")
	h.routesOf("[2001:db8::/32 nexthop via fe80::2 dev 3 weight 9 nexthop via fe80::2 dev 4 weight 1 metric 1024]")

	m = h.start() // the earlier daemon was killed
	h.look(m, "<6>ve-web: 10.0.0.1/24, route "+route+"\n<6>ve-db: up")
	h.remove(4)
	h.removed = nil
	h.look(m, "<6>ve-db: gone\n<6>ve-web: 10.0.0.1/24, route "+route+" (waits for a link)")
	h.routesOf("[]")
	h.look(m, "")
	if len(h.removed) != 1 {
		t.Errorf("removed %v", h.removed)
	}
}
