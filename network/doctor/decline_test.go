package doctor

import (
	"net/netip"
	"strings"
	"testing"
)

// Each case has a container that declined the address that it got; the golden file has the line about it, and what to do.
func TestExamineDecline(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.2")
	user, db := Holder{address, "02:00:00:00:00:66", "", ""}, Holder{address, "02:00:00:00:00:05", "db", "its Address="}
	for name, test := range map[string]struct {
		decline Decline
		offered string
	}{
		"used":          {Decline{Users: []Holder{user}}, "10.0.0.2"},
		"another now":   {Decline{Users: []Holder{user}}, "10.0.0.3"},
		"two":           {Decline{Users: []Holder{db, user}}, "10.0.0.2"},
		"host":          {Decline{HostBy: "dummy0"}, "10.0.0.2"},
		"local route":   {Decline{Host: true}, "10.0.0.2"},
		"nobody":        {Decline{}, "10.0.0.2"},
		"nothing given": {Decline{Users: []Holder{user}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.Inside.Addresses, facts.Declined = nil, test.decline
			facts.Declined.Address = address
			facts.DHCP.Offered, _ = netip.ParseAddr(test.offered)
			golden(t, "decline-"+strings.Map(fileName, name), only(Examine(facts), "container"))
		})
	}
	facts := healthy()
	facts.Declined.Address = address
	if report := Examine(facts); report.Failed != "" {
		t.Errorf("fails at %q with another address", report.Failed)
	}
}
