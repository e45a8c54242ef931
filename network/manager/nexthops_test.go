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

func (h *host) NextHops() ([]network.NextHop, error) { return slices.Clone(h.hops), nil }

// ApplyNextHops fails like the kernel for an ID that is taken.
func (h *host) ApplyNextHops(d network.NextHopDifference) error {
	for _, n := range slices.Concat(d.Replace, d.Add) {
		if status := string(h.saved[StatusFile]); !strings.Contains(status, fmt.Sprintf(`"id": %d,`, n.ID)) {
			h.t.Errorf("%v is set before it is noted down in %s", n, status)
		}
	}
	if h.applyErr != nil {
		return h.applyErr
	}
	for _, n := range slices.Concat(d.Remove, d.Replace) {
		h.hops = slices.DeleteFunc(h.hops, func(other network.NextHop) bool { return other.ID == n.ID })
	}
	for _, n := range slices.Concat(d.Replace, d.Add) {
		if _, taken := network.HopByID(h.hops, n.ID); taken {
			return errors.New("add next hop: file exists")
		}
		h.hops = append(h.hops, n)
	}
	return nil
}

func (h *host) hopsOf(want string) {
	h.t.Helper()
	if got := fmt.Sprint(h.hops); got != want {
		h.t.Errorf("next hops %s, want %s", got, want)
	}
}

// loseCarrier is what the kernel does when a carrier goes: next hops go with their routes, and out of groups.
func (h *host) loseCarrier(id uint32) {
	h.links[0].Carrier = false
	h.hops = slices.DeleteFunc(h.hops, func(n network.NextHop) bool { return n.ID == id })
	for i := range h.hops {
		h.hops[i].Group = slices.DeleteFunc(slices.Clone(h.hops[i].Group), func(m network.Member) bool { return m.ID == id })
	}
	h.static = slices.DeleteFunc(h.static, func(r network.StaticRoute) bool { return r.NextHop == id })
}

// Next hops come with the carrier, groups with their members, and routes with next hops; they go with the file, after a kill, and those of others
// stay.
func TestNextHops(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = routeFile("[NextHop]\nId=1\nGateway=10.0.0.2\n[NextHop]\nId=2\nGroup=1 9\n[NextHop]\nId=3\nBlackhole=yes\n" +
		"[Route]\nDestination=10.9.0.0/16\nNextHop=2\n")
	h.hops = []network.NextHop{{ID: 7}}
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.links[0].Up = true
	h.look(m, "<6>ve-web: 10.0.0.1/24, next hop id 1 via 10.0.0.2 (waits for the carrier), next hop id 2 group 1/9 (waits for others), next hop id 3 ipv4 blackhole, "+
		"route 10.9.0.0/16 nhid 2 (waits for a next hop)")
	h.hopsOf("[id 7 ipv4 id 3 ipv4 blackhole]")
	h.links[0].Carrier = true
	h.hops = append(h.hops, network.NextHop{ID: 9}) // an admin's
	const all = "<6>ve-web: 10.0.0.1/24, next hop id 1 via 10.0.0.2, next hop id 2 group 1/9, next hop id 3 ipv4 blackhole, route 10.9.0.0/16 nhid 2"
	h.look(m, all)
	h.hopsOf("[id 7 ipv4 id 3 ipv4 blackhole id 9 ipv4 id 1 via 10.0.0.2 id 2 group 1/9]")
	h.routesOf("[10.9.0.0/16 nhid 2]")

	h.loseCarrier(1)
	h.look(m, "<6>ve-web: 10.0.0.1/24, next hop id 1 via 10.0.0.2 (waits for the carrier), next hop id 2 group 1/9 (waits for others), next hop id 3 ipv4 blackhole, route 10.9.0.0/16 nhid 2")
	h.hopsOf("[id 7 ipv4 id 3 ipv4 blackhole id 9 ipv4 id 2 group 9]") // what is left of the group goes on
	h.routesOf("[10.9.0.0/16 nhid 2]")
	h.links[0].Carrier = true
	m = h.start() // the earlier daemon was killed
	h.look(m, all)
	h.hopsOf("[id 7 ipv4 id 3 ipv4 blackhole id 9 ipv4 id 2 group 1/9 id 1 via 10.0.0.2]")

	h.files["etc/systemd/network/10.network"] = routeFile("[NextHop]\nId=7\nGateway=10.0.0.2\n[NextHop]\nId=3\nGroup=9\n")
	m = h.start()
	h.look(m, "<3>ve-web: next hop id 7 via 10.0.0.2: its ID is taken: id 7 ipv4 is there, not networkd-lite's: choose another Id= in /etc/systemd/network/10.network")
	h.hopsOf("[id 7 ipv4 id 9 ipv4 id 3 group 9]")
	h.routesOf("[]")
	h.hops = slices.DeleteFunc(h.hops, func(n network.NextHop) bool { return n.ID == 7 })
	h.now = h.now.Add(firstWait)
	h.look(m, "<6>ve-web: 10.0.0.1/24, next hop id 7 via 10.0.0.2, next hop id 3 group 9")
	h.remove(3)
	h.look(m, "<6>ve-web: gone")
	h.hopsOf("[id 9 ipv4 id 7 via 10.0.0.2]") // the kernel takes that of the link itself
}

// One that cannot be set is tried again, and noted down once.
func TestNextHopFails(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = routeFile("[NextHop]\nId=1\nGateway=10.0.0.2\n")
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.links[0].Up, h.links[0].Carrier = true, true
	const configured = "<6>ve-web: 10.0.0.1/24, next hop id 1 via 10.0.0.2"
	h.look(m, configured)
	h.hops, h.applyErr = nil, errors.New("add next hop: out of memory")
	h.look(m, "<3>ve-web: add next hop: out of memory")
	for range 3 {
		h.now = h.now.Add(longestWait)
		h.look(m, "")
	}
	if got := m.Status().Links[0].NextHops; len(got) != 1 {
		t.Errorf("status: %v", got)
	}
	h.applyErr = nil
	h.now = h.now.Add(longestWait)
	h.look(m, configured)
	h.hopsOf("[id 1 via 10.0.0.2]")
}

// A file for several links gives one ID to one of them; a blackhole is for all, and goes with the last.
func TestNextHopsOfSeveralLinks(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-*\n[Network]\nLinkLocalAddressing=no\n" +
		"[NextHop]\nId=3\nBlackhole=yes\n[NextHop]\nId=4\n")}
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.add(4, "ve-db", "veth")
	for i := range h.links {
		h.links[i].Up, h.links[i].Carrier = true, true
	}
	h.look(m, "<6>ve-web: next hop id 3 ipv4 blackhole, next hop id 4 ipv4\n"+
		"<3>ve-db: next hop id 4 ipv4: its ID is taken: id 4 ipv4 is there, that of ve-web: choose another Id= in /etc/systemd/network/10.network")
	h.hopsOf("[id 3 ipv4 blackhole id 4 ipv4]")
	h.remove(3)
	h.hops = h.hops[:1] // the kernel takes that of the link itself
	h.now = h.now.Add(firstWait)
	h.look(m, "<6>ve-web: gone\n<6>ve-db: next hop id 3 ipv4 blackhole, next hop id 4 ipv4")
	h.hopsOf("[id 3 ipv4 blackhole id 4 ipv4]")
	h.managed[4] = true
	h.look(m, "<6>ve-db: left to systemd-networkd")
	h.hopsOf("[]")
}
