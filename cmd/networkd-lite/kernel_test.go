package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with testdata/NAME.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, want)
	}
}

// table is the nft table of ours.
func (w *world) table() string {
	w.t.Helper()
	return w.command("nft", "list", "table", "inet", "nspawnkit")
}

// addContainer makes the link ve-NAME and the container at its other end.
func (w *world) addContainer(name string) *namespace {
	w.t.Helper()
	n := w.newNamespace()
	n.addLink("ve-" + name)
	return n
}

// addLink makes a link into the namespace.
func (n *namespace) addLink(host string) {
	n.t.Helper()
	n.world.command("ip", "link", "add", host, "type", "veth", "peer", "name", "host0", "address", "02:00:00:00:00:01", "netns", n.pid)
}

const webLease = "192.168.177.55/28 192.168.177.49 192.168.177.49"

func TestContainer(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease %q, want %q", lease, webLease)
	}
	web.command("ping", "-c1", "-W5", "192.168.177.49")
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	golden(t, "table", w.table())
	golden(t, "status", w.verb("status"))
	if leases := w.verb("leases", "--json"); !strings.Contains(leases, `"address": "192.168.177.55"`) {
		t.Errorf("leases: %s", leases)
	}
	for path, want := range map[string]string{"conf/ve-web/accept_ra": "0", "conf/all/forwarding": "1"} {
		if got := w.command("cat", "/proc/sys/net/ipv6/"+path); strings.TrimSpace(got) != want {
			t.Errorf("net/ipv6/%s is %s, want %s", path, got, want)
		}
	}
	if got := w.command("cat", "/proc/sys/net/ipv4/conf/ve-web/route_localnet"); got != "0\n" {
		t.Errorf("route_localnet is %s", got)
	}

	// The container restarts: the same name at once, with another index.
	w.command("ip", "link", "delete", "ve-web")
	web.addLink("ve-web")
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease after a restart of the container %q, want %q", lease, webLease)
	}

	w.command("ip", "link", "delete", "ve-web")
	w.waitFor("set masquerade4 {\n\t\ttype ifname\n\t}", "nft", "list", "table", "inet", "nspawnkit")
	golden(t, "table-empty", w.table())
	if got := w.command("ip", "-4", "-oneline", "address"); strings.Contains(got, "192.168.") {
		t.Errorf("addresses left: %s", got)
	}
}

func TestDaemonRestart(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			w := newWorld(t)
			w.startDaemon()
			web := w.addContainer("web")
			web.dhcp()
			gone := w.addContainer("gone")
			gone.dhcp()
			w.daemon.stop(signal)
			if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
				t.Errorf("without the daemon seen outside as %s", got)
			}
			w.command("ip", "link", "delete", "ve-gone") // while nobody looks
			w.startDaemon()
			golden(t, "table", w.table())
			golden(t, "status", w.verb("status"))
			if lease := web.dhcp(); lease != webLease {
				t.Errorf("lease %q, want %q", lease, webLease)
			}
		})
	}
}

func TestZone(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	var containers []*namespace
	for i := range 2 {
		n := w.newNamespace()
		port := fmt.Sprintf("vb-%d", i)
		w.command("ip", "link", "add", port, "type", "veth", "peer", "name", "host0", "netns", n.pid)
		w.command("ip", "link", "set", port, "master", "vz-app")
		containers = append(containers, n)
	}
	lease := containers[0].dhcp()
	containers[1].dhcp()
	address, _, _ := strings.Cut(lease, "/")
	containers[0].echoServer(address + ":8080")
	if got := containers[1].seenAs(address + ":8080"); !strings.HasPrefix(got, "192.168.111.") {
		t.Errorf("seen in the zone as %s", got)
	}
	if got := containers[1].seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	golden(t, "status-zone", w.verb("status"))
	if got := w.command("ip", "-oneline", "address", "show", "dev", "vb-0"); got != "" {
		t.Errorf("a port of the bridge has an address: %s", got)
	}
}

// What others have set up stays as it is.
func TestOthers(t *testing.T) {
	w := newWorld(t)
	w.command("nft", "table ip nat { chain postrouting { type nat hook postrouting priority srcnat; }; }")
	w.command("nft", "table inet filter { chain forward { type filter hook forward priority filter; counter accept; }; }")
	before := w.command("nft", "--stateless", "list", "ruleset")
	// As dnsmasq --bind-interfaces does.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
		return err
	}}
	server, err := config.ListenPacket(t.Context(), "udp4", "203.0.113.1:67")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w.command("ip", "link", "add", "ve-bridge", "type", "bridge")
	w.command("ip", "link", "add", "br0", "type", "bridge")
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	for _, link := range []string{"ve-bridge", "br0"} {
		if got := w.command("ip", "-oneline", "link", "show", "up", "dev", link); got != "" {
			t.Errorf("%s was touched: %s", link, got)
		}
	}
	w.command("nft", "delete", "table", "inet", "nspawnkit")
	if after := w.command("nft", "--stateless", "list", "ruleset"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// Somebody has flushed the table: it is put in place again with the next change.
	db := w.addContainer("db")
	db.dhcp()
	w.waitFor(`"ve-db"`, "nft", "list", "table", "inet", "nspawnkit")
	if table := w.table(); strings.Count(table, `"ve-web"`) != 3 || strings.Count(table, `"ve-db"`) != 3 {
		t.Errorf("table: %s", table)
	}
}

// Two daemons would fight.
func TestAlreadyRunning(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	second := exec.Command("/proc/self/exe")
	second.Env = w.env
	if out, err := second.CombinedOutput(); err == nil || string(out) != "networkd-lite: already running\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReload(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.addContainer("web").dhcp()
	w.write("etc/systemd/network/80-container-ve.network.d/a.conf", "[Network]\nAddress=\nAddress=10.0.0.1/24\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	w.waitFor("inet 10.0.0.1/24 brd 10.0.0.255 scope global ve-web", "ip", "address", "show", "dev", "ve-web")
	if got := w.command("ip", "address", "show", "dev", "ve-web"); strings.Contains(got, "192.168.") {
		t.Errorf("old address left: %s", got)
	}
}

// systemd-networkd starts, manages the link, and stops again.
func TestNetworkd(t *testing.T) {
	w := newWorld(t)
	bus := w.startBus()
	w.startDaemon()
	w.addContainer("web").dhcp()
	link, err := net.InterfaceByName("ve-web")
	if err != nil {
		t.Fatal(err)
	}
	state := fmt.Sprint("run/systemd/netif/links/", link.Index)
	w.write(state, "ADMIN_STATE=unmanaged\n")
	const name = "org.freedesktop.network1"
	if _, err := bus.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	w.write("run/systemd/netif/links/.new", "ADMIN_STATE=configuring\n")
	if err := os.Rename(filepath.Join(w.root, "run/systemd/netif/links/.new"), filepath.Join(w.root, state)); err != nil {
		t.Fatal(err)
	}
	w.waitFor("set masquerade4 {\n\t\ttype ifname\n\t}", "nft", "list", "table", "inet", "nspawnkit")
	if got := w.command("ip", "-4", "-oneline", "address", "show", "dev", "ve-web"); got != "" {
		t.Errorf("address left: %s", got)
	}
	got := ""
	// The container's carrier goes away for a while first.
	for end := time.Now().Add(20 * time.Second); !strings.Contains(got, "left to systemd-networkd"); time.Sleep(50 * time.Millisecond) {
		if got = w.verb("status"); time.Now().After(end) {
			t.Fatalf("status: %s", got)
		}
	}
	if _, err := bus.ReleaseName(name); err != nil {
		t.Fatal(err)
	}
	w.waitFor("192.168.177.49/28", "ip", "address", "show", "dev", "ve-web")
	golden(t, "table", w.table())
}

// startBus starts the system bus of the host.
func (w *world) startBus() *dbus.Conn {
	w.t.Helper()
	address := "unix:path=" + filepath.Join(w.root, "bus")
	w.write("bus.conf", `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>`+address+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`)
	daemon := exec.Command("dbus-daemon", "--nofork", "--config-file="+filepath.Join(w.root, "bus.conf"))
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	w.waitFor("=", "sh", "-c", "test -S "+filepath.Join(w.root, "bus")+" && echo =")
	conn, err := dbus.Connect(address)
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		conn, err = dbus.Connect(address) // the socket is there a moment before somebody listens
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}
