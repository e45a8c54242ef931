package manager

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// wait looks at the host, lets time pass, and looks again.
func (h *host) wait(m *Manager, d time.Duration, log string) {
	h.t.Helper()
	h.look(m, "")
	h.now = h.now.Add(d)
	h.look(m, log)
}

const noRequest = "<4>ve-web: no lease after 10s: no DHCP request came: no network client runs in the container, " +
	"or a firewall of the host drops UDP port 67"

func TestNoLease(t *testing.T) {
	for name, test := range map[string]struct {
		outcome dhcp.Outcome
		want    string
	}{
		"silent":   {dhcp.Outcome{}, noRequest},
		"refused":  {dhcp.Outcome{Asked: true, Refused: dhcp.ErrNoAddress}, "<4>ve-web: no lease after 10s: its DHCP request was refused: no free address in the pool"},
		"earlier":  {dhcp.Outcome{Leased: true}, noRequest}, // the lease is one of an earlier run of the container
		"other":    {dhcp.Outcome{Asked: true, Other: netip.MustParseAddr("10.0.0.9")}, "<4>ve-web: no lease after 10s: it chose another DHCP server, 10.0.0.9"},
		"has one":  {dhcp.Outcome{Leased: true, Heard: true}, ""},
		"was NAKd": {dhcp.Outcome{Asked: true, Refused: errors.New("address is not on this network")}, "<4>ve-web: no lease after 10s: its DHCP request was refused: address is not on this network"},
	} {
		t.Run(name, func(t *testing.T) {
			h, m := running(t)
			h.links[1].Carrier = true
			h.outcome = test.outcome
			h.wait(m, 9*time.Second, "") // not yet
			h.wait(m, time.Second, test.want)
			h.wait(m, time.Hour, "") // said once
			if got := m.Status().Links[0].Problems; (len(got) > 0) != (test.want != "") {
				t.Errorf("status: %q", got)
			}
			h.outcome = dhcp.Outcome{Leased: true, Heard: true}
			h.look(m, "")
			if got := m.Status().Links[0].Problems; len(got) > 0 {
				t.Errorf("status: %q", got)
			}
		})
	}
}

// A container with a fixed address does without a lease.
func TestNoLeaseForFixed(t *testing.T) {
	h, m := running(t)
	h.links[1].Carrier = true
	h.files["run/nspawnkit/machines/web.json"] = &fstest.MapFile{Data: []byte(`{"version":1,"name":"web","links":[` +
		`{"host":"ve-web","container":"host0","containerMAC":"02:00:00:00:00:01","addresses":["192.168.177.55/28"]}]}`)}
	h.look(m, "", "-ve-web", "+ve-web 192.168.177.49/28 yes") // with a reservation
	h.now = h.now.Add(time.Minute)
	h.look(m, "")
}

// A container that boots has time; the ten seconds begin when its side comes up.
func TestNoCarrier(t *testing.T) {
	h, m := running(t)
	h.wait(m, 59*time.Second, "")
	h.links[1].Carrier = true
	h.wait(m, 9*time.Second, "")
	h.links[1].Carrier = false
	h.wait(m, time.Minute, "<4>ve-web: no lease after 1m0s: the container's side of the link is down: no network client runs in the container")
}

// The next look is when there is something to see, and then less and less often.
func TestLooksAgain(t *testing.T) {
	h, m := running(t)
	h.links[1].Carrier = true
	for _, want := range []time.Duration{10 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		got := m.Reconcile(t.Context())
		if got != want {
			t.Errorf("next look in %v, want %v", got, want)
		}
		h.now = h.now.Add(got)
	}
}

// A daemon that starts anew takes the lease of the journal for the container's: it does not ask again before it has to renew it.
func TestLeaseOfEarlierProcess(t *testing.T) {
	h, m := running(t)
	h.links[1].Carrier = true
	h.look(m, "")
	m.stopServers()
	<-h.serving
	m = h.start()
	h.outcome = dhcp.Outcome{Leased: true}
	h.look(m, configured, serving)
	h.wait(m, 20*time.Second, "")
}

func TestNoLeaseInZone(t *testing.T) {
	h := newHost(t)
	m := h.start()
	h.files["run/nspawnkit/machines/db.json"] = &fstest.MapFile{Data: []byte(
		`{"version":1,"name":"db","links":[{"host":"vb-db","containerMAC":"02:00:00:00:00:01","bridge":"vz-app"}]}`)}
	h.add(6, "vz-app", "bridge")
	h.add(7, "vb-db", "veth")
	h.add(8, "vb-other", "veth") // of which nothing is known
	for i := range h.links {
		h.links[i].Carrier = true
	}
	h.look(m, forwarding+"<6>vz-app: 192.168.230.241/28, DHCP server, masquerading\n<6>vb-db: no .network file matches\n<6>vb-other: no .network file matches",
		"+vz-app 192.168.230.241/28 yes")
	h.outcome = dhcp.Outcome{Asked: true, Refused: dhcp.ErrNoAddress}
	h.wait(m, 10*time.Second, "<4>vb-db: no lease after 10s: its DHCP request was refused: no free address in the pool")
}

const overlap = "<4>ve-web: subnet 192.168.177.48/28 overlaps the route to 192.168.0.0/16 through tun0, which came later: " +
	"change the subnet with: networkd-lite renumber ve-web"

// addVPN makes a route that leads to the subnet of ve-web.
func (h *host) addVPN() {
	h.add(9, "tun0", "tun")
	h.routes = append(h.routes, network.Route{Destination: netip.MustParsePrefix("192.168.0.0/16"), Link: 9})
}

func TestOverlap(t *testing.T) {
	h, m := running(t)
	h.outcome = dhcp.Outcome{Leased: true, Heard: true}
	h.routes = []network.Route{
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Link: 2}, {Destination: netip.MustParsePrefix("128.0.0.0/1"), Link: 2},
		{Destination: netip.MustParsePrefix("192.168.177.48/28"), Link: 3}, // its own
	}
	m.RoutesChanged()
	h.look(m, "")
	h.addVPN()
	h.look(m, "") // nobody said that routes have changed
	m.RoutesChanged()
	h.look(m, overlap)
	m.RoutesChanged()
	h.look(m, "")
	if got := m.Status().Links[0].Problems; len(got) != 1 {
		t.Errorf("status: %q", got)
	}

	// A daemon that starts anew does not take the address away from a container that runs.
	m.stopServers()
	<-h.serving
	m = h.start()
	h.look(m, configured+"\n"+overlap, serving)

	h.requests = []string{"ve-web", "ve-none"}
	h.look(m, "<3>renumber: no subnet was chosen for the link \"ve-none\"\n<6>ve-web: 172.30.177.49/28, DHCP server, masquerading",
		"-ve-web", "+ve-web 172.30.177.49/28 yes")
	if got := fmt.Sprint(h.links[1].Addresses, h.flapped, m.Status().Links[0].Problems); got != "[172.30.177.49/28] [ve-web] []" {
		t.Errorf("after renumbering: %s", got)
	}

	// The container's next start has it, too.
	h.remove(3)
	h.add(4, "ve-web", "veth")
	h.look(m, "<6>ve-web: gone\n<6>ve-web: 172.30.177.49/28, DHCP server, masquerading", "-ve-web", "+ve-web 172.30.177.49/28 yes")
}

// Where nobody asks for it, the container's next start mends it.
func TestOverlapAtNextStart(t *testing.T) {
	h, m := running(t)
	h.addVPN()
	h.remove(3)
	h.add(4, "ve-web", "veth")
	h.look(m, "<6>ve-web: gone\n<6>ve-web: 172.30.177.49/28, DHCP server, masquerading", "-ve-web", "+ve-web 172.30.177.49/28 yes")
}
