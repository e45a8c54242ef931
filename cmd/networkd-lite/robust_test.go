package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// ownMounts lets what the test mounts be seen by itself and its daemon only.
func (w *world) ownMounts() {
	w.t.Helper()
	err := unix.Unshare(unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// A daemon that is killed at any moment has every lease on disk that a client was told of.
func TestKilledWhileServing(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	n := w.newNamespace()
	w.command("ip", "link", "add", "vb-0", "type", "veth", "peer", "name", "host0", "netns", n.pid)
	w.command("ip", "link", "set", "vb-0", "master", "vz-app")
	first := n.dhcp()
	fields := strings.Fields(first)
	relay, server := netip.MustParsePrefix(fields[0]).Addr(), netip.MustParseAddr(fields[1])
	told := map[string]string{} // address by hardware address
	for range 6 {
		stop, stopped := make(chan struct{}), make(chan error)
		go func() {
			stopped <- n.try(func() error { return exchanges(relay, server, told, stop) })
		}()
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
		w.daemon.stop(syscall.SIGKILL)
		close(stop)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		w.startDaemon()
	}
	kept := map[string]string{}
	var list []struct{ Address, Hardware string }
	if err := json.Unmarshal([]byte(w.verb("leases", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, lease := range list {
		kept[lease.Hardware] = lease.Address
	}
	if len(told) < 10 {
		t.Errorf("only %d exchanges", len(told))
	}
	for hardware, address := range told {
		if kept[hardware] != address {
			t.Errorf("%s was told %s, kept is %q", hardware, address, kept[hardware])
		}
	}
}

// exchanges obtains leases for new clients behind a relay, until stop, and notes what they were told.
func exchanges(relay, server netip.Addr, told map[string]string, stop <-chan struct{}) error {
	conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(relay, 67)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(server, 67)))
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		hardware := net.HardwareAddr{2, 0, byte(rand.Int()), byte(rand.Int()), byte(rand.Int()), byte(rand.Int())}
		discover, err := dhcpv4.NewDiscovery(hardware, dhcpv4.WithRelay(relay.AsSlice()))
		if err != nil {
			return err
		}
		offer := ask(conn, discover)
		if offer == nil {
			continue
		}
		request, err := dhcpv4.NewRequestFromOffer(offer, dhcpv4.WithRelay(relay.AsSlice()))
		if err != nil {
			return err
		}
		if ack := ask(conn, request); ack != nil && ack.MessageType() == dhcpv4.MessageTypeAck {
			told[hardware.String()] = ack.YourIPAddr.String()
		}
	}
}

// ask sends a request and returns the answer to it, nil when there is none.
func ask(conn *net.UDPConn, request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	conn.Write(request.ToBytes())
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	buffer := make([]byte, 1500)
	for {
		n, err := conn.Read(buffer)
		if errors.Is(err, syscall.ECONNREFUSED) {
			continue // nobody is there at the moment
		}
		if err != nil {
			return nil
		}
		if reply, err := dhcpv4.FromBytes(buffer[:n]); err == nil && reply.TransactionID == request.TransactionID {
			return reply
		}
	}
}

// A disk that takes nothing keeps no container from its address; what it missed is on it once it takes something.
func TestDiskRefuses(t *testing.T) {
	for name, refuse := range map[string]struct{ begin, end []string }{
		"full": {
			[]string{"sh", "-c", `dd if=/dev/zero of="$0/filler" bs=4k 2>&1 || true`},
			[]string{"sh", "-c", `rm "$0/filler"`},
		},
		"read-only": {
			[]string{"sh", "-c", `mount -o remount,ro "$0"`},
			[]string{"sh", "-c", `mount -o remount,rw "$0"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ownMounts()
			place := filepath.Join(w.root, "var")
			w.write("var/empty", "")
			w.command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
			t.Cleanup(func() { w.command("umount", "--lazy", place) }) // the daemon ends later
			w.command(append(refuse.begin, place)...)
			w.startDaemon()
			web := w.addContainer("web")
			if lease := web.dhcp(); lease != webLease {
				t.Errorf("lease %q, want %q", lease, webLease)
			}
			for _, what := range []string{"save subnets.json", "lease journal"} {
				if !strings.Contains(w.daemon.said(), what) {
					t.Errorf("no word of %q in: %s", what, w.daemon.said())
				}
			}
			w.command(append(refuse.end, place)...)
			if lease := web.dhcp(); lease != webLease {
				t.Errorf("lease %q, want %q", lease, webLease)
			}
			w.daemon.stop(syscall.SIGKILL)
			w.startDaemon()
			if leases := w.verb("leases"); !strings.Contains(leases, "192.168.177.55") {
				t.Errorf("not kept: %s", leases)
			}
		})
	}
}

// A link that gets another name while it is up, and one whose other end goes, are followed.
func TestLinkChanges(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	w.command("ip", "link", "set", "ve-web", "down")
	w.command("ip", "link", "set", "ve-web", "name", "ve-other")
	if lease := web.dhcp(); lease != webLease { // a link that has an address keeps it
		t.Errorf("lease %q by another name of the link, want %q", lease, webLease)
	}
	w.waitFor("ve-other", "nft", "list", "table", "inet", "nspawnkit")
	w.command("ip", "link", "set", "ve-other", "down")
	w.command("ip", "link", "set", "ve-other", "name", "uplink")
	w.waitFor("set masquerade4 {\n\t\ttype ifname\n\t}", "nft", "list", "table", "inet", "nspawnkit")

	db := w.addContainer("db")
	db.dhcp()
	w.command("kill", "-KILL", db.pid) // and with it the namespace
	w.waitFor("set masquerade4 {\n\t\ttype ifname\n\t}", "nft", "list", "table", "inet", "nspawnkit")
	w.waitForLog("ve-db: gone")
	w.waitFor(`"links": []`, "cat", filepath.Join(w.root, "run/nspawnkit/network/status.json"))
}

// A connection of a container outlives an upgrade: the daemon ends, also by a signal that it cannot catch, and another starts.
func TestTrafficOverRestart(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	var server net.Listener
	w.outside.inside(func() (err error) {
		server, err = net.Listen("tcp", "203.0.113.2:8081")
		return err
	})
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go io.Copy(conn, conn)
		}
	}()
	var conn net.Conn
	web.inside(func() (err error) {
		conn, err = net.DialTimeout("tcp", "203.0.113.2:8081", 10*time.Second)
		return err
	})
	defer conn.Close()
	echo := func(text string) {
		t.Helper()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		answer := make([]byte, len(text))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != text {
			t.Fatalf("%q comes back as %q: %v", text, answer, err)
		}
	}
	echo("before")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		w.daemon.stop(signal)
		echo(fmt.Sprintf("after signal %d", signal))
		w.startDaemon()
		echo("with another daemon")
	}
}
