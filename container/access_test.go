package container

import (
	"encoding/json"
	"testing"

	"nspawnkit/settings"
)

func TestAccess(t *testing.T) {
	limited := settings.HostAccess{Limited: true}
	for name, test := range map[string]struct {
		change func(*settings.Settings, *Host)
		want   string // what networkd-lite is told
		err    string
	}{
		"everything":          {func(*settings.Settings, *Host) {}, `null null`, ""},
		"nothing of the host": {func(s *settings.Settings, _ *Host) { s.Network.HostAccess = limited }, `{"ports":[]} null`, ""},
		"a port": {func(s *settings.Settings, _ *Host) {
			s.Network.HostAccess = settings.HostAccess{Limited: true, Ports: []settings.PortRange{{Protocol: "tcp", First: 22, Last: 23}}}
		}, `{"ports":[{"protocol":"tcp","first":22,"last":23}]} null`, ""},
		"a zone": {func(s *settings.Settings, _ *Host) { s.Network.ZoneAccess = []string{"db"} }, `null ["db"]`, ""},
		"no networkd-lite": {func(s *settings.Settings, h *Host) { s.Network.HostAccess, h.HasNetworkdLite = limited, false }, "",
			"networkd-lite does not run, so nothing would keep the container from services of the host: start networkd-lite"},
		"no link": {func(s *settings.Settings, _ *Host) { s.Network.HostAccess, s.Network.VirtualEthernet = limited, false }, "",
			"needs VirtualEthernet= or Zone="},
		"a bridge of somebody else": {func(s *settings.Settings, _ *Host) { s.Network.HostAccess, s.Network.Bridge = limited, "br0" }, "",
			"does not go with Bridge=, whose bridge is not the container's own: use Zone="},
		"another link": {func(s *settings.Settings, _ *Host) {
			s.Network.ZoneAccess = []string{"db"}
			s.Network.VirtualEthernetExtra = []settings.InterfacePair{{Host: "ve-a", Container: "a"}, {Host: "b", Container: "b"}}
		}, "", "needs a link that begins with \"ve-\" in VirtualEthernetExtra=b"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
				s.Network.Private, s.Network.VirtualEthernet = true, true
				test.change(s, h)
			})
			if test.err != "" {
				wantError(t, err, test.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			host, _ := json.Marshal(plan.Machine.HostAccess)
			zones, _ := json.Marshal(plan.Machine.ZoneAccess)
			if got := string(host) + " " + string(zones); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
