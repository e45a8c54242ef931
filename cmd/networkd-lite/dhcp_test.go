package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// udhcpc gets a lease for host0, asking for further options by name, and returns what it was told: "name=value" lines.
func (n *namespace) udhcpc(args ...string) string {
	n.t.Helper()
	script := filepath.Join(n.t.TempDir(), "script")
	const text = `#!/bin/sh
[ "$1" = bound ] || exit 0
for name in ip mask router dns ntpsrv domain siaddr tftp bootfile hostname lease opt43 wpad; do
	eval echo "TOLD $name=\$$name"
done
`
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		n.t.Fatal(err)
	}
	n.command("ip", "link", "set", "host0", "up")
	out := n.command(append([]string{"busybox", "udhcpc", "-i", "host0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", script}, args...)...)
	var told strings.Builder
	for line := range strings.Lines(out) {
		if line, found := strings.CutPrefix(line, "TOLD "); found && !strings.HasSuffix(line, "=\n") {
			told.WriteString(line)
		}
	}
	return told.String()
}

// What [DHCPServer] and [DHCPServerStaticLease] say arrives at a real client.
func TestDHCPServerKeys(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/80-container-ve.network.d/keys.conf", `[Network]
Address=
Address=10.7.0.1/24
[DHCPServer]
PoolOffset=100
PoolSize=20
DefaultLeaseTimeSec=10min
DNS=_server_address 9.9.9.9
NTP=192.0.2.123
EmitDomain=yes
Domain=example.com
BootServerAddress=192.0.2.69
BootServerName=boot.example.com
BootFilename=/boot/pxe
SendVendorOption=1:uint8:5
SendOption=252:string:wpad
[DHCPServerStaticLease]
MACAddress=02:00:00:00:00:01
Address=10.7.0.9
Hostname=web
`)
	w.startDaemon()
	web := w.addContainer("web")
	const want = `ip=10.7.0.9
mask=24
router=10.7.0.1
dns=10.7.0.1 9.9.9.9
ntpsrv=192.0.2.123
domain=example.com
siaddr=192.0.2.69
tftp=boot.example.com
bootfile=/boot/pxe
hostname=web
lease=600
opt43=010105
wpad=wpad
`
	got := web.udhcpc("-O", "ntpsrv", "-O", "tftp", "-O", "bootfile", "-O", "43", "-O", "252", "-O", "hostname")
	if got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}
	if said := w.daemon.said(); strings.Contains(said, "keys.conf") {
		t.Errorf("said: %s", said)
	}
}

// addToZone makes a port of the zone's bridge, with a machine file for the container at its other end, if it is to have one.
func (w *world) addToZone(name, mac string, known bool) *namespace {
	w.t.Helper()
	n := w.newNamespace()
	if known {
		w.write("run/nspawnkit/machines/"+name+".json", `{"version":1,"name":"`+name+`","zone":"app","links":[{"host":"vb-`+name+
			`","hostMAC":"02:00:00:00:01:01","container":"host0","containerMAC":"`+mac+`","bridge":"vz-app"}]}`)
	}
	w.command("ip", "link", "add", "vb-"+name, "type", "veth", "peer", "name", "host0", "address", mac, "netns", n.pid)
	w.command("ip", "link", "set", "vb-"+name, "master", "vz-app")
	return n
}

// A container of a zone has the same address with another hardware address and client identifier, over restarts of container and daemon.
func TestZoneLease(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	web := w.addToZone("web", "02:00:00:00:00:01", true)
	first := web.dhcp()
	w.command("ip", "link", "delete", "vb-web")
	web = w.addToZone("web", "02:00:00:00:00:02", true)
	if got := web.udhcpc("-x", "0x3d:ff01020304"); !strings.HasPrefix("ip="+first, strings.TrimSuffix(strings.Split(got, "mask")[0], "\n")) {
		t.Errorf("with another hardware address %q, before %q", got, first)
	}
	w.daemon.stop(os.Kill)
	w.startDaemon()
	if lease := web.dhcp(); lease != first {
		t.Errorf("after a restart of the daemon %q, before %q", lease, first)
	}
	if leases := w.verb("leases", "--json"); strings.Count(leases, `"container": "web"`) != 1 {
		t.Errorf("leases: %s", leases)
	}
}

// An address that a container took without asking is found and not given to others.
func TestConflict(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/80-container-vz.network.d/small.conf", "[Network]\nAddress=\nAddress=10.7.0.1/24\n[DHCPServer]\nPoolOffset=10\nPoolSize=2\n")
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	squatter := w.addToZone("squatter", "02:00:00:00:00:66", false)
	squatter.command("ip", "link", "set", "host0", "up")
	squatter.command("ip", "address", "add", "10.7.0.10/24", "dev", "host0")
	web := w.addToZone("web", "02:00:00:00:00:01", false)
	if got := web.udhcpc("-r", "10.7.0.10"); !strings.HasPrefix(got, "ip=10.7.0.11\n") {
		t.Errorf("lease %s", got)
	}
	const want = "vz-app: 10.7.0.10 is in use by 02:00:00:00:00:66, which has no lease: not given to others for 10 minutes"
	if said := w.daemon.said(); strings.Count(said, want) != 1 {
		t.Errorf("said: %s", said)
	}
}
