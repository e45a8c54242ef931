package manager

import (
	"testing"
	"testing/fstest"
	"time"
)

// What clients get from the server behind a relay agent is not known here: that none has a lease is no problem to report.
func TestRelayKnowsNoLeases(t *testing.T) {
	h, m := running(t)
	h.links[1].Carrier = true
	h.files["etc/systemd/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[DHCPServer]\nRelayTarget=192.0.2.1\n")}
	m.Load()
	h.look(m, "<6>ve-web: 192.168.177.49/28, DHCP relay, masquerading", "-ve-web", serving)
	h.now = h.now.Add(time.Hour)
	h.look(m, "")
}
