package main

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel/icmp6"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/ra"
)

// addIPv6 gives the uplink IPv6: outside advertises itself as the router, and has a server. It returns the host's address.
func (w *world) addIPv6() (host string) {
	w.t.Helper()
	w.outside.command("ip", "address", "add", "2001:db8::2/64", "dev", "out0", "nodad")
	w.outside.echoServer("[2001:db8::2]:8080")
	w.outside.advertise("out0", &ra.Advertisement{RouterLifetime: time.Hour, Prefixes: []ra.Prefix{{
		Prefix: netip.MustParsePrefix("2001:db8::/64"), OnLink: true, Autonomous: true, Preferred: time.Hour, Valid: time.Hour,
	}}})
	w.waitFor("default via fe80:", "ip", "-6", "route", "show", "dev", "up0")
	return w.globalAddress("up0", "2001:db8::")
}

// advertise makes the namespace a router on a link of its own.
func (n *namespace) advertise(link string, a *ra.Advertisement) {
	n.t.Helper()
	source := netip.MustParseAddr(n.address6(link, "fe80::"))
	n.inside(func() error {
		found, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		poller, err := poll.New()
		if err != nil {
			return err
		}
		failed := func(err error) { n.t.Errorf("router outside: %v", err) }
		stop, err := routers{icmp6.New(poller)}.open(network.Link{Index: found.Index, LinkLocal: source}, a, failed)
		if err != nil {
			return err
		}
		n.t.Cleanup(func() {
			stop(nil)
			poller.Close()
		})
		return nil
	})
}

// addressIn returns the address in the output of "ip address" that begins with prefix and can be used.
func addressIn(out, prefix string) (address string, found bool) {
	for line := range strings.Lines(out) {
		_, rest, isAddress := strings.Cut(line, " inet6 ")
		if isAddress && strings.HasPrefix(rest, prefix) && !strings.Contains(line, "tentative") {
			address, _, _ = strings.Cut(rest, "/")
			return address, true
		}
	}
	return "", false
}

// globalAddress waits for an address of the host.
func (w *world) globalAddress(link, prefix string) (address string) {
	w.t.Helper()
	return waitForAddress(w.t, link, prefix, w.command)
}

// address6 waits for an IPv6 address in the namespace.
func (n *namespace) address6(link, prefix string) string {
	n.t.Helper()
	return waitForAddress(n.t, link, prefix, n.command)
}

func waitForAddress(t *testing.T, link, prefix string, command func(...string) string) string {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out := command("ip", "-6", "-oneline", "address", "show", "dev", link)
		if address, found := addressIn(out, prefix); found {
			return address
		}
		if time.Now().After(end) {
			t.Fatalf("no address %s… of %s in %s", prefix, link, out)
		}
	}
}

// waitForRoute waits until there is a default route through host0, or none.
func (n *namespace) waitForRoute(want bool) {
	n.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out := n.command("ip", "-6", "route", "show", "default")
		if strings.Contains(out, "default via fe80:") == want {
			return
		}
		if time.Now().After(end) {
			n.t.Fatalf("default routes: %q, one wanted: %v", out, want)
		}
	}
}

const (
	webPrefix = "fd6e:7370:6177:eb13:"
	outside6  = "[2001:db8::2]:8080"
)

// The kernel of the container alone makes an address and a default route; it reaches what the host reaches, and the host keeps its own
// route, which it has from an advertisement too (systemd#37029).
func TestIPv6(t *testing.T) {
	w := newWorld(t)
	host := w.addIPv6()
	w.command("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1") // no uplink: nobody advertises a router
	w.startDaemon()
	w.addContainer("other")
	web := w.addContainer("web")
	web.command("ip", "link", "set", "host0", "up")
	address := web.address6("host0", webPrefix)
	web.waitForRoute(true)
	web.command("ping", "-6", "-c1", "-W5", webPrefix+":1")
	if got := web.seenAs(outside6); got != host {
		t.Errorf("seen outside as %s, want %s", got, host)
	}
	for path, want := range map[string]string{
		"up0/accept_ra": "2", "lan0/accept_ra": "1", "ve-web/accept_ra": "0", "ve-web/forwarding": "1", "all/forwarding": "1",
	} {
		if got := w.command("cat", "/proc/sys/net/ipv6/conf/"+path); strings.TrimSpace(got) != want {
			t.Errorf("net/ipv6/conf/%s is %s, want %s", path, got, want)
		}
	}
	if got := w.command("ip", "-6", "route", "show", "default"); !strings.Contains(got, "dev up0 proto ra") {
		t.Errorf("the host lost its default route: %q", got)
	}
	golden(t, "status-ipv6", w.verb("status"))

	// The container restarts, and the daemon too: the same address; nobody loses the way out meanwhile.
	w.daemon.stop(syscall.SIGTERM)
	if got := web.seenAs(outside6); got != host {
		t.Errorf("without the daemon seen outside as %s", got)
	}
	w.startDaemon()
	web.waitForRoute(true)
	w.command("ip", "link", "delete", "ve-web")
	web.addLink("ve-web")
	web.command("ip", "link", "set", "host0", "up")
	if again := web.address6("host0", webPrefix); again != address {
		t.Errorf("address %s after a restart, %s before", again, address)
	}
}

// Who no longer has a router is told.
func TestIPv6Withdrawn(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	web.command("ip", "link", "set", "host0", "up")
	web.address6("host0", webPrefix)
	web.waitForRoute(true)
	w.write("etc/systemd/network/80-container-ve.network.d/a.conf", "[Network]\nIPv6SendRA=no\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	web.waitForRoute(false)
	if got := web.command("ip", "-6", "-oneline", "address", "show", "dev", "host0", "scope", "global"); !strings.Contains(got, "preferred_lft 0sec") {
		t.Errorf("the address is still used: %s", got)
	}
}

// The containers of a zone share a prefix.
func TestIPv6Zone(t *testing.T) {
	w := newWorld(t)
	host := w.addIPv6()
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	var containers []*namespace
	for i, mac := range []string{"02:00:00:00:00:01", "02:00:00:00:00:02"} {
		n := w.newNamespace()
		port := []string{"vb-a", "vb-b"}[i]
		w.command("ip", "link", "add", port, "type", "veth", "peer", "name", "host0", "address", mac, "netns", n.pid)
		w.command("ip", "link", "set", port, "master", "vz-app")
		n.command("ip", "link", "set", "host0", "up")
		containers = append(containers, n)
	}
	const prefix = "fd6e:7370:6177:"
	address := containers[0].address6("host0", prefix)
	other := containers[1].address6("host0", prefix)
	containers[0].echoServer("[" + address + "]:8080")
	if got := containers[1].seenAs("[" + address + "]:8080"); got != other {
		t.Errorf("seen in the zone as %s, want %s", got, other)
	}
	containers[1].waitForRoute(true)
	if got := containers[1].seenAs(outside6); got != host {
		t.Errorf("seen outside as %s, want %s", got, host)
	}
}

// On a host that has IPv6 switched off, the rest works, and status says why there is none.
func TestIPv6Off(t *testing.T) {
	w := newWorld(t)
	w.command("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
	w.startDaemon()
	web := w.addContainer("web")
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease %q, want %q", lease, webLease)
	}
	if got := w.verb("status"); !strings.Contains(got, "no IPv6 (sysctl net/ipv6/conf/ve-web/disable_ipv6=1)") {
		t.Errorf("status: %s", got)
	}
}
