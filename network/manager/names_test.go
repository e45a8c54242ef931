package manager

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/names"
)

func fileWith(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// nameHost is the [DNS] of a test: it takes note of what was opened and told.
type nameHost struct {
	err       error
	running   chan string // "+ve-web 10.0.0.1" and "-ve-web 10.0.0.1"
	links     []names.Link
	conflicts []string
	fail      func(error) // of the latest
}

func (n *nameHost) Open(l network.Link, address netip.Addr, failed func(error)) (func(), error) {
	if n.err != nil {
		return nil, n.err
	}
	what := fmt.Sprint(l.Name, " ", address)
	n.running <- "+" + what
	n.fail = failed
	return func() { n.running <- "-" + what }, nil
}

func (n *nameHost) Update(_ network.Machines, links []names.Link) []string {
	n.links = links
	return n.conflicts
}

// withNames returns a host with one container, before the first look.
func withNames(t *testing.T) (*host, *Manager, *nameHost) {
	h := newHost(t)
	m := h.start()
	n := &nameHost{running: make(chan string, 100)}
	m.DNS = n
	h.add(3, "ve-web", "veth")
	return h, m, n
}

func (n *nameHost) did(t *testing.T, want ...string) {
	t.Helper()
	for _, one := range want {
		select {
		case got := <-n.running:
			if got != one {
				t.Errorf("DNS: %q, want %q", got, one)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("DNS: nothing, want %q", one)
		}
	}
	if len(n.running) > 0 {
		t.Errorf("DNS: %q not expected", <-n.running)
	}
}

// offered is what the DHCP server of ve-web says of DNS.
func offered(m *Manager) string {
	c := m.links[3].server.config
	return fmt.Sprint(c.DNS, " ", c.Domain, " ", c.Search)
}

func TestNamesLife(t *testing.T) {
	h, m, n := withNames(t)
	h.look(m, forwarding+configured, serving)
	n.did(t, "+ve-web 192.168.177.49")
	if got := fmt.Sprint(n.links); !strings.Contains(got, "[192.168.177.49/28]") || !strings.HasSuffix(got, " nspawn.internal 192.168.177.49}]") {
		t.Errorf("told %s", got)
	}
	if got := offered(m); got != "[192.168.177.49] nspawn.internal [nspawn.internal]" {
		t.Errorf("offered %s", got)
	}
	// The kernel has made a link-local address: it gets a server, too.
	h.links[0].Addresses = append(h.links[0].Addresses, netip.MustParsePrefix("fe80::1/64"))
	h.look(m, "")
	n.did(t, "+ve-web fe80::1")
	if got := fmt.Sprint(m.Status().Links[0].DNSServer); got != "[192.168.177.49 fe80::1]" {
		t.Errorf("status %s", got)
	}
	n.fail(fmt.Errorf("receive: network is down"))
	<-m.ended
	h.log = nil
	m.Reconcile(t.Context())
	if len(h.log) != 1 || h.log[0] != "<4>ve-web: DNS server: receive: network is down" {
		t.Errorf("said %q", h.log)
	}
	n.did(t, "-ve-web fe80::1", "+ve-web fe80::1")
	h.remove(3)
	h.look(m, "<6>ve-web: gone", "-ve-web")
	stopped := []string{<-n.running, <-n.running}
	slices.Sort(stopped)
	if fmt.Sprint(stopped) != "[-ve-web 192.168.177.49 -ve-web fe80::1]" || len(n.links) > 0 {
		t.Errorf("DNS: %q, told %v", stopped, n.links)
	}
}

// With systemd-networkd, the server is at the address that it gave the link.
func TestNamesBesideNetworkd(t *testing.T) {
	h, m, n := withNames(t)
	h.managed[3] = true
	h.links[0].Addresses = []netip.Prefix{netip.MustParsePrefix("10.5.0.1/28")}
	h.look(m, "<6>ve-web: left to systemd-networkd")
	n.did(t, "+ve-web 10.5.0.1")
	h.managed[3] = false
	h.files["etc/systemd/network/80-ve.network"] = fileWith("")
	m.Load()
	h.look(m, "<6>ve-web: no .network file matches")
	n.did(t, "-ve-web 10.5.0.1")
}

// Port 53 is taken: said once, tried again, and clients hear of the host's servers meanwhile.
func TestNamesPortTaken(t *testing.T) {
	h, m, n := withNames(t)
	m.Host = func() network.Host { return network.Host{DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}} }
	n.err = fmt.Errorf("DNS server of ve-web: %w", syscall.EADDRINUSE)
	n.conflicts = []string{"container host cannot be found"}
	h.look(m, forwarding+"<4>"+portTaken+"\n"+configured+"\n<4>container host cannot be found", serving)
	if got := offered(m); got != "[9.9.9.9]  []" {
		t.Errorf("offered %s", got)
	}
	if next := m.Reconcile(t.Context()); next != 2*time.Second {
		t.Errorf("again after %v", next)
	}
	n.err = nil
	h.look(m, "", "-ve-web", serving)
	n.did(t, "+ve-web 192.168.177.49")
	if got := offered(m); !strings.HasPrefix(got, "[192.168.177.49]") {
		t.Errorf("offered %s", got)
	}
}

// What the file says of DNS holds.
func TestNamesOffered(t *testing.T) {
	for text, want := range map[string]string{
		"EmitDNS=no":               "[]  []",
		"DNS=9.9.9.9":              "[9.9.9.9]  []",
		"UplinkInterface=:none":    "[]  []",
		"EmitDomain=no":            "[192.168.177.49]  []",
		"EmitDomain=yes\nDomain=x": "[192.168.177.49] x [x nspawn.internal]",
		"LocalLeaseDomain=_Dhcp.":  "[192.168.177.49] _dhcp [_dhcp]",
	} {
		h, m, _ := withNames(t)
		h.files["etc/systemd/network/80-ve.network.d/a.conf"] = fileWith("[DHCPServer]\n" + text + "\n")
		m.Load()
		h.look(m, forwarding+configured, serving)
		if got := offered(m); got != want {
			t.Errorf("%q: offered %s, want %s", text, got, want)
		}
	}
}
