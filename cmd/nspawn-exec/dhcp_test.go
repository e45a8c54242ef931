package main_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// dhcpServer is networkd-lite with files of its own, but the /run of this private host, where containers are told of it.
type dhcpServer struct {
	t       testing.TB
	root    string
	command *exec.Cmd
	mutex   sync.Mutex
	said    bytes.Buffer
}

// newDHCPServer starts one. link is the .network file of containers; empty: the one that comes with it.
func newDHCPServer(t testing.TB, link string) *dhcpServer {
	t.Helper()
	needKernel(t)
	s := &dhcpServer{t: t, root: t.TempDir()}
	shipped, err := filepath.Glob("../../units/static/network/*.network")
	if err != nil || len(shipped) == 0 {
		t.Fatalf("no .network files: %v", err)
	}
	for _, path := range shipped {
		data, err := os.ReadFile(path)
		must(t, err)
		writeFile(t, filepath.Join(s.root, "usr/lib/nspawnkit/network", filepath.Base(path)), string(data))
	}
	writeFile(t, s.root+"/etc/resolv.conf", "")
	must(t, os.Symlink("/run", s.root+"/run"))
	if link != "" {
		s.configure(link)
	}
	t.Cleanup(func() {
		s.stop()
		must(t, os.RemoveAll("/run/nspawnkit/network"))
		if t.Failed() {
			t.Logf("networkd-lite said:\n%s", s.said.String())
		}
	})
	s.start()
	return s
}

func (s *dhcpServer) configure(link string) {
	writeFile(s.t, s.root+"/etc/systemd/network/80-container-ve.network", link)
}

// Write takes what networkd-lite says.
func (s *dhcpServer) Write(text []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.said.Write(text)
}

// start waits until the server is ready.
func (s *dhcpServer) start() {
	s.t.Helper()
	socket := filepath.Join(s.t.TempDir(), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(s.t, err)
	defer notify.Close()
	s.command = exec.Command(program("networkd-lite"))
	s.command.Env = []string{"PATH=" + os.Getenv("PATH"), "NSPAWNKIT_ROOT=" + s.root, "NOTIFY_SOCKET=" + socket, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere"}
	s.command.Stderr = s
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(s.t, s.command.Start())
	must(s.t, notify.SetReadDeadline(time.Now().Add(patience)))
	if _, err := notify.Read(make([]byte, 4096)); err != nil {
		s.t.Fatalf("networkd-lite is not ready: %v", err)
	}
}

func (s *dhcpServer) stop() {
	if s.command != nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
		s.command = nil
	}
}

// networkFile is one for the host's sides of links, with leases of some seconds.
func networkFile(address string, seconds int) string {
	return fmt.Sprintf("[Match]\nName=ve-*\n[Network]\nAddress=%s\nDHCPServer=yes\n[DHCPServer]\nDefaultLeaseTimeSec=%d\nMaxLeaseTimeSec=%[2]d\nPersistLeases=no\nPoolSize=4\n",
		address, seconds)
}

// lookAtLease shows what a payload finds of its lease; inside shows it later.
const lookAtLease = `busybox ip -o -4 addr show dev host0 | busybox awk '{print $4}'; busybox ip route; grep -v '^#' /etc/resolv.conf`

// inside runs a script in the network and mount namespaces of a container.
func (c *container) inside(script string) string {
	c.t.Helper()
	out, err := exec.Command("nsenter", fmt.Sprintf("--target=%d", c.init()), "--net", "--mount", "/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: %v", out, err)
	}
	return string(out)
}

// addressInside returns the address of host0, empty if it has none.
func (c *container) addressInside() string {
	return strings.TrimSpace(c.inside(`busybox ip -o -4 addr show dev host0 | busybox awk '{print $4}'`))
}

// A payload that is no init finds address, route and name servers when it starts.
func TestLeaseBeforePayload(t *testing.T) {
	newDHCPServer(t, networkFile("10.44.0.1/24", 3600))
	for name, options := range map[string][]string{
		"pipe": nil, "terminal": {"--console=read-only"}, "process 2": {"--as-pid2"}, "asked": {"--settings=override"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Network]\nDHCP=yes\n")
			defer os.Remove("/run/systemd/nspawn/web.nspawn")
			r := run(t, root, append(append([]string{"--network-veth"}, options...), "/bin/sh", "-c", lookAtLease)...)
			got := strings.Fields(r.stdout)
			if r.status != 0 || r.stderr != "" || len(got) == 0 || !strings.HasPrefix(got[0], "10.44.0.") {
				t.Fatalf("%+v", r)
			}
			address := strings.TrimSuffix(got[0], "/24")
			want := got[0] + " default via 10.44.0.1 dev host0 src " + address + " metric 1024 onlink 10.44.0.0/24 dev host0 scope link src " + address +
				" nameserver 10.44.0.1 search nspawn.internal"
			if strings.Join(got, " ") != want {
				t.Errorf("%q, want %q", strings.Join(got, " "), want)
			}
		})
	}
}

// What of resolv.conf is whose.
func TestLeasedNameServers(t *testing.T) {
	newDHCPServer(t, networkFile("10.44.0.1/24", 3600))
	for name, test := range map[string]struct{ before, file, want string }{
		"none":      {"", "", "10.44.0.1"},
		"loopback":  {"nameserver 127.0.0.53\n", "", "10.44.0.1"},
		"ours":      {"# Written by nspawn-exec at the start of the container.\nnameserver 192.0.2.1\n", "", "10.44.0.1"},
		"image's":   {"nameserver 192.0.2.1\n", "", "192.0.2.1"},
		"DHCP=yes":  {"nameserver 192.0.2.1\n", "[Network]\nDHCP=yes\n", "10.44.0.1"},
		"DNS=":      {"", "[Network]\nDNS=192.0.2.2\n", "192.0.2.2"},
		"off":       {"nameserver 127.0.0.53\n", "[Exec]\nResolvConf=off\n", "127.0.0.53"},
		"read-only": {"nameserver 127.0.0.53\n", "[Files]\nReadOnly=yes\n[Exec]\nTimezone=off\n", "10.44.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, root+"/etc/resolv.conf", test.before)
			r := runBySettings(t, root, test.file, "--network-veth", "/bin/sh", "-c", "grep ^nameserver /etc/resolv.conf")
			if r.status != 0 || r.stderr != "" || strings.TrimSpace(r.stdout) != "nameserver "+test.want {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A lease is renewed as long as the container runs, whatever its console is, and the address goes with the lease.
func TestLeaseIsRenewed(t *testing.T) {
	const seconds = 4
	for _, console := range []string{"pipe", "read-only", "interactive"} {
		t.Run(console, func(t *testing.T) {
			server := newDHCPServer(t, networkFile("10.44.0.1/24", seconds))
			root := newRoot(t, "web")
			c := begin(t, root, append([]string{"--network-veth", "--console=" + console}, sleeper...)...)
			if console != "interactive" { // that program goes on
				c.expectFresh()
			}
			address := c.addressInside()
			for range 3 * seconds {
				time.Sleep(time.Second)
				if now := c.addressInside(); now == "" || now != address {
					t.Fatalf("%q, was %q", now, address)
				}
			}
			server.stop()
			eventually(t, "the address goes with the lease", func() bool { return c.addressInside() == "" })
			server.start()
			eventually(t, "there is another lease", func() bool { return c.addressInside() == address })
			if said := c.stderr.String(); strings.Count(said, "has ended: asking for another") > 1 {
				t.Error(said)
			}
			c.signal(syscall.SIGTERM)
			c.signal(syscall.SIGTERM)
			c.wait()
			server.stop()
			must(t, os.RemoveAll("/run/nspawnkit/network"))
			clean(t, root)
		})
	}
}

// A server that refuses a lease gives another, with other name servers.
func TestLeaseIsRefused(t *testing.T) {
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 6))
	root := newRoot(t, "web")
	c := begin(t, root, append([]string{"--network-veth"}, sleeper...)...)
	c.expectFresh()
	if address := c.addressInside(); !strings.HasPrefix(address, "10.44.0.") {
		t.Fatalf("%q", address)
	}
	server.stop()
	server.configure(networkFile("10.45.0.1/24", 6))
	server.start()
	eventually(t, "it has an address of the new network", func() bool { return strings.HasPrefix(c.addressInside(), "10.45.0.") })
	if got := c.inside(lookAtLease); strings.Contains(got, "10.44.") || !strings.Contains(got, "default via 10.45.0.1") || !strings.Contains(got, "nameserver 10.45.0.1") {
		t.Errorf("%s", got)
	}
}

// Without a server a container starts after a while, with a warning, and gets its address when there is one. Nothing is left of one that is
// killed.
func TestNoDHCPServer(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, "/run/systemd/nspawn/web.nspawn", "[Network]\nDHCP=yes\n")
	defer os.Remove("/run/systemd/nspawn/web.nspawn")
	c := begin(t, root, append([]string{"--network-veth", "--settings=override"}, sleeper...)...)
	if said := c.stderr.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "host0: no DHCP server has answered within 5s: the payload starts without an address") {
		t.Errorf("%q", said)
	}
	c.expectFresh()
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 3600))
	eventually(t, "it has an address", func() bool { return strings.HasPrefix(c.addressInside(), "10.44.0.") })
	eventually(t, "and a name server", func() bool { return strings.Contains(c.inside("cat /etc/resolv.conf"), "nameserver 10.44.0.1") })
	c.kill()
	if r := run(t, root, "--network-veth", "/bin/true"); r.status != 0 {
		t.Errorf("%+v", r)
	}
	server.stop()
	must(t, os.RemoveAll("/run/nspawnkit/network"))
	must(t, os.Remove("/run/systemd/nspawn/web.nspawn"))
	clean(t, root)
}

// A container without a sign of a server is not kept waiting.
func TestNoSignOfDHCPServer(t *testing.T) {
	if steps := run(t, newRoot(t, "web"), "--network-veth", "--dry-run", "/bin/true"); steps.status != 0 || strings.Contains(steps.stdout, "DHCP") {
		t.Errorf("%+v", steps)
	}
}

// A container that sets up its network itself is left alone.
func TestLeaseIsGivenUp(t *testing.T) {
	newDHCPServer(t, networkFile("10.44.0.1/24", 4))
	for name, test := range map[string]struct{ script, want string }{
		"address": {"busybox ip addr flush dev host0; busybox ip addr add 10.44.0.99/24 dev host0; busybox ip route add default via 10.44.0.1", "10.44.0.99/24"},
		"link":    {"busybox ip link del host0", "ip: can't find device 'host0'"},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(t, newRoot(t, "web"), "--network-veth", "/bin/sh", "-c", test.script+"; echo up; exec sleep 1000")
			eventually(t, "the supervisor notices", func() bool { return c.socketsInside() == 0 })
			time.Sleep(5 * time.Second)
			if address := c.addressInside(); address != test.want {
				t.Errorf("%q", address)
			}
		})
	}
}

// A link that the container takes down for a while has its routes again afterwards.
func TestLeaseAfterLinkWasDown(t *testing.T) {
	newDHCPServer(t, networkFile("10.44.0.1/24", 3600))
	c := begin(t, newRoot(t, "web"), "--network-veth", "/bin/sh", "-c", "busybox ip link set host0 down; echo up; exec sleep 1000")
	routed := func() bool { return strings.Contains(c.inside("busybox ip route"), "default via 10.44.0.1") }
	if routed() {
		t.Error("there are routes though the link is down")
	}
	c.expectFresh()
	c.inside("busybox ip link set host0 up")
	eventually(t, "the routes are back", routed)
}

// socketsInside counts the descriptors that keep the container's network namespace in the supervisor.
func (c *container) socketsInside() (count int) {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", c.init()))
	must(c.t, err)
	for _, descriptor := range descriptorsOf(c.t.(*testing.T), c.cmd.Process.Pid) {
		if target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.cmd.Process.Pid, descriptor)); target == namespace {
			count++
		}
	}
	return count
}

// A supervisor that looks after a lease is as small as another, and as quiet, also when it has renewed the lease many times.
func TestIdleWithLease(t *testing.T) {
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 2))
	root := newRoot(t, "web")
	c := begin(t, root, append([]string{"--network-veth"}, sleeper...)...)
	c.expectFresh()
	for range 20 {
		time.Sleep(time.Second)
		if c.addressInside() == "" {
			t.Fatal("no address")
		}
	}
	server.stop()
	server.configure(networkFile("10.44.0.1/24", 3600))
	server.start()
	pid := c.cmd.Process.Pid
	eventually(t, "it has a long lease", func() bool { return strings.Contains(c.inside("busybox ip addr show dev host0"), "valid_lft 36") })
	eventually(t, "it is small again", func() bool { return memory(t, pid, "RssFile") < 3<<20 })
	c.expectIdle()
	for _, machine := range []string{"web", "other"} { // it still has the locks of its name and of its directory
		if again := run(t, root, "--machine="+machine, "/bin/true"); again.status != 1 {
			t.Errorf("a second one called %s: %+v", machine, again)
		}
	}
	c.end()
	server.stop()
	must(t, os.RemoveAll("/run/nspawnkit/network"))
	clean(t, root)
}

// A container cannot have the supervisor write to a file of the host that it only sees.
func TestLeasedNameServersOfHost(t *testing.T) {
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 4))
	host := t.TempDir()
	must(t, os.Chmod(host, 0o755))
	writeFile(t, host+"/file", "")
	c := begin(t, newRoot(t, "web"), append([]string{"--network-veth", "--bind=" + host + ":/mnt"}, "/bin/sh", "-c",
		"cat /etc/resolv.conf >/etc/old; rm /etc/resolv.conf; busybox ln -s /mnt/file /etc/resolv.conf; echo up; exec sleep 1000")...)
	c.expectFresh()
	server.stop()
	server.configure(networkFile("10.44.0.1/24", 4) + "DNS=10.44.0.9\n")
	server.start()
	eventually(t, "the supervisor is refused", func() bool { return strings.Contains(c.stderr.String(), "cannot set name servers, ignoring:") })
	if data, err := os.ReadFile(host + "/file"); err != nil || len(data) > 0 {
		t.Errorf("the file of the host has %q, %v", data, err)
	}
	if got := c.inside("rm /etc/resolv.conf; cp /etc/old /etc/resolv.conf; chown $(stat -c %u /etc/old) /etc/resolv.conf"); got != "" {
		t.Error(got)
	}
	server.stop()
	server.configure(networkFile("10.44.0.1/24", 4) + "DNS=10.44.0.8\n")
	server.start()
	eventually(t, "it writes to the container's own", func() bool { return strings.Contains(c.inside("cat /etc/resolv.conf"), "nameserver 10.44.0.8") })
}

// A container whose link was without a carrier asks at once whether its lease is still good: so it follows when its subnet is changed.
func TestLeaseAfterCarrierWasAway(t *testing.T) {
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 3600))
	c := begin(t, newRoot(t, "web"), append([]string{"--network-veth"}, sleeper...)...)
	c.expectFresh()
	address := c.addressInside()
	flap := func(network string) {
		server.stop() // or it would bring the link up at once
		server.configure(networkFile(network, 3600))
		link, err := netlink.LinkByName("ve-web")
		must(t, err)
		must(t, netlink.LinkSetDown(link))
		eventually(t, "the carrier is away", func() bool { return strings.Contains(c.inside("busybox ip link show host0"), "NO-CARRIER") })
		time.Sleep(3 * time.Second)
		server.start()
	}
	flap("10.44.0.1/24")
	eventually(t, "the lease begins anew", func() bool { return strings.Contains(c.inside("busybox ip addr show dev host0"), "valid_lft 360") })
	if again := c.addressInside(); again != address {
		t.Errorf("%q, was %q", again, address)
	}
	flap("10.45.0.1/24")
	eventually(t, "it has an address of the new network", func() bool { return strings.HasPrefix(c.addressInside(), "10.45.0.") })
}

// With the files that come with it: containers of a zone share a network, and follow when it is renumbered.
func TestLeaseInZone(t *testing.T) {
	server := newDHCPServer(t, "")
	var networks, addresses []string
	var containers []*container
	for _, machine := range []string{"one", "two"} {
		c := begin(t, newRoot(t, machine), append([]string{"--network-zone=app"}, sleeper...)...)
		address, err := netip.ParsePrefix(c.addressInside())
		must(t, err)
		addresses, networks = append(addresses, address.Addr().String()), append(networks, address.Masked().String())
		containers = append(containers, c)
	}
	if addresses[0] == addresses[1] || networks[0] != networks[1] {
		t.Errorf("%q of %q", addresses, networks)
	}
	renumber := exec.Command(program("networkd-lite"), "renumber", "vz-app")
	renumber.Env = server.command.Env
	if out, err := renumber.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range containers {
		eventually(t, "it has an address of the new network", func() bool {
			address, err := netip.ParsePrefix(c.addressInside())
			return err == nil && address.Masked().String() != networks[0]
		})
		c.end()
	}
}

// BenchmarkStartWithLease is [BenchmarkStart] with a link whose address comes from networkd-lite: what of it is the lease, and the link,
// shows beside the same without DHCP=.
func BenchmarkStartWithLease(b *testing.B) {
	newDHCPServer(b, "")
	root := newRoot(b, "web")
	writeFile(b, "/run/systemd/nspawn/web.nspawn", "[Network]\nDHCP=no\n")
	defer os.Remove("/run/systemd/nspawn/web.nspawn")
	var with, without []time.Duration
	for b.Loop() {
		for _, run := range []struct {
			settings string
			times    *[]time.Duration
		}{{"no", &with}, {"override", &without}} {
			cmd := nspawn(root, "--network-veth", "--settings="+run.settings, "/bin/true")
			start := time.Now()
			output, err := cmd.CombinedOutput()
			*run.times = append(*run.times, time.Since(start))
			if err != nil {
				b.Fatalf("%v: %s", err, output)
			}
		}
	}
	b.ReportMetric(float64(median(with).Microseconds())/1000, "ms/with")
	b.ReportMetric(float64(median(without).Microseconds())/1000, "ms/without")
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
}

// A supervisor that hands over again and again keeps all that it has of the container, and nothing more.
func TestHandOverAgain(t *testing.T) {
	server := newDHCPServer(t, networkFile("10.44.0.1/24", 2))
	for name, options := range map[string][]string{
		"pipe": nil, "terminal": {"--console=read-only"}, "copy": {"--ephemeral", "--overlay=+/etc::/srv"}, "process 2": nil, "image": nil,
		"notify": {"--notify-ready=yes"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			must(t, os.Mkdir(root+"/srv", 0o755))
			cmd := nspawn(root, append(append([]string{"--network-veth"}, options...), polite...)...)
			if name == "process 2" { // the stub passes no signal on
				cmd = nspawn(root, append([]string{"--network-veth", "--as-pid2"}, sleeper...)...)
			}
			if name == "image" {
				cmd = onImage(nspawn("", append([]string{"--machine=web", "--network-veth"}, polite...)...), newImage(t, "ext4", "web.raw"))
			}
			c := launch(t, cmd)
			c.expect("up")
			c.expectFresh()
			before := 0
			for range 100 { // until all is open
				before = max(before, len(descriptorsOf(t, c.cmd.Process.Pid)))
				time.Sleep(5 * time.Millisecond)
			}
			begun := environState(t, c.cmd.Process.Pid)
			eventually(t, "it has handed over again", func() bool { return environState(t, c.cmd.Process.Pid) != begun })
			time.Sleep(4 * time.Second)
			eventually(t, "it has as many descriptors as before", func() bool { return len(descriptorsOf(t, c.cmd.Process.Pid)) <= before })
			if c.addressInside() == "" {
				t.Error("no address")
			}
			if name == "process 2" {
				c.end()
				return
			}
			c.signal(syscall.SIGTERM)
			if status := c.wait(); status != 7 || c.stderr.Len() > 0 {
				t.Errorf("status %d: %s", status, c.stderr.String())
			}
		})
	}
	server.stop()
	must(t, os.RemoveAll("/run/nspawnkit/network"))
}

// environState tells the programs of a supervisor apart: when its memory map was made.
func environState(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')'):]))
	return fields[26] // startstack of proc(5), which is another one with each execve(2)
}
