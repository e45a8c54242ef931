package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A published port is reached from the host's 127.0.0.1 and ::1, and from no other address of the loopback link.
func TestPortsFromLoopback(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.machine("web", `{"protocol":"tcp","host":8080,"container":80},{"protocol":"udp","host":5353,"container":53},`+
		`{"protocol":"tcp","host":20000,"container":20000,"count":20000},{"protocol":"tcp","host":9000,"container":7000,"count":3},`+
		`{"protocol":"tcp","address":"127.0.0.9","host":81,"container":80},{"protocol":"tcp","address":"203.0.113.1","host":82,"container":80}`)
	web := w.addContainer("web")
	web.dhcp()
	for _, port := range []string{":80", ":20000", ":39999", ":7002"} {
		web.echoServer("192.168.177.55" + port)
	}
	web.udpEcho("192.168.177.55:53")
	w.waitFor("192.168.177.55 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	w.waitFor("127.0.0.1 . tcp . 8080", "nft", "list", "map", "inet", "nspawnkit", "loopback4")
	w.waitFor("::1 . tcp . 8080", "nft", "list", "map", "inet", "nspawnkit", "loopback6")
	here := w.here()
	for _, server := range []string{"127.0.0.1:8080", "[::1]:8080", "127.0.0.1:20000", "[::1]:39999", "127.0.0.1:9002", "127.0.0.9:81"} {
		if got := here.seenAs(server); got != "192.168.177.49" {
			t.Errorf("%s: seen as %q", server, got)
		}
	}
	for _, server := range []string{"127.0.0.1:5353", "[::1]:5353"} {
		if got := here.askUDP(server, "a"); got != "a from 192.168.177.49" {
			t.Errorf("%s: %q", server, got)
		}
	}
	for _, server := range []string{"127.0.0.2:8080", "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1:40000"} {
		here.refused(server)
	}
	if got := w.command("cat", "/proc/sys/net/ipv4/conf/ve-web/route_localnet", "/proc/sys/net/ipv4/conf/lo/route_localnet"); got != "0\n0\n" {
		t.Errorf("route_localnet: %q", got)
	}

	// Nobody answers inside, or nobody has sent the client to the proxy: the connection is refused, or ends at once.
	web.command("ip", "address", "replace", "192.168.177.55/28", "dev", "host0")
	conn := here.dial("tcp", "127.0.0.1:9000")
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from a port where nobody listens", n)
	}
}

// A connection through the proxy may be half closed, and ends when the container does.
func TestLoopbackConnection(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.machine("web", `{"protocol":"tcp","host":8080,"container":80}`)
	web := w.addContainer("web")
	web.dhcp()
	web.mirror("192.168.177.55:80")
	w.waitFor("192.168.177.55 . 80", "nft", "list", "map", "inet", "nspawnkit", "ports4")
	w.waitFor("127.0.0.1 . tcp . 8080", "nft", "list", "map", "inet", "nspawnkit", "loopback4")
	text := strings.Repeat("all that there is to say. ", 1<<16)
	half := w.here().dial("tcp", "127.0.0.1:8080")
	half.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		io.WriteString(half, text)
		half.(*net.TCPConn).CloseWrite()
	}()
	if got, err := io.ReadAll(half); err != nil || string(got) != text {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(text), err)
	}

	long := w.here().dial("tcp", "[::1]:8080")
	mustAnswer(t, long, "a", "a")
	w.command("ip", "link", "delete", "ve-web")
	long.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := long.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("%d bytes from a container that has ended: %v", n, err)
	}
	w.here().refused("127.0.0.1:8080")
}
