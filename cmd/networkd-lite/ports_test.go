package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine writes the machine file of a container with a link of its own, as nspawn-exec does. ports are lines of JSON.
func (w *world) machine(name, ports string) {
	w.t.Helper()
	w.write("run/nspawnkit/machines/"+name+".json.new", fmt.Sprintf(
		`{"version":1,"name":%q,"began":%d,"links":[{"host":"ve-%s","hostMAC":"02:00:00:00:00:02","container":"host0","containerMAC":"02:00:00:00:00:01"}],"ports":[%s]}`,
		name, time.Now().UnixNano(), name, ports))
	directory := w.root + "/run/nspawnkit/machines/"
	if err := os.Rename(directory+name+".json.new", directory+name+".json"); err != nil {
		w.t.Fatal(err)
	}
}

// udpEcho sends back what comes, with the address that it came from.
func (n *namespace) udpEcho(address string) {
	n.t.Helper()
	n.inside(func() error {
		conn, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		n.t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, 2000)
			for {
				size, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(from.String())
				conn.WriteTo(append(buffer[:size], " from "+host...), from)
			}
		}()
		return nil
	})
}

// askUDP sends a datagram and returns the answer.
func (n *namespace) askUDP(server, text string) (answer string) {
	n.t.Helper()
	n.inside(func() error {
		conn, err := net.Dial("udp", server)
		if err != nil {
			return err
		}
		defer conn.Close()
		answer, err = exchange(conn, text)
		return err
	})
	return answer
}

func exchange(conn net.Conn, text string) (string, error) {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	buffer := make([]byte, 2000)
	size, err := conn.Read(buffer)
	return string(buffer[:size]), err
}

// refused fails if somebody answers.
func (n *namespace) refused(server string) {
	n.t.Helper()
	n.inside(func() error {
		conn, err := net.DialTimeout("tcp", server, 500*time.Millisecond)
		if err == nil {
			conn.Close()
			return fmt.Errorf("%s is answered", server)
		}
		return nil
	})
}

// here is the host's own namespace.
func (w *world) here() *namespace {
	return &namespace{w, fmt.Sprint(syscall.Gettid())}
}

const webPorts = `{"protocol":"tcp","host":8080,"container":80},{"protocol":"udp","host":5353,"container":53},` +
	`{"protocol":"tcp","host":20000,"container":20000,"count":20000},{"protocol":"tcp","host":9000,"container":7000,"count":3},` +
	`{"protocol":"tcp","address":"203.0.113.1","host":81,"container":80},{"protocol":"tcp","address":"203.0.113.7","host":82,"container":80},` +
	`{"protocol":"sctp","host":99,"container":99}`

func TestPorts(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/70-web.network",
		"[Match]\nName=ve-web\n[Network]\nAddress=0.0.0.0/28\nAddress=fd00:1::1/64\nDHCPServer=yes\nIPMasquerade=both\n")
	w.command("ip", "address", "add", "2001:db8::1/64", "dev", "up0", "nodad")
	w.outside.command("ip", "address", "add", "2001:db8::2/64", "dev", "out0", "nodad")
	w.outside.command("ip", "route", "add", "fd00:1::/64", "via", "2001:db8::1")
	w.startDaemon()
	w.machine("web", webPorts)
	web := w.addContainer("web")
	web.dhcp()
	web.command("ip", "link", "set", "lo", "up")
	web.command("ip", "address", "add", "fd00:1::ff:fe00:1/64", "dev", "host0", "nodad")
	web.command("ip", "route", "add", "default", "via", "fd00:1::1")
	w.waitFor("192.168.177.55 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	w.waitFor("fd00:1::ff:fe00:1 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports6")
	listeners := regexp.MustCompile(`: (127\.0\.0\.1|::1) \. \d+`)
	table := w.command("nft", "--stateless", "list", "table", "inet", "nspawnkit")
	golden(t, "table-ports", listeners.ReplaceAllString(table, ": $1 . LISTENER"))
	for _, address := range []string{"192.168.177.55", "[fd00:1::ff:fe00:1]"} {
		for _, port := range []string{":80", ":20000", ":39999", ":7002"} {
			web.echoServer(address + port)
		}
		web.udpEcho(address + ":53")
	}
	db := w.addContainer("db")
	lease := db.dhcp()
	dbAddress, _, _ := strings.Cut(lease, "/")

	for _, test := range []struct {
		from         *namespace
		server, want string
	}{
		{w.outside, "203.0.113.1:8080", "203.0.113.2"},
		{w.outside, "203.0.113.1:20000", "203.0.113.2"},
		{w.outside, "203.0.113.1:39999", "203.0.113.2"},
		{w.outside, "203.0.113.1:9002", "203.0.113.2"},
		{w.outside, "203.0.113.1:81", "203.0.113.2"},
		{w.outside, "[2001:db8::1]:8080", "2001:db8::2"},
		{w.outside, "[2001:db8::1]:39999", "2001:db8::2"},
		{w.here(), "203.0.113.1:8080", "203.0.113.1"},
		{w.here(), "[2001:db8::1]:8080", "2001:db8::1"},
		{web, "203.0.113.1:8080", "192.168.177.49"}, // hairpin
		{web, "192.168.177.49:8080", "192.168.177.49"},
		{web, "[2001:db8::1]:8080", "fd00:1::1"},
		{db, "203.0.113.1:8080", dbAddress},
	} {

		if got := test.from.seenAs(test.server); got != test.want {
			t.Errorf("%s: seen as %s, want %s", test.server, got, test.want)
		}
	}
	for server, want := range map[string]string{"203.0.113.1:5353": "a from 203.0.113.2", "[2001:db8::1]:5353": "a from 2001:db8::2"} {
		if got := w.outside.askUDP(server, "a"); got != want {
			t.Errorf("%s: %q, want %q", server, got, want)
		}
	}
	w.outside.refused("203.0.113.1:40000")
	w.outside.refused("[2001:db8::1]:81")
	w.outside.refused("203.0.113.1:82")
	golden(t, "ports", w.verb("ports"))
	if got := w.verb("ports", "--json"); !strings.Contains(got, `"connections": 8`) {
		t.Errorf("ports --json: %s", got)
	}

	// nspawn-exec was killed, with kill -9: the link goes, the file stays.
	w.command("ip", "link", "delete", "ve-web")
	w.waitFor("ports4 {\n\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n\t\tflags interval\n\t\tcounter\n\t}",
		"nft", "list", "table", "inet", "nspawnkit")
	if got := w.table(); strings.Contains(got, "20000") || strings.Contains(got, "fd00:1") {
		t.Errorf("left: %s", got)
	}
}

// mirror sends back everything that comes, until the other side has said all.
func (n *namespace) mirror(address string) {
	n.t.Helper()
	n.inside(func() error {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		n.t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(conn, conn); conn.Close() }()
			}
		}()
		return nil
	})
}

// dial connects from inside.
func (n *namespace) dial(protocol, server string) (conn net.Conn) {
	n.t.Helper()
	n.inside(func() (err error) {
		if conn, err = net.DialTimeout(protocol, server, 10*time.Second); err == nil {
			n.t.Cleanup(func() { conn.Close() })
		}
		return err
	})
	return conn
}

// mustAnswer sends text and compares the answer.
func mustAnswer(t *testing.T, conn net.Conn, text, want string) {
	t.Helper()
	if got, err := exchange(conn, text); got != want {
		t.Errorf("%q: %q, want %q: %v", text, got, want, err)
	}
}

// The ports stay where they lead while the daemon is away, and connections that are up go on.
func TestPortsDaemonRestart(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.machine("web", `{"protocol":"tcp","host":8080,"container":80},{"protocol":"udp","host":8080,"container":80}`)
	web := w.addContainer("web")
	web.dhcp()
	web.mirror("192.168.177.55:80")
	web.udpEcho("192.168.177.55:80")
	w.waitFor("192.168.177.55 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	stream, datagrams := w.outside.dial("tcp", "203.0.113.1:8080"), w.outside.dial("udp", "203.0.113.1:8080")
	both := func(text string) {
		t.Helper()
		mustAnswer(t, stream, text, text)
		mustAnswer(t, datagrams, text, text+" from 203.0.113.2")
	}
	both("before")
	w.daemon.stop(syscall.SIGKILL)
	both("without")
	w.startDaemon()
	w.waitFor("192.168.177.55:80", "/proc/self/exe", "ports")
	both("after")
}

// answersInTheEnd sends the first letter of what is to be answered until it is. A datagram may be on its way to where the port led a
// moment ago, and one that went to nobody comes back as an error.
func answersInTheEnd(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	answer := make([]byte, 100)
	for end := time.Now().Add(20 * time.Second); ; {
		conn.Write([]byte(want[:1]))
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := conn.Read(answer)
		if string(answer[:n]) == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q, want %q: %v", answer[:n], want, err)
		}
	}
}

// The container gets another address: the ports lead there, and so do clients of UDP that never stop sending.
func TestPortsFollowTheAddress(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.machine("web", `{"protocol":"udp","host":5353,"container":53}`)
	web := w.addContainer("web")
	early := w.outside.dial("udp", "203.0.113.1:5353") // to nobody yet
	early.Write([]byte("lost"))
	web.dhcp()
	web.udpEcho("0.0.0.0:53")
	w.waitFor("192.168.177.55 . 53", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	early.Write([]byte("gets the error of the first one"))
	answersInTheEnd(t, early, "a from 203.0.113.2")
	w.write("etc/systemd/network/80-container-ve.network.d/a.conf", "[Network]\nAddress=\nAddress=10.0.0.1/24\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	w.waitFor("inet 10.0.0.1/24", "ip", "address", "show", "dev", "ve-web")
	web.command("ip", "address", "flush", "dev", "host0")
	address, _, _ := strings.Cut(web.dhcp(), "/")
	w.waitFor(address+" . 53", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	answersInTheEnd(t, early, "b from 203.0.113.2")
	if got := w.table(); strings.Contains(got, "192.168.177.55") {
		t.Errorf("the old address is left: %s", got)
	}
}

// A container with an address of its own making is found by what it says to its neighbours, as is one that systemd-networkd serves.
func TestPortsWithoutLease(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.machine("web", `{"protocol":"tcp","host":8080,"container":80}`)
	web := w.addContainer("web")
	w.waitFor("192.168.177.49", "ip", "address", "show", "dev", "ve-web")
	web.command("ip", "link", "set", "host0", "up")
	web.command("ip", "address", "add", "192.168.177.60/28", "dev", "host0")
	web.command("ip", "route", "add", "default", "via", "192.168.177.49")
	web.command("ip", "address", "add", "10.9.9.9/32", "dev", "host0") // not of the link
	web.echoServer("192.168.177.60:80")
	web.command("ping", "-c1", "-W5", "192.168.177.49")
	w.waitFor("192.168.177.60 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	if got := w.outside.seenAs("203.0.113.1:8080"); got != "203.0.113.2" {
		t.Errorf("seen as %s", got)
	}
}

// Who comes second does not get the port, until the first one ends.
func TestPortsConflict(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	port := func(line int) string {
		return fmt.Sprintf(`{"protocol":"tcp","host":8080,"container":80,"origin":"/etc/systemd/nspawn/x.nspawn:%d"}`, line)
	}
	w.machine("web", port(1))
	web := w.addContainer("web")
	web.dhcp()
	w.waitFor("192.168.177.55 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	w.machine("db", port(2))
	db := w.addContainer("db")
	address, _, _ := strings.Cut(db.dhcp(), "/")
	const reason = "db: /etc/systemd/nspawn/x.nspawn:2: port tcp:8080 of the host is published by container web (/etc/systemd/nspawn/x.nspawn:1)\n"
	w.waitFor("published by container web", "/proc/self/exe", "ports")
	if got := w.daemon.said(); strings.Count(got, reason) != 1 {
		t.Errorf("said:\n%s", got)
	}
	if got := w.table(); !strings.Contains(got, "8080 counter packets 0 bytes 0 : 192.168.177.55 . 80") {
		t.Errorf("the owner lost it: %s", got)
	}
	if err := os.Remove(w.root + "/run/nspawnkit/machines/web.json"); err != nil {
		t.Fatal(err)
	}
	w.waitFor("8080 counter packets 0 bytes 0 : "+address+" . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
}
