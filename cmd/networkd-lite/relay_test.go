package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A DHCP server outside gives a container its address, by the link that the relay agent tells it of.
func TestDHCPRelay(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/80-container-ve.network.d/relay.conf", `[Network]
Address=
Address=10.9.0.1/24
[DHCPServer]
RelayTarget=203.0.113.2
RelayAgentCircuitId=string:of web
RelayAgentRemoteId=string:host
BindToInterface=no
`)
	w.outside.command("ip", "route", "add", "10.9.0.0/24", "via", "203.0.113.1")
	server := exec.Command("nsenter", "--target="+w.outside.pid, "--net", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
		"--user=root", "--pid-file=", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--dhcp-circuitid=set:web,6f:66:20:77:65:62",
		"--dhcp-range=tag:web,10.9.0.77,10.9.0.77,255.255.255.0", "--dhcp-option=option:router,10.9.0.1", "--dhcp-option=option:dns-server,9.9.9.9")
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	w.startDaemon()
	web := w.addContainer("web")
	if lease := web.dhcp(); lease != "10.9.0.77/24 10.9.0.1 9.9.9.9" {
		t.Errorf("lease %q", lease)
	}
	if status := w.verb("status"); !strings.Contains(status, "10.9.0.1/24, DHCP relay") {
		t.Errorf("status: %s", status)
	}
	if said := w.daemon.said(); strings.Contains(said, "relay.conf:") || strings.Contains(said, "DHCP relay:") {
		t.Errorf("said: %s", said)
	}
}
