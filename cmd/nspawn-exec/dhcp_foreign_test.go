package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// startProcess starts a program of the host and ends it with the test.
func startProcess(t *testing.T, command ...string) {
	t.Helper()
	needKernel(t)
	cmd := exec.Command(command[0], command[1:]...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s said:\n%s", command[0], said)
		}
		log.Close()
	})
}

// newNetwork makes a bridge and on it a network card of the host, eth0, with another computer at the end of the cable.
func newNetwork(t *testing.T) {
	t.Helper()
	needKernel(t)
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	must(t, netlink.LinkAdd(bridge))
	t.Cleanup(func() { _ = netlink.LinkDel(bridge) })
	cable := netlink.NewVeth(netlink.LinkAttrs{Name: "eth0", MTU: 1500, TxQLen: 1000})
	cable.PeerName = "port0"
	must(t, netlink.LinkAdd(cable))
	t.Cleanup(func() { _ = netlink.LinkDel(cable) })
	port, err := netlink.LinkByName("port0")
	must(t, err)
	must(t, netlink.LinkSetMaster(port, bridge))
	address, err := netlink.ParseAddr("192.0.2.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(bridge, address))
	for _, link := range []netlink.Link{bridge, cable, port} {
		must(t, netlink.LinkSetUp(link))
	}
}

// lookAtAll shows what a payload finds of the lease of its only link.
const lookAtAll = `busybox ip -o -4 addr show scope global | busybox awk '{print $2, $4}'; busybox ip route; grep -v '^#' /etc/resolv.conf`

// Leases of other servers, on links of all kinds. The second container has another address than the first, also where both have that of
// the network card.
func TestForeignDHCPServers(t *testing.T) {
	newNetwork(t)
	writeFile(t, "/run/udhcpd.conf", "start 192.0.2.100\nend 192.0.2.120\ninterface br0\nlease_file /run/udhcpd.leases\npidfile /run/udhcpd.pid\n"+
		"option subnet 255.255.255.0\noption router 192.0.2.1\noption dns 192.0.2.1 192.0.2.2\noption domain lan.example\noption lease 600\n"+
		"option staticroutes 198.51.100.0/24 192.0.2.7, 0.0.0.0/0 192.0.2.1\n")
	writeFile(t, "/run/udhcpd.leases", "")
	for name, server := range map[string][]string{
		"udhcpd": {"busybox", "udhcpd", "-f", "/run/udhcpd.conf"},
		"dnsmasq": {"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--log-facility=-", "--log-dhcp", "--no-resolv", "--no-hosts",
			"--interface=br0", "--bind-interfaces", "--dhcp-authoritative", "--dhcp-leasefile=/run/dnsmasq.leases", "--pid-file=", "--port=0", "--dhcp-range=192.0.2.100,192.0.2.120,255.255.255.0,10m",
			"--dhcp-option=option:router,192.0.2.1", "--dhcp-option=option:dns-server,192.0.2.1,192.0.2.2", "--dhcp-option=option:domain-search,lan.example",
			"--dhcp-option=option:classless-static-route,198.51.100.0/24,192.0.2.7,0.0.0.0/0,192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			startProcess(t, server...)
			links := []struct{ settings, name string }{{"Bridge=br0", "host0"}, {"MACVLAN=eth0", "mv-eth0"}}
			if netlink.LinkAdd(&netlink.IPVlan{LinkAttrs: netlink.LinkAttrs{Name: "probe", ParentIndex: 1}}) != unix.EOPNOTSUPP { // the kernel knows it
				links = append(links, struct{ settings, name string }{"IPVLAN=eth0", "iv-eth0"})
			}
			for _, link := range links {
				var addresses []string
				var containers []*container
				for _, machine := range []string{"one", "two"} {
					c := beginBySettings(t, machine, "[Network]\n"+link.settings+"\nDHCP=yes\n", "/bin/sh", "-c", lookAtAll+"; echo up; exec sleep 1000")
					containers = append(containers, c)
					addresses = append(addresses, checkForeign(t, link.name, c.until("up")))
				}
				if addresses[0] == addresses[1] {
					t.Errorf("%s: both have %s", link.settings, addresses[0])
				}
				for _, c := range containers {
					c.end()
				}
			}
		})
	}
}

// checkForeign checks what a payload has found, and returns its address.
func checkForeign(t *testing.T, link, got string) (address string) {
	t.Helper()
	fields := strings.Fields(got)
	if len(fields) < 2 || fields[0] != link || !strings.HasPrefix(fields[1], "192.0.2.1") {
		t.Errorf("%q", got)
		return ""
	}
	address = strings.TrimSuffix(fields[1], "/24")
	want := fmt.Sprintf("%s %s/24 default via 192.0.2.1 dev %[1]s src %[2]s metric 1024 onlink 192.0.2.0/24 dev %[1]s scope link src %[2]s "+
		"198.51.100.0/24 via 192.0.2.7 dev %[1]s src %[2]s metric 1024 onlink nameserver 192.0.2.1 nameserver 192.0.2.2 search lan.example", link, address)
	if joined := strings.Join(fields, " "); joined != want {
		t.Errorf("%q, want %q", joined, want)
	}
	return address
}

// beginBySettings starts a container with a trusted .nspawn file of its own.
func beginBySettings(t *testing.T, machine, file string, arguments ...string) *container {
	t.Helper()
	path := "/run/systemd/nspawn/" + machine + ".nspawn"
	writeFile(t, path, file)
	t.Cleanup(func() { _ = os.Remove(path) })
	return launch(t, nspawn(newRoot(t, machine), append([]string{"--settings=override", "--machine=" + machine}, arguments...)...))
}

// end has the supervisor end the container and clean up.
func (c *container) end() {
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGTERM)
	c.wait()
}

// until returns the lines that come before one.
func (c *container) until(last string) (text string) {
	c.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-c.lines:
			if line == last || !open {
				return text
			}
			text += line + "\n"
		case <-timeout:
			c.t.Fatalf("container does not say %q but %q", last, text)
		}
	}
}

// systemd-networkd on the host serves the link by the file that comes with systemd.
func TestNetworkdServes(t *testing.T) {
	needKernel(t)
	writeFile(t, "/run/systemd/network/80-container-ve.network", networkFile("10.46.0.1/24", 3600)+"DNS=10.46.0.9\n")
	must(t, os.RemoveAll("/run/systemd/netif/state"))
	command(t, "install", "-d", "-o", "systemd-network", "-g", "systemd-network", "/run/systemd/netif")
	t.Cleanup(func() {
		must(t, os.RemoveAll("/run/systemd/netif"))
		must(t, os.RemoveAll("/run/systemd/network"))
		must(t, os.MkdirAll("/run/systemd/netif/state", 0o755))
	})
	startProcess(t, "unshare", "-m", "sh", "-c", "mount -t sysfs -o ro sysfs /sys && SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1 exec /usr/lib/systemd/systemd-networkd")
	eventually(t, "networkd runs", func() bool { _, err := os.Stat("/run/systemd/netif/links"); return err == nil })
	for range 2 {
		r := run(t, newRoot(t, "web"), "--network-veth", "/bin/sh", "-c", lookAtLease)
		if fields := strings.Fields(r.stdout); r.stderr != "" || r.status != 0 || !strings.HasPrefix(fields[0], "10.46.0.") || fields[3] != "10.46.0.1" || !strings.HasSuffix(r.stdout, "nameserver 10.46.0.9\n") {
			t.Errorf("%+v", r)
		}
	}
}

// Where systemd-networkd does not manage the link, or does not run any more, a container starts without an address and without a warning.
func TestNetworkdDoesNotServe(t *testing.T) {
	needKernel(t)
	const links = "/run/systemd/netif/links"
	must(t, os.MkdirAll(links, 0o755))
	defer os.RemoveAll(links)
	root := newRoot(t, "web")
	for _, state := range []string{"", "ADMIN_STATE=unmanaged\n"} {
		done := make(chan struct{})
		go func() { // what networkd writes
			for ; state != ""; time.Sleep(time.Millisecond) {
				select {
				case <-done:
					return
				default:
				}
				if link, err := netlink.LinkByName("ve-web"); err == nil {
					_ = os.WriteFile(fmt.Sprintf("%s/%d", links, link.Attrs().Index), []byte("# This is private data.\n"+state), 0o644)
				}
			}
		}()
		r := run(t, root, "--network-veth", "/bin/sh", "-c", "busybox ip -o -4 addr show dev host0")
		close(done)
		if r.status != 0 || r.stdout != "" || r.stderr != "" {
			t.Errorf("%q: %+v", state, r)
		}
	}
	must(t, os.RemoveAll(links))
	clean(t, root)
}

// A client in the container has the same lease, and does no harm.
func TestClientInside(t *testing.T) {
	newDHCPServer(t, networkFile("10.44.0.1/24", 4))
	root := newRoot(t, "web")
	writeFile(t, root+"/bin/script", "#!/bin/sh\ncase $1 in deconfig) busybox ip addr flush dev $interface;; bound|renew) busybox ip addr replace $ip/24 dev $interface; busybox ip route add default via $router; echo got $ip;; esac\nexit 0\n")
	must(t, os.Chmod(root+"/bin/script", 0o755))
	c := launch(t, nspawn(root, "--network-veth", "/bin/sh", "-c", "busybox udhcpc -i host0 -f -s /bin/script & sleep 1; echo up; exec sleep 1000"))
	c.expect("up")
	address := c.addressInside()
	for range 8 {
		time.Sleep(time.Second)
		if now := c.addressInside(); now == "" || now != address || !strings.Contains(c.inside("busybox ip route"), "default via 10.44.0.1 dev host0 \n") {
			t.Fatalf("%q, was %q: %s", now, address, c.inside("busybox ip route"))
		}
	}
}
