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
