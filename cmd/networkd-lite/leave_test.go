package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A daemon that ends leaves rules where links of containers need them, and nothing at all where none is left.
func TestLeave(t *testing.T) {
	w := newWorld(t)
	w.docker("iptables-nft")
	before := w.ruleset()
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	w.addToZone("db", "02:00:00:00:00:02", true).dhcp()
	w.waitForRules("iptables-nft-save", true)
	w.waitForRules("ip6tables-nft-save", true)
	w.waitFor("table bridge nspawnkit", "nft", "list", "tables")
	with := w.ruleset()
	w.daemon.stop(syscall.SIGTERM)
	if after := w.ruleset(); after != with {
		t.Errorf("with links, before:\n%s\nafter:\n%s", with, after)
	}
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("without the daemon seen outside as %s", got)
	}

	w.startDaemon()
	w.daemon.command.Process.Signal(syscall.SIGSTOP) // so that they go while nobody looks
	for _, link := range []string{"ve-web", "vb-db", "vz-app"} {
		w.command("ip", "link", "delete", link)
	}
	w.daemon.command.Process.Signal(syscall.SIGTERM)
	w.daemon.stop(syscall.SIGCONT)
	if after := w.ruleset(); after != before {
		t.Errorf("without links, before:\n%s\nafter:\n%s", before, after)
	}
	w.startDaemon()
	w.daemon.stop(syscall.SIGTERM) // one that never had anything to do
	if after := w.ruleset(); after != before {
		t.Errorf("without a container, before:\n%s\nafter:\n%s", before, after)
	}
}

// What a daemon that is gone has left goes by --cleanup, with links and without; while one runs it refuses.
func TestCleanUp(t *testing.T) {
	w := newWorld(t)
	w.docker("iptables-nft")
	before := w.ruleset()
	w.verb("--cleanup") // of nothing
	w.startDaemon()
	w.addContainer("web").dhcp()
	w.waitForRules("iptables-nft-save", true)
	with := w.ruleset()
	command := exec.Command("/proc/self/exe", "--cleanup")
	command.Env = w.env
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "systemctl stop networkd-lite") {
		t.Errorf("while it runs: %v: %s", err, out)
	}
	if after := w.ruleset(); after != with {
		t.Errorf("while it runs, before:\n%s\nafter:\n%s", with, after)
	}
	w.daemon.stop(syscall.SIGKILL)
	if left := w.ruleset(); left != with {
		t.Errorf("the killed daemon left:\n%s\ninstead of\n%s", left, with)
	}
	w.verb("--cleanup")
	if after := w.ruleset(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// ruleset returns all of the packet filters of nf_tables, without counters.
func (w *world) ruleset() string {
	w.t.Helper()
	return w.command("nft", "--stateless", "list", "ruleset")
}
