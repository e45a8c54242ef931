package packet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel/poll"
)

// lease is short, so that clients renew while a test looks on; 20 s is the least that dhcpcd accepts.
const lease = 20 * time.Second

// enter moves the test to a network namespace of its own. Its thread ends with it.
func enter(t *testing.T) {
	t.Helper()
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs root; set NSPAWNKIT_KERNEL_TESTS=1")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", command, err, out)
	}
}

// peer is a machine at the other end of a link: a process that holds a network and a mount namespace.
type peer struct {
	t   *testing.T
	pid string
}

// newPeer makes the link ve-NAME with that peer and returns its index.
func newPeer(t *testing.T, name string, server netip.Prefix) (*peer, int) {
	t.Helper()
	holder := exec.Command("unshare", "--net", "--mount", "sh", "-c",
		`mount -t tmpfs tmpfs /run && mount -t sysfs -o ro sysfs /sys && mkdir -p /run/systemd/network /run/lib && mount --bind /run/lib /var/lib && echo && exec sleep 600`)
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ready, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatalf("namespaces of %s: %v", name, err)
	}
	p := &peer{t: t, pid: fmt.Sprint(holder.Process.Pid)}
	link := "ve-" + name
	run(t, "ip", "link", "add", link, "type", "veth", "peer", "name", "host0", "address", "02:00:00:00:00:01", "netns", p.pid)
	run(t, "ip", "address", "add", server.String(), "dev", link)
	run(t, "ip", "link", "set", link, "up")
	index, err := net.InterfaceByName(link)
	if err != nil {
		t.Fatal(err)
	}
	return p, index.Index
}

// command is a shell command of the machine.
func (p *peer) command(shell string) *exec.Cmd {
	c := exec.Command("nsenter", "-t", p.pid, "-n", "-m", "sh", "-c", shell)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// start runs a client until the returned function, or the end of the test, stops it.
func (p *peer) start(shell string) (stop func()) {
	p.t.Helper()
	client := p.command("exec " + shell)
	log := &strings.Builder{}
	client.Stdout, client.Stderr = log, log
	client.SysProcAttr.Setpgid = true
	client.WaitDelay = time.Second // children of dhcpcd hold the pipe
	if err := client.Start(); err != nil {
		p.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			client.Process.Signal(syscall.SIGTERM)
			// A dhcpcd that waits for one of its own helpers may never end. They outlive it when it is killed.
			kill := func() { syscall.Kill(-client.Process.Pid, syscall.SIGKILL) }
			defer kill()
			defer time.AfterFunc(10*time.Second, kill).Stop()
			client.Wait()
		}
		stopped = true
	}
	p.t.Cleanup(func() {
		stop()
		if p.t.Failed() {
			p.t.Logf("%s: %s", shell, log)
		}
	})
	return stop
}

// address waits until the machine has an IPv4 address.
func (p *peer) address() string {
	p.t.Helper()
	for range 300 {
		out, _ := p.command("ip -4 -o address show dev host0 scope global").Output()
		if fields := strings.Fields(string(out)); len(fields) > 3 {
			return fields[3]
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatal("no address within 15 s")
	return ""
}

// serve runs a server on the link until the returned function stops it.
func serve(t *testing.T, index int, config dhcp.Config, path string) (server *dhcp.Server, stop func()) {
	t.Helper()
	server, err := dhcp.New(config)
	if err != nil {
		t.Fatal(err)
	}
	journal, problems, err := dhcp.OpenJournal(dhcp.File(path), path, server, time.Now())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	sockets := openSockets(t)
	conn, err := sockets.Listen(index, config.Link, config.ServerAddress.Addr())
	if err != nil {
		t.Fatal(err)
	}
	responder := dhcp.NewResponder(conn, server, journal, make(dhcp.Writers, 1), func(problem error) { t.Log(problem) })
	if err := conn.Receive(responder.Receive, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	return server, func() {
		if err := conn.Stop(); err != nil {
			t.Error(err)
		}
		responder.Close()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func openSockets(t *testing.T) *Sockets {
	t.Helper()
	poller, err := poll.New()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := Open(poller)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close(); sockets.Close() })
	return sockets
}

func config(name, server string) dhcp.Config {
	prefix := netip.MustParsePrefix(server)
	return dhcp.Config{Link: "ve-" + name, ServerAddress: prefix, Router: prefix.Addr(), DefaultLeaseTime: lease, MaxLeaseTime: lease}
}

// expires is when the only lease ends.
func expires(t *testing.T, server *dhcp.Server) time.Time {
	t.Helper()
	leases := slices.Collect(server.Leases())
	if len(leases) != 1 {
		t.Fatalf("leases %v", leases)
	}
	return leases[0].Expires
}

// A real client gets an address, renews it, keeps it over a restart of the server, which knows it from the journal only, and gets it
// again after a restart of its own.
func TestClients(t *testing.T) {
	const script = "/run/udhcpc.script"
	for name, client := range map[string]struct{ prepare, run string }{
		"udhcpc": {
			`printf '#!/bin/sh\n[ "$1" = bound ] || [ "$1" = renew ] || exit 0\nip address replace $ip/$mask dev $interface\n' >` + script + `; chmod +x ` + script + `; ip link set host0 up`,
			"busybox udhcpc -f -i host0 -s " + script,
		},
		"dhcpcd": {"mkdir -p /var/lib/dhcpcd", "dhcpcd -B -d -4 -A -c /bin/true host0"},
		"networkd": {
			`printf '[Match]\nName=host0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >/run/systemd/network/10-host0.network`,
			"env SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1 /lib/systemd/systemd-networkd",
		},
	} {
		t.Run(name, func(t *testing.T) {
			enter(t)
			t.Parallel()
			path := filepath.Join(t.TempDir(), "leases")
			first := config("web", "10.99.0.1/28")
			first.PoolOffset, first.PoolSize = 9, 1 // an address that the second server would not come to by itself
			machine, index := newPeer(t, "web", first.ServerAddress)
			if out, err := machine.command(client.prepare).CombinedOutput(); err != nil {
				t.Fatalf("prepare: %v: %s", err, out)
			}
			server, stopServer := serve(t, index, first, path)
			stopClient := machine.start(client.run)
			if got := machine.address(); got != "10.99.0.9/28" {
				t.Errorf("address %s", got)
			}
			end := expires(t, server)
			stopServer()

			server, stopServer = serve(t, index, config("web", "10.99.0.1/28"), path)
			defer func() { stopServer() }()
			for deadline := time.Now().Add(lease); !expires(t, server).After(end); time.Sleep(100 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("not renewed")
				}
			}
			stopClient()
			run(t, "nsenter", "-t", machine.pid, "-n", "ip", "address", "flush", "dev", "host0")
			machine.start(client.run)
			if got := machine.address(); got != "10.99.0.9/28" {
				t.Errorf("address %s after restarts", got)
			}
		})
	}
}

// Two links of a host have a server each, and each answers on its own.
func TestTwoLinks(t *testing.T) {
	enter(t)
	one, indexOne := newPeer(t, "one", netip.MustParsePrefix("10.99.1.1/28"))
	two, indexTwo := newPeer(t, "two", netip.MustParsePrefix("10.99.2.1/28"))
	_, stopOne := serve(t, indexOne, config("one", "10.99.1.1/28"), filepath.Join(t.TempDir(), "one"))
	defer stopOne()
	_, stopTwo := serve(t, indexTwo, config("two", "10.99.2.1/28"), filepath.Join(t.TempDir(), "two"))
	defer stopTwo()
	for want, machine := range map[string]*peer{"10.99.1.": one, "10.99.2.": two} {
		out, err := machine.command("ip link set host0 up; busybox udhcpc -f -q -n -i host0 -s /bin/true 2>&1").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "lease of "+want) {
			t.Errorf("want %s: %v: %s", want, err, out)
		}
	}
}

// Another program keeps the port of all links for itself: the link is served beside it, for new clients and renewals.
func TestPortInUse(t *testing.T) {
	enter(t)
	machine, index := newPeer(t, "web", netip.MustParsePrefix("10.99.0.1/28"))
	other, err := net.ListenPacket("udp4", "0.0.0.0:67")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, stop := serve(t, index, config("web", "10.99.0.1/28"), filepath.Join(t.TempDir(), "leases"))
	defer stop()
	const renewal = `ip link set host0 up
printf '#!/bin/sh\n[ "$1" = deconfig ] || ip address replace $ip/28 dev $interface\n' >$DIR/script; chmod +x $DIR/script
busybox udhcpc -f -n -i host0 -s $DIR/script >$DIR/log 2>&1 & client=$!
for n in 1 2; do
	for i in $(seq 100); do [ $(grep -c 'lease of' $DIR/log) -ge $n ] && break; sleep 0.1; done
	kill -USR1 $client
done
sleep 0.2; kill $client; cat $DIR/log`
	out, err := machine.command("DIR=" + t.TempDir() + "\n" + renewal).CombinedOutput()
	if log := string(out); strings.Count(log, "lease of 10.99.0.") < 2 || strings.Contains(log, "broadcasting renew") || err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// networkd and this server give a client the same address: package dhcp hashes identifiers in the same way.
func TestNetworkdAddress(t *testing.T) {
	enter(t)
	machine, index := newPeer(t, "web", netip.MustParsePrefix("10.99.0.1/24"))
	_, stop := serve(t, index, config("web", "10.99.0.1/24"), filepath.Join(t.TempDir(), "leases"))
	const ask = "ip link set host0 up; busybox udhcpc -f -q -n -t 5 -i host0 -s /bin/true 2>&1"
	ours, err := machine.command(ask).CombinedOutput()
	stop()
	if err != nil {
		t.Fatalf("%v: %s", err, ours)
	}
	run(t, "ip", "address", "flush", "dev", "ve-web") // networkd 252 does not take over an address
	prepare := `printf '[Match]\nName=ve-web\n[Network]\nAddress=10.99.0.1/24\nDHCPServer=yes\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n' >/run/systemd/network/10-ve.network`
	host := exec.Command("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run; mount -t sysfs -o ro sysfs /sys; mkdir -p /run/systemd/network /run/lib; mount --bind /run/lib /var/lib; "+prepare+
		"; exec env SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1 /lib/systemd/systemd-networkd")
	host.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &strings.Builder{}
	host.Stdout, host.Stderr = log, log
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { host.Process.Kill(); host.Wait() }()
	theirs, err := machine.command(ask).CombinedOutput()
	if err != nil {
		host.Process.Kill()
		host.Wait()
		t.Fatalf("%v: %s\n%s", err, theirs, log)
	}
	if a, b := obtained(string(ours)), obtained(string(theirs)); a != b {
		t.Errorf("ours %s, networkd's %s", a, b)
	}
}

func obtained(log string) string {
	_, rest, _ := strings.Cut(log, "lease of ")
	address, _, _ := strings.Cut(rest, " ")
	return address
}
