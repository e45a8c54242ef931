package manager

import (
	"net/netip"
	"testing"
	"time"

	"nspawnkit/dhcp"
)

// A container that declines the address that it got has no lease any more, which status says at once, and the log when it gets none within the usual
// time; with another lease all is well.
func TestDecline(t *testing.T) {
	h, m := running(t)
	h.links[1].Carrier = true
	h.outcome = dhcp.Outcome{Leased: true, Heard: true}
	h.wait(m, time.Hour, "")
	declined := netip.MustParseAddr("192.168.177.55")
	is := func(want netip.Addr, problems int) {
		t.Helper()
		if got := m.Status().Links[0]; got.Declined != want || len(got.Problems) != problems {
			t.Errorf("status: declined %v, problems %q", got.Declined, got.Problems)
		}
	}
	h.outcome = dhcp.Outcome{Asked: true, Declined: declined}
	h.look(m, "")
	is(netip.Addr{}, 0) // nobody said that anybody declined
	m.Declined()
	h.look(m, "")
	is(declined, 0)
	h.wait(m, leaseWait, "<4>ve-web: no lease after 10s: it declined 192.168.177.55, which is in use by somebody else")
	is(declined, 1)
	h.outcome = dhcp.Outcome{Leased: true, Heard: true}
	h.look(m, "")
	is(netip.Addr{}, 0)

	// Another client's decline, and a lease that has ended, are no reason to say anything.
	h.outcome = dhcp.Outcome{Asked: true}
	m.Declined()
	h.wait(m, time.Hour, "")
	is(netip.Addr{}, 0)
}
