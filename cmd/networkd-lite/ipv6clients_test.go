package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Real clients in the container take address, route, DNS server and domain from router advertisements.
func TestIPv6Clients(t *testing.T) {
	for _, client := range []struct{ name, script, resolver string }{
		// As in a container: /sys is read-only, so that it waits for no udev.
		{"systemd-networkd", `mount -t tmpfs tmpfs /run && mount -t sysfs -o ro sysfs /sys && mkdir -p /run/systemd/network &&
printf '[Match]\nName=host0\n[Network]\nDHCP=yes\n[IPv6AcceptRA]\nUseDomains=yes\n' >/run/systemd/network/10.network &&
install -d -o systemd-network /run/systemd/netif && exec /usr/lib/systemd/systemd-networkd`, "cat /run/systemd/netif/links/*"},
		{"dhcpcd", `mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib/dhcpcd && cp /dev/null /run/resolv.conf && touch /etc/resolv.conf &&
mount --bind /run/resolv.conf /etc/resolv.conf && exec dhcpcd --nobackground --config /dev/null --option domain_name_servers --option domain_search host0`,
			"cat /etc/resolv.conf"},
	} {
		t.Run(client.name, func(t *testing.T) {
			w := newWorld(t)
			host := w.addIPv6()
			w.startDaemon()
			web := w.addContainer("web")
			pid := web.start(client.script)
			web.address6("host0", webPrefix)
			web.waitForRoute(true)
			if got := web.seenAs(outside6); got != host {
				t.Errorf("seen outside as %s, want %s", got, host)
			}
			for _, want := range []string{webPrefix + ":1", "nspawn.internal"} {
				w.waitFor(want, "nsenter", "--target="+pid, "--mount", "sh", "-c", client.resolver)
			}
		})
	}
}

// start starts a shell script in the namespace and in a mount namespace of its own, and returns its process ID.
func (n *namespace) start(script string) (pid string) {
	n.t.Helper()
	command := exec.Command("nsenter", "--target="+n.pid, "--net", "unshare", "--mount", "--propagation=private", "sh", "-c", script)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var out strings.Builder
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		// Also the helpers of dhcpcd, which outlive it when it is killed, and have our end of the pipe.
		timer := time.AfterFunc(5*time.Second, func() { syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
		command.Wait()
		timer.Stop()
		if n.t.Failed() {
			n.t.Logf("client: %s", out.String())
		}
	})
	return fmt.Sprint(command.Process.Pid)
}
