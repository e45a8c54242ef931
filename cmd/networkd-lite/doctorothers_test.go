package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// examined is what doctor says of the container web in a world where something stands in the way.
func (w *world) examined(hop string, lines ...string) (report string) {
	w.t.Helper()
	report, failed := w.doctor("web")
	if failed != hop {
		w.t.Errorf("fails at %q, want %q:\n%s", failed, hop, report)
	}
	for _, line := range lines {
		if !strings.Contains(report, line) {
			w.t.Errorf("no %q in:\n%s", line, report)
		}
	}
	return report
}

// dnsmasq starts a server that has ports 53 and 67 of the host's links.
func (w *world) dnsmasq(arguments ...string) *os.Process {
	w.t.Helper()
	process := w.start(append([]string{"dnsmasq", "--keep-in-foreground", "--log-facility=-", "--user=root", "--no-resolv", "--server=203.0.113.2",
		"--pid-file=", "--dhcp-leasefile=" + w.t.TempDir() + "/leases", "--dhcp-range=203.0.113.50,203.0.113.59,1h"}, arguments...)...)
	w.waitFor(fmt.Sprintf(`("dnsmasq",pid=%d`, process.Pid), "ss", "-ulpn", "sport = 67")
	return process
}

// Who has the ports of all links is named, and what doctor says makes room.
func TestDoctorPortsTaken(t *testing.T) {
	w := newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	dnsmasq := w.dnsmasq("--conf-file=/dev/null")
	w.startDaemon()
	web := w.runsWithPort()
	web.dhcp()
	web.echoServer("0.0.0.0:80")
	w.waitForLog("web: ports lead to 192.168.177.55")
	name := fmt.Sprintf("dnsmasq (PID %d", dnsmasq.Pid)
	report := w.examined("names", "ok    dhcp        192.168.177.49 offers 192.168.177.55, beside "+name, "FAIL  names       "+name,
		" has port 53 of all links: containers are told of the host's DNS servers, and cannot find each other by name")

	folder := filepath.Join(w.root, "dnsmasq.d")
	w.write("dnsmasq.d/other.conf", "")
	configure, restart, _ := strings.Cut(fixOf(report, "names"), " && ")
	if restart != "systemctl restart dnsmasq && systemctl reload networkd-lite" {
		t.Errorf("then: %s", restart)
	}
	w.command("sh", "-c", strings.ReplaceAll(configure, "/etc/dnsmasq.d", folder))
	dnsmasq.Kill()
	dnsmasq.Wait()
	w.dnsmasq("--conf-dir=" + folder)
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	w.waitFor("192.168.177.49%ve-web:53", "ss", "-Hlun")
	w.waitFor(`"dnsServer": [`+"\n\t\t\t\t"+`"192.168.177.49"`, "cat", w.root+"/run/nspawnkit/network/status.json")
	w.examined("", "ok    names       the names of containers are served at 192.168.177.49")
}

// Another networkd-lite that serves the link, from another root, is named with its number.
func TestDoctorTwoDaemons(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.runsWithPort().dhcp()
	second := *w
	second.root = t.TempDir()
	second.env = append(os.Environ(), "NETWORKD_LITE_TEST_DAEMON=1", "NSPAWNKIT_ROOT="+second.root, "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+second.root+"/bus")
	w.command("cp", "-a", w.root+"/usr", w.root+"/etc", second.root)
	second.startDaemon()
	w.examined("owner", fmt.Sprintf("(PID %d", second.daemon.command.Process.Pid), ") serves ve-web, too, beside networkd-lite: one of them is too many")
	second.daemon.stop(syscall.SIGTERM)
	if report, failed := w.doctor("web"); failed == "owner" {
		t.Errorf("still there: %s", report)
	}
}

// A systemd-networkd of which networkd-lite does not know, as there is no bus, is named, too.
func TestDoctorNetworkdUnknown(t *testing.T) {
	w := newWorld(t)
	w.ownMounts()
	w.command("mount", "-t", "tmpfs", "tmpfs", "/run")
	w.command("mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys") // systemd-networkd asks no udev then
	w.command("mkdir", "-p", "/run/systemd/network")
	w.command("sh", "-c", `printf '[Match]\nName=ve-web\n[Network]\nAddress=10.77.0.1/28\nDHCPServer=yes\n' >/run/systemd/network/10-web.network`)
	w.startDaemon()
	w.runsWithPort().dhcp()
	networkd := w.start("env", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1", "/lib/systemd/systemd-networkd")
	w.waitFor(fmt.Sprintf("pid=%d", networkd.Pid), "ss", "-Hulpn", "sport = 67")
	w.examined("owner", fmt.Sprintf("FAIL  owner       systemd-network (PID %d", networkd.Pid), ") serves ve-web, too, beside networkd-lite: one of them is too many",
		"try: busctl status org.freedesktop.network1; systemctl restart networkd-lite")
}

// A link that NetworkManager manages is reported with the reason, and what doctor says has it let go, also the next time.
func TestDoctorNetworkManager(t *testing.T) {
	w := newWorld(t)
	w.prepareManager()
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	w.command("mkdir", "-p", "/run/conf.d")
	w.write("run/NetworkManager.conf", "[main]\n")
	configuration := filepath.Join(w.root, "run/NetworkManager.conf")
	manager := w.startManager(configuration, "/run/conf.d")
	w.startDaemon()
	web := w.runsWithPort()
	web.command("ip", "link", "set", "host0", "up")
	w.waitForDevice("ve-web:connect") // connecting, or externally connected when the address of networkd-lite was there first
	report := w.examined("owner", "FAIL  owner       NetworkManager manages ve-web: the file that has it leave links of containers alone, "+
		"/usr/lib/NetworkManager/conf.d/nspawnkit.conf, is missing")
	w.write("etc/NetworkManager/conf.d/nspawnkit.conf", "")
	w.examined("owner", "NetworkManager manages ve-web: /etc/NetworkManager/conf.d/nspawnkit.conf hides the file")

	w.command("sh", "-c", strings.ReplaceAll(fixOf(report, "owner"), "/etc/NetworkManager/", "/run/"))
	w.waitForDevice("ve-web:unmanaged")
	web.dhcp()
	web.echoServer("0.0.0.0:80")
	w.examined("", "ok    owner       networkd-lite looks after ve-web")
	manager.Kill()
	manager.Wait()
	w.command("rm", "-rf", "/run/NetworkManager")
	w.command("mkdir", "/run/NetworkManager")
	w.startManager(configuration, "/run/conf.d")
	w.waitForDevice("up0:connect")
	w.waitForDevice("ve-web:unmanaged")
}

// A systemd-networkd that has the link by a file without a DHCP server, and with one.
func TestDoctorNetworkd(t *testing.T) {
	w := newWorld(t)
	w.prepareNetworkd()
	configure := func(lines string) *os.Process {
		w.command("sh", "-c", `printf '[Match]\nName=ve-web\n[Network]\nAddress=10.77.0.1/28\n`+lines+`' >/run/systemd/network/10-web.network`)
		return w.startNetworkd()
	}
	networkd := configure("")
	w.startDaemon()
	web := w.runsWithPort()
	web.command("ip", "link", "set", "host0", "up")
	w.waitForLog("ve-web: left to systemd-networkd")
	w.waitFor("10.77.0.1/28", "ip", "address", "show", "dev", "ve-web")
	w.examined("dhcp", "ok    owner       systemd-networkd looks after ve-web, by /run/systemd/network/10-web.network",
		"FAIL  dhcp        no answer to a DHCPDISCOVER from host0: systemd-networkd looks after ve-web, by /run/systemd/network/10-web.network, and runs no DHCP server there")

	networkd.Kill()
	networkd.Wait()
	networkd = configure(`DHCPServer=yes\n`)
	w.waitFor(fmt.Sprintf("pid=%d", networkd.Pid), "ss", "-Hulpn", "sport = 67")
	w.waitFor(`"owner": "systemd-networkd"`, "cat", w.root+"/run/nspawnkit/network/status.json")
	report, failed := w.doctor("web")
	if !strings.Contains(report, "ok    dhcp        10.77.0.1 offers 10.77.0.") || failed == "owner" {
		t.Errorf("fails at %q: %s", failed, report)
	}
}
