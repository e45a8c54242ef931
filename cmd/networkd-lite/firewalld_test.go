package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// firewalld runs firewalld(1) on the bus of the host, with a default zone that drops everything. It returns how to end it.
func (w *world) firewalld() (stop func()) {
	w.t.Helper()
	daemon := exec.Command("firewalld", "--nofork", "--nopid", "--log-target=console",
		"--system-config="+w.root+"/firewalld/etc", "--default-config="+w.root+"/firewalld/lib")
	daemon.Env, daemon.SysProcAttr = w.env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	daemon.Stdout, daemon.Stderr = os.Stderr, os.Stderr
	if err := daemon.Start(); err != nil {
		w.t.Fatal(err)
	}
	stop = func() { daemon.Process.Signal(syscall.SIGTERM); daemon.Wait() }
	w.t.Cleanup(stop)
	w.waitFor("drop\n", w.firewallCmd("--get-default-zone")...)
	return stop
}

// firewallCmd is the command line of firewall-cmd(1) on that bus.
func (w *world) firewallCmd(arguments ...string) []string {
	return append([]string{"env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + w.root + "/bus", "firewall-cmd"}, arguments...)
}

// Where firewalld drops what it does not know, containers have their network and get at names, also after a reload and when it
// starts later.
func TestFirewalld(t *testing.T) {
	w := newWorld(t)
	w.startBus()
	w.command("mkdir", w.root+"/firewalld")
	w.command("cp", "-a", "/usr/lib/firewalld", w.root+"/firewalld/lib")
	w.command("cp", "-a", "/etc/firewalld", w.root+"/firewalld/etc")
	w.command("sed", "-i", "s/^DefaultZone=.*/DefaultZone=drop/", w.root+"/firewalld/etc/firewalld.conf")
	w.command("cp", "../../units/static/firewalld/nspawnkit.xml", w.root+"/firewalld/lib/zones")
	w.command("cp", "../../units/static/firewalld/nspawnkit-out.xml", w.root+"/firewalld/lib/policies")
	w.hostServer("0.0.0.0:53")
	stop := w.firewalld()
	w.command(w.firewallCmd("--zone=public", "--add-interface=up0")...)
	w.command(w.firewallCmd("--runtime-to-permanent")...)
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	inZone := func(links string) {
		t.Helper()
		w.waitFor("interfaces: "+links+"\n", w.firewallCmd("--zone=nspawnkit", "--list-all")...)
	}
	reachable := func() {
		t.Helper()
		inZone("ve-+ vz-+")
		if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
			t.Errorf("seen outside as %s", got)
		}
		web.expect(true, "names", "192.168.177.49:53")
	}
	reachable()
	w.command(w.firewallCmd("--reload")...)
	reachable()
	stop()
	w.firewalld()
	reachable()

	w.write("etc/nspawnkit/networkd-lite.conf", "[Network]\nFirewall=no\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	inZone("")
	os.Remove(w.root + "/etc/nspawnkit/networkd-lite.conf")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	reachable()
	w.command("ip", "link", "delete", "ve-web")
	inZone("")
	w.addContainer("db").dhcp()
	inZone("ve-+ vz-+")
	w.daemon.command.Process.Signal(syscall.SIGSTOP)
	w.command("ip", "link", "delete", "ve-db")
	w.daemon.command.Process.Signal(syscall.SIGTERM)
	w.daemon.stop(syscall.SIGCONT)
	inZone("")
	if said := w.daemon.said(); !strings.Contains(said, "firewalld: put the links of containers into the zone nspawnkit") {
		t.Errorf("said %s", said)
	}
}
