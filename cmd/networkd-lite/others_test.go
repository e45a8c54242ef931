package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start runs a program of the host until the end of the test, or until it is killed.
func (w *world) start(command ...string) *os.Process {
	w.t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out := new(strings.Builder)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", command[0], out)
		}
	})
	return c.Process
}

// shippedManager is the configuration of NetworkManager that is shipped.
const shippedManager = "../../units/static/networkmanager/nspawnkit.conf"

// prepareManager gives the host what NetworkManager needs, beside the one of this machine.
func (w *world) prepareManager() {
	w.t.Helper()
	w.ownMounts()
	for _, folder := range []string{"/run", "/var/lib/NetworkManager"} {
		w.command("mount", "-t", "tmpfs", "tmpfs", folder)
	}
	// NetworkManager would write the real one; it cannot replace a mount point.
	w.write("resolv.conf", "nameserver 127.0.0.1\n")
	w.command("mount", "--bind", filepath.Join(w.root, "resolv.conf"), "/etc/resolv.conf")
	w.command("mkdir", "-p", "/run/dbus", "/run/NetworkManager", "/run/none")
	// NetworkManager asks no udev where /sys is read-only, so that this host's rules have no say.
	w.command("mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys")
	// Else it would replace /etc/resolv.conf of this machine.
	w.command("sh", "-c", `printf '[main]\nrc-manager=unmanaged\n' >/run/none/resolving.conf`)
	w.startBus()
	w.command("ln", "-s", filepath.Join(w.root, "bus"), "/run/dbus/system_bus_socket")
}

// startManager starts NetworkManager by that configuration and the files of a folder.
func (w *world) startManager(configuration, folder string) *os.Process {
	w.t.Helper()
	return w.start("NetworkManager", "--no-daemon", "--log-level=WARN", "--config="+configuration, "--config-dir="+folder, "--system-config-dir=/run/none")
}

// waitForDevice waits until NetworkManager says that of a link.
func (w *world) waitForDevice(state string) {
	w.t.Helper()
	w.waitFor(state, "sh", "-c", "nmcli --terse --fields DEVICE,STATE device 2>&1; true")
}

// NetworkManager leaves the host sides of containers' links alone by the file that is shipped, and only these.
func TestNetworkManager(t *testing.T) {
	w := newWorld(t)
	w.prepareManager()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	w.command("ip", "link", "add", "vb-db", "master", "vz-app", "type", "veth", "peer", "name", "inner0")
	w.command("ip", "link", "add", "eth7", "type", "veth", "peer", "name", "far7")
	web := w.newNamespace()
	web.addLink("ve-web")
	if said := w.command("NetworkManager", "--print-config", "--config="+shippedManager, "--config-dir=/run/none", "--system-config-dir=/run/none"); !strings.Contains(said, "[device-nspawnkit]") {
		t.Errorf("configuration: %s", said)
	}
	w.startManager(shippedManager, "/run/none")
	w.startDaemon()
	w.waitForDevice("eth7:connecting")
	got := w.command("nmcli", "--terse", "--fields", "DEVICE,STATE", "device")
	for _, link := range []string{"ve-web", "vb-db", "vz-app"} {
		if !strings.Contains(got, link+":unmanaged") {
			t.Errorf("%s is managed: %s", link, got)
		}
	}
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease %q, want %q", lease, webLease)
	}
}

// prepareNetworkd gives the host what systemd-networkd needs, beside the one of this machine.
func (w *world) prepareNetworkd() {
	w.t.Helper()
	w.prepareManager()
	w.command("mkdir", "-p", "/run/systemd/network", "/run/systemd/netif/links", w.root+"/run")
	w.command("chown", "-R", "systemd-network:", "/run/systemd/netif")
	w.command("chmod", "755", filepath.Dir(w.root)) // on the way to the bus
	w.command("ln", "-s", "/run/systemd", w.root+"/run/systemd")
}

func (w *world) startNetworkd() *os.Process {
	w.t.Helper()
	return w.start("env", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1", "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+w.root+"/bus", "/lib/systemd/systemd-networkd")
}

// systemd-networkd comes later and gets the link. It comes to an end with it, with one address, which its DHCP server goes by.
func TestNetworkdTakesLink(t *testing.T) {
	w := newWorld(t)
	w.prepareNetworkd()
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	link, err := net.InterfaceByName("ve-web")
	if err != nil {
		t.Fatal(err)
	}
	losses := func() string {
		return web.command("unshare", "--mount", "sh", "-c", "mount -t sysfs sysfs /mnt && cat /mnt/class/net/host0/carrier_down_count")
	}
	before := losses()
	w.startNetworkd()
	w.waitForLog("ve-web: left to systemd-networkd")
	for end := time.Now().Add(30 * time.Second); losses() == before; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the container was not told")
		}
	}
	time.Sleep(4 * time.Second)
	// It may have to be asked twice, the second time after 20 seconds.
	w.waitAtMost(time.Minute, "ADMIN_STATE=configured", "cat", fmt.Sprint("/run/systemd/netif/links/", link.Index))
	addresses := strings.Fields(w.command("ip", "-4", "-oneline", "address", "show", "dev", "ve-web", "scope", "global"))
	if got := strings.Count(strings.Join(addresses, " "), "inet "); got != 1 {
		t.Fatalf("%d addresses: %s", got, addresses)
	}
	host := strings.Split(addresses[3], "/")[0]
	if lease := web.dhcp(); !strings.Contains(lease, host) {
		t.Errorf("lease %q, not of %s", lease, host)
	}
}

// What systemd-networkd's DHCP server gave is where a port leads and a name points to, though the container was never heard of: the lease
// is given while the daemon runs, or was before.
func TestNetworkdLeases(t *testing.T) {
	w := newWorld(t)
	w.prepareNetworkd()
	w.startNetworkd()
	w.machine("web", webPorts)
	address := ""
	check := func() {
		t.Helper()
		w.waitFor(address+" . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
		w.waitFor("web.nspawn.internal  "+address, "/proc/self/exe", "names")
		w.command("ip", "neigh", "flush", "dev", "ve-web")
	}
	w.startDaemon()
	web := w.addContainer("web")
	address, _, _ = strings.Cut(web.dhcp(), "/")
	w.command("ip", "neigh", "flush", "dev", "ve-web")
	check()
	w.daemon.stop(syscall.SIGKILL)
	w.startDaemon()
	check()
}

// dnsmasq serves the host's own network, and has ports 53 and 67 of all links.
func TestDnsmasq(t *testing.T) {
	for name, arguments := range map[string][]string{
		"wildcard":     nil,
		"bind-dynamic": {"--bind-dynamic"},
	} {
		for _, first := range []bool{true, false} {
			when := map[bool]string{true: " before", false: " after"}[first]
			t.Run(name+when, func(t *testing.T) {
				w := newWorld(t)
				start := func() {
					w.start(append([]string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--no-resolv",
						"--pid-file=", "--dhcp-leasefile=" + t.TempDir() + "/leases", "--dhcp-range=203.0.113.50,203.0.113.59,1h"}, arguments...)...)
					w.waitFor(":67 ", "ss", "-uln")
				}
				if first {
					start()
				}
				w.startDaemon()
				if !first {
					start()
				}
				if lease := w.addContainer("web").dhcp(); !strings.HasPrefix(lease, "192.168.177.55/28 192.168.177.49 ") {
					t.Errorf("lease %q", lease)
				}
				w.outside.command("ip", "link", "set", "out0", "name", "host0") // where dhcp asks
				if lease := w.outside.dhcp(); !strings.HasPrefix(lease, "203.0.113.5") {
					t.Errorf("dnsmasq gave %q", lease)
				}
			})
		}
	}
}

// A program that shares its port with nobody is reported, once for each link, and the link served beside it.
func TestPortTaken(t *testing.T) {
	w := newWorld(t)
	server, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 67})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w.startDaemon()
	if lease := w.addContainer("web").dhcp(); lease != webLease {
		t.Errorf("lease %q, want %q", lease, webLease)
	}
	if said := w.daemon.said(); strings.Count(said, "ve-web: another program keeps port 67 of all links for itself") != 1 {
		t.Errorf("said: %s", said)
	}
}
