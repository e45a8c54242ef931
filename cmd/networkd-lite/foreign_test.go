package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// docker sets up what Docker does with the given iptables: it drops what it does not forward itself, but for DOCKER-USER.
func (w *world) docker(iptables string) {
	w.t.Helper()
	for _, program := range []string{iptables, strings.Replace(iptables, "ip", "ip6", 1)} {
		for _, rule := range []string{
			"-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -p tcp --dport 8081 -j REJECT", "-A DOCKER-USER -j RETURN",
			"-A FORWARD -j DOCKER-USER", "-A FORWARD -i docker0 -j ACCEPT",
		} {
			w.command(append([]string{program}, strings.Fields(rule)...)...)
		}
	}
}

// waitForRules waits until there are none of our rules in the chains of others, or some.
func (w *world) waitForRules(save string, some bool) {
	w.t.Helper()
	then := map[bool]string{true: "&&", false: "||"}[some]
	w.waitFor("=", "sh", "-c", save+` | grep -q 'comment "nspawnkit: ' `+then+" echo =")
}

// Where Docker drops what is forwarded, containers have their network nevertheless, and nothing but rules of ours comes and goes.
func TestDocker(t *testing.T) {
	for _, backend := range []string{"iptables-nft", "iptables-legacy"} {
		t.Run(backend, func(t *testing.T) {
			w := newWorld(t)
			w.docker(backend)
			save := backend + "-save"
			before := w.rulesOf(save)
			w.startDaemon()
			web := w.addContainer("web")
			web.dhcp()
			w.waitForRules(save, true)
			if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
				t.Errorf("seen outside as %s", got)
			}
			golden(t, "foreign-docker", w.rulesOf(save))
			w.waitForRules(strings.Replace(save, "ip", "ip6", 1), true)
			if w.outside.echoServer("203.0.113.2:8081"); web.reaches("203.0.113.2:8081") {
				t.Error("the rule of the administrator does not come first")
			}

			if strings.Contains(w.daemon.said(), " drops ") {
				t.Error("warned of what passes")
			}
			w.daemon.stop(syscall.SIGKILL)
			w.startDaemon() // nothing is there twice
			w.addContainer("db").dhcp()
			w.waitFor(`"ve-db"`, "nft", "list", "table", "inet", "nspawnkit")
			golden(t, "foreign-docker", w.rulesOf(save))

			w.write("etc/nspawnkit/networkd-lite.conf", "[Network]\nFirewall=no\n")
			w.daemon.command.Process.Signal(syscall.SIGHUP)
			w.waitForRules(save, false)
			os.Remove(filepath.Join(w.root, "etc/nspawnkit/networkd-lite.conf"))
			w.daemon.command.Process.Signal(syscall.SIGHUP)
			w.waitForRules(save, true)

			w.daemon.stop(syscall.SIGKILL)
			w.command("ip", "link", "delete", "ve-web")
			w.command("ip", "link", "delete", "ve-db") // while nobody looks
			w.startDaemon()
			w.waitForRules(save, false)
			if after := w.rulesOf(save); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// reaches reports whether a server answers; who is kept from it is told at once.
func (n *namespace) reaches(server string) (reached bool) {
	n.t.Helper()
	n.inside(func() error {
		conn, err := net.DialTimeout("tcp", server, 10*time.Second)
		if reached = err == nil; reached {
			conn.Close()
		}
		return nil
	})
	return reached
}

// rulesOf returns the rules of the table filter, without counters.
func (w *world) rulesOf(save string) string {
	w.t.Helper()
	return w.command("sh", "-c", save+" -t filter | grep '^-A'")
}

// Where br_netfilter is on, frames between the ports of a zone pass the packet filter, too; and strict rp_filter keeps no container
// from anything.
func TestBridgeNetfilter(t *testing.T) {
	w := newWorld(t)
	w.docker("iptables-nft")
	w.command("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=1", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	var containers []*namespace
	for i := range 2 {
		n, port := w.newNamespace(), fmt.Sprint("vb-", i)
		w.command("ip", "link", "add", port, "type", "veth", "peer", "name", "host0", "netns", n.pid)
		w.command("ip", "link", "set", port, "master", "vz-app")
		containers = append(containers, n)
	}
	address, _, _ := strings.Cut(containers[0].dhcp(), "/")
	containers[1].dhcp()
	w.waitForRules("iptables-nft-save", true)
	containers[0].echoServer(address + ":8080")
	if got := containers[1].seenAs(address + ":8080"); !strings.HasPrefix(got, "192.168.111.") {
		t.Errorf("seen in the zone as %s", got)
	}
	if got := containers[1].seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	if packets := w.command("nft", "list", "chain", "ip", "filter", "FORWARD"); !strings.Contains(packets, "jump DOCKER-USER") ||
		strings.Contains(packets, "packets 0 bytes 0 jump DOCKER-USER") {
		t.Errorf("frames of the zone did not pass the packet filter: %s", packets)
	}
}

// ufw runs ufw(8), whose files are in a folder of the test.
func (w *world) ufw(command string) {
	w.t.Helper()
	script := "mount --bind " + w.root + "/ufw /etc/ufw && mount -t tmpfs none /run && exec " + command
	w.command("unshare", "--mount", "sh", "-c", script)
}

// Behind ufw containers have their network, also after "ufw reload", and what the administrator forbids stays forbidden.
func TestUfw(t *testing.T) {
	w := newWorld(t)
	w.command("cp", "-a", "/etc/ufw", w.root+"/ufw")
	w.command("sysctl", "-w", "net.ipv4.ip_forward=1")
	w.ufw("ufw --force enable")
	w.ufw("ufw route deny proto tcp to any port 8081")
	before := w.rulesOf("iptables-save")
	w.startDaemon()
	web := w.addContainer("web")
	lease := web.dhcp()
	w.waitForRules("iptables-save", true)
	reachable := func() {
		t.Helper()
		if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
			t.Errorf("seen outside as %s", got)
		}
	}
	reachable()
	w.ufw("ufw reload")
	w.waitForRules("iptables-save", true)
	reachable()
	w.ufw("ufw allow 2222/tcp") // behind ours, which move
	w.waitFor("=", "sh", "-c", "iptables-save | grep -A1 2222 | grep -q nspawnkit && echo =")
	golden(t, "foreign-ufw", w.command("sh", "-c", "iptables-save -t filter | grep -e '-A ufw-user-[fi]'"))
	if again := web.dhcp(); again != lease {
		t.Errorf("lease %q, then %q", lease, again)
	}
	w.ufw("ufw delete allow 2222/tcp")
	w.command("ip", "link", "delete", "ve-web")
	w.waitForRules("iptables-save", false)
	if after := w.rulesOf("iptables-save"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if strings.Contains(w.daemon.said(), " drops ") {
		t.Error("warned of what passes")
	}
}

// What some other program drops is left alone; the journal says what, where, and how to allow it.
func TestForeignDrop(t *testing.T) {
	w := newWorld(t)
	w.command("nft", "table inet mine { chain forward { type filter hook forward priority filter; policy drop; ct state established accept; }; }")
	before := w.command("nft", "list", "table", "inet", "mine")
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	const warning = `nft chain inet mine forward drops what containers send to others (policy drop); to allow it: `
	for end := time.Now().Add(20 * time.Second); !strings.Contains(w.daemon.said(), warning); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no warning")
		}
	}
	if after := w.command("nft", "list", "table", "inet", "mine"); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
	_, command, _ := strings.Cut(w.daemon.said(), warning)
	command, _, _ = strings.Cut(command, "\n")
	w.command("sh", "-c", command)
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
}

// Who drops what the host itself sends is told so, and once it passes IPv6 goes on by itself.
func TestForeignOutputDrop(t *testing.T) {
	w := newWorld(t)
	w.command("nft", "table inet mine { chain output { type filter hook output priority filter; icmpv6 type nd-router-advert drop; }; }")
	w.startDaemon()
	web := w.addContainer("web")
	web.command("ip", "link", "set", "host0", "up")
	w.waitForLog("ve-web: router advertisements: send router advertisement: a packet filter of the host drops it (hook output)")
	web.dhcp()
	w.command("nft", "delete", "table", "inet", "mine")
	web.address6("host0", webPrefix)
}
