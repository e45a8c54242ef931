package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/dnssocket"
	"nspawnkit/network/kernel/icmp6"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/manager"
	"nspawnkit/network/ra"
)

// However many links are served with DHCP, DNS and router advertisements, no goroutine waits for one of them.
func TestGoroutinesFlat(t *testing.T) {
	w := newWorld(t)
	poller, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer poller.Close()
	report := func(_ manager.Priority, text string) { t.Error(text) }
	failed := func(err error) { t.Error(err) }
	servers, err := openDHCP(paths{w.root, filepath.Join(w.root, "state"), filepath.Join(w.root, "run")}, poller, &leaseTable{}, report)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := dnssocket.Open(poller)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	names, router := newDNSServers(nil, sockets, &leaseTable{}, report), routers{icmp6.New(poller)}
	serve := func(l network.Link) {
		address := netip.MustParsePrefix("10.0.0.1/28")
		for _, a := range l.Addresses {
			if a.Addr().Is4() {
				address = a
			}
		}
		server, err := servers.Open(l, dhcp.Config{
			Link: l.Name, ServerAddress: address, MaxLeases: 1, DefaultLeaseTime: time.Hour, MaxLeaseTime: time.Hour,
		}, "no", failed)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		for _, at := range []netip.Addr{address.Addr(), l.LinkLocal} {
			stop, err := names.Open(l, at, failed)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
		}
		stop, err := router.open(l, &ra.Advertisement{RouterLifetime: time.Hour}, failed)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(ra.ErrWithdrawn) })
	}
	before := 0
	for i, l := range w.manyLinks(42) {
		if serve(l); i == 1 {
			before = goroutines()
		}
	}
	const most = 10 // advertisements that are just being sent
	if now := goroutines(); now > before+most {
		t.Errorf("%d goroutines with 2 links, %d with 42", before, now)
	}
}

// goroutines counts while all stand still. [runtime.NumGoroutine] does not see tens of them while it sorts those that have ended.
func goroutines() int {
	n, _ := runtime.GoroutineProfile(make([]runtime.StackRecord, 1000))
	return n
}

// manyLinks makes links that are up and have addresses.
func (w *world) manyLinks(count int) (links []network.Link) {
	w.t.Helper()
	for i := range count {
		name := fmt.Sprintf("ve-c%d", i)
		w.command("ip", "link", "add", name, "type", "veth", "peer", "name", fmt.Sprintf("peer%d", i))
		w.command("ip", "address", "add", fmt.Sprintf("10.0.%d.1/28", i), "dev", name)
		w.command("ip", "link", "set", name, "up")
		w.command("ip", "link", "set", fmt.Sprintf("peer%d", i), "up")
	}
	all, err := kernel.OpenLinks()
	if err != nil {
		w.t.Fatal(err)
	}
	defer all.Close()
	for end := time.Now().Add(20 * time.Second); len(links) < count && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		list, err := all.List()
		if err != nil {
			w.t.Fatal(err)
		}
		links = nil
		for _, l := range list {
			if l.Served() && l.LinkLocal.IsValid() {
				links = append(links, l)
			}
		}
	}
	if len(links) < count {
		w.t.Fatalf("%d of %d links have come up", len(links), count)
	}
	return links
}
