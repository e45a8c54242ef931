package main

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// resolvedStub is systemd-resolved as far as links are concerned: it takes note of what it is told.
type resolvedStub struct{ told chan string }

type dnsAddress struct {
	Family int32
	Bytes  []byte
}

type dnsDomain struct {
	Name        string
	RoutingOnly bool
}

func (r resolvedStub) SetLinkDNS(index int32, servers []dnsAddress) *dbus.Error {
	return r.note("DNS", index, servers)
}

func (r resolvedStub) SetLinkDomains(index int32, domains []dnsDomain) *dbus.Error {
	return r.note("Domains", index, domains)
}

func (r resolvedStub) SetLinkDefaultRoute(index int32, on bool) *dbus.Error {
	return r.note("DefaultRoute", index, on)
}

func (r resolvedStub) SetLinkDNSSEC(index int32, mode string) *dbus.Error {
	return r.note("DNSSEC", index, mode)
}

func (r resolvedStub) RevertLink(index int32) *dbus.Error { return r.note("Revert", index, "") }

func (r resolvedStub) note(what string, index int32, value any) *dbus.Error {
	r.told <- fmt.Sprint(what, " ", index, " ", value)
	return nil
}

// hears waits for calls in their order.
func (r resolvedStub) hears(t *testing.T, want ...string) {
	t.Helper()
	for _, one := range want {
		select {
		case got := <-r.told:
			if got != one {
				t.Errorf("told %q, want %q", got, one)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("told nothing, want %q", one)
		}
	}
}

// The host itself knows the names, and systemd-resolved is told where to ask: when it starts, and when nobody
// answers any more.
func TestNamesOnHost(t *testing.T) {
	w := newWorld(t)
	bus := w.startBus()
	w.runsMachine("web", "ve-web", "")
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	host := &namespace{w, fmt.Sprint(w.daemon.command.Process.Pid)}
	const server = "@192.168.177.49"
	host.asks("NOERROR\nweb.nspawn.internal. 0 IN A "+web.address(), server, "web.nspawn.internal")
	host.asks("NOERROR\nweb.nspawn.internal. 0 IN A "+web.address(), server, "+tcp", "web.nspawn.internal")
	host.asks("NOERROR\n55.177.168.192.in-addr.arpa. 0 IN PTR web.nspawn.internal.", server, "-x", "192.168.177.55")
	host.asks("REFUSED", server, "www.example")

	stub := resolvedStub{make(chan string, 100)}
	if err := bus.Export(stub, "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName("org.freedesktop.resolve1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	link, err := net.InterfaceByName("ve-web")
	if err != nil {
		t.Fatal(err)
	}
	stub.hears(t, fmt.Sprintf("Domains %d [{nspawn.internal true}]", link.Index), fmt.Sprintf("DefaultRoute %d false", link.Index),
		fmt.Sprintf("DNSSEC %d no", link.Index), fmt.Sprintf("DNS %d [{2 [192 168 177 49]}]", link.Index))
	w.daemon.stop(syscall.SIGTERM)
	stub.hears(t, fmt.Sprintf("Revert %d ", link.Index))
}

type dnsServerEx struct {
	Family     int32
	Bytes      []byte
	Port       uint16
	ServerName string
}

func (r resolvedStub) SetLinkDNSEx(index int32, servers []dnsServerEx) *dbus.Error {
	return r.note("DNSEx", index, servers)
}

// DNS= and Domains= of a link are what systemd-resolved is told of it, in the place of the names of containers, and taken back with the file.
func TestResolvingKeys(t *testing.T) {
	w := newWorld(t)
	bus := w.startBus()
	stub := resolvedStub{make(chan string, 100)}
	if err := bus.Export(stub, "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName("org.freedesktop.resolve1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	const dropIn = "etc/systemd/network/80-container-ve.network.d/dns.conf"
	w.write(dropIn, "[Network]\nDNS=10.0.0.53\nDNS=[2001:db8::53]:853%ve-web#dns.example\nDNS=10.0.0.54%lo\nDomains=example.com ~.\n")
	w.startDaemon()
	w.addContainer("web")
	link, err := net.InterfaceByName("ve-web")
	if err != nil {
		t.Fatal(err)
	}
	stub.hears(t, fmt.Sprintf("Domains %d [{example.com false} {. true}]", link.Index),
		fmt.Sprintf("DNSEx %d [{2 [10 0 0 53] 0 } {10 [32 1 13 184 0 0 0 0 0 0 0 0 0 0 0 83] 853 dns.example}]", link.Index))
	w.write(dropIn, "[Network]\nDescription=none\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	stub.hears(t, fmt.Sprintf("Revert %d ", link.Index), fmt.Sprintf("Domains %d [{nspawn.internal true}]", link.Index))
	const otherLink = dropIn + `:4: [Network] DNS=: "10.0.0.54%lo" is of another link`
	if said := w.daemon.said(); strings.Count(said, ".conf:") != 1 || !strings.Contains(said, otherLink) {
		t.Errorf("said: %s", said)
	}
}
