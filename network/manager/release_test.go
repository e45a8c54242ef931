package manager

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestNetworkdTakesOver(t *testing.T) {
	h, m := running(t)
	h.managed[3] = true
	h.look(m, "<6>ve-web: left to systemd-networkd", "-ve-web")
	if len(h.links[1].Addresses) > 0 {
		t.Errorf("addresses %v left", h.links[1].Addresses)
	}
	h.masqueraded()
	if len(h.flapped) > 0 {
		t.Errorf("carrier taken away while systemd-networkd sets up the link: %s", h.flapped)
	}
	h.setUp[3] = true
	h.look(m, "")
	if got := strings.Join(h.flapped, ", "); got != "ve-web, reconfigure 3" {
		t.Errorf("carrier: %s", got)
	}

	theirs := netip.MustParsePrefix("192.168.5.33/28")
	h.links[1].Addresses = []netip.Prefix{theirs}
	h.look(m, "")
	h.managed[3] = false // stopped: its address stays, and so does the container's lease
	h.look(m, "<6>ve-web: 192.168.5.33/28, DHCP server, masquerading", "+ve-web 192.168.5.33/28 yes")
	h.masqueraded("ve-web")
}

// An address that both read from the same file stays.
func TestNetworkdHasTheSameFile(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-web\n[Network]\nAddress=10.0.0.1/24\nAddress=0.0.0.0/28\n")}
	m := h.start()
	h.add(3, "ve-web", "veth")
	h.look(m, "<6>ve-web: 10.0.0.1/24, 192.168.177.49/28")
	h.managed[3] = true
	h.look(m, "<6>ve-web: left to systemd-networkd")
	if got := fmt.Sprint(h.links[0].Addresses); got != "[10.0.0.1/24]" {
		t.Errorf("addresses %s", got)
	}
}

func TestNetworkdDoesNotAnswer(t *testing.T) {
	h, m := running(t)
	h.managed[3], h.reconfigureErr = true, errors.New("no answer")
	h.look(m, "<6>ve-web: left to systemd-networkd", "-ve-web")
	h.now = h.now.Add(settingUp) // it never says that it has set up the link
	h.look(m, "<4>ve-web: have systemd-networkd set up the link again: no answer; “networkctl reconfigure ve-web” does it")
	h.look(m, "")
}

// It begins again and does not come to an end, as 252 was seen to: it is asked a second time, and never a third.
func TestNetworkdDoesNotEnd(t *testing.T) {
	h, m := running(t)
	h.managed[3], h.setUp[3] = true, true
	h.look(m, "<6>ve-web: left to systemd-networkd", "-ve-web")
	for _, step := range []struct {
		later time.Duration
		setUp bool
		want  string
	}{
		{0, true, "ve-web, reconfigure 3"}, // as it was before it began
		{settingUp - time.Second, false, "ve-web, reconfigure 3"},
		{time.Second, false, "ve-web, reconfigure 3, reconfigure 3"},
		{settingUp, false, "ve-web, reconfigure 3, reconfigure 3"},
	} {
		h.now, h.setUp[3] = h.now.Add(step.later), step.setUp
		h.look(m, "")
		if got := strings.Join(h.flapped, ", "); got != step.want {
			t.Errorf("%s later: %s, want %s", step.later, got, step.want)
		}
	}
}

// A host with hundreds of containers does not wait for each of them in turn.
func TestNetworkdTakesAll(t *testing.T) {
	h, m := running(t)
	h.add(4, "ve-db", "veth")
	h.look(m, "<6>ve-db: 192.168.214.209/28, DHCP server, masquerading", "+ve-db 192.168.214.209/28 yes")
	h.managed[3], h.managed[4] = true, true
	h.look(m, "<6>ve-web: left to systemd-networkd\n<6>ve-db: left to systemd-networkd", "-ve-web", "-ve-db")
	h.setUp[3], h.setUp[4] = true, true
	h.look(m, "")
	if got := strings.Join(h.flapped, ", "); got != "ve-web+ve-db, reconfigure 3, reconfigure 4" {
		t.Errorf("flapped %s", got)
	}
}
