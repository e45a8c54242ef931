package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/net/dns/dnsmessage"
)

// dig asks a DNS server from inside and returns the status and what the sections hold, one record or option a line.
func (n *namespace) dig(args ...string) string {
	n.t.Helper()
	out := n.command(append([]string{"dig", "+tries=1", "+time=5", "+noall", "+comments", "+answer"}, args...)...)
	var told []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if _, rest, found := strings.Cut(line, "status: "); found {
			status, _, _ := strings.Cut(rest, ",")
			told = append(told, status)
		}
		if line != "" && line[0] != ';' {
			told = append(told, strings.Join(strings.Fields(line), " "))
		}
		if flags, found := strings.CutPrefix(line, ";; flags: "); found && strings.Contains(flags+";", " tc") {
			told = append(told, "truncated")
		}
	}
	return strings.Join(told, "\n")
}

// asks compares what dig prints.
func (n *namespace) asks(want string, args ...string) {
	n.t.Helper()
	if got := n.dig(args...); got != want {
		n.t.Errorf("dig %q:\n%s\nwant:\n%s", args, got, want)
	}
}

// dnsServer answers TXT questions for names in "example" with as many bytes as the first label says, A questions with an address, and
// everything else with NXDOMAIN. It returns the names that were asked for.
func (n *namespace) dnsServer(address string, a netip.Addr) (asked chan string) {
	n.t.Helper()
	asked = make(chan string, 100)
	n.inside(func() error {
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		n.t.Cleanup(func() { udp.Close(); tcp.Close() })
		go func() {
			for buffer := make([]byte, 4096); ; {
				length, client, err := udp.ReadFrom(buffer)
				if err != nil {
					return
				}
				udp.WriteTo(testAnswer(buffer[:length], a, asked), client)
			}
		}()
		go func() {
			for {
				conn, err := tcp.Accept()
				if err != nil {
					return
				}
				length := make([]byte, 2)
				io.ReadFull(conn, length)
				query := make([]byte, binary.BigEndian.Uint16(length))
				io.ReadFull(conn, query)
				answer := testAnswer(query, a, asked)
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
				conn.Close()
			}
		}()
		return nil
	})
	return asked
}

func testAnswer(query []byte, a netip.Addr, asked chan string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil {
		return nil
	}
	question := m.Questions[0]
	asked <- question.Name.String()
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true, RecursionDesired: m.RecursionDesired}
	m.Additionals = nil
	h := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 60}
	switch {
	case question.Type == dnsmessage.TypeTXT:
		text := make([]string, 10)
		for i := range text {
			text[i] = strings.Repeat("x", 100)
		}
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.TXTResource{TXT: text}}}
	case question.Type == dnsmessage.TypeA && strings.HasSuffix(question.Name.String(), "example."):
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: a.As4()}}}
	default:
		m.RCode = dnsmessage.RCodeNameError
	}
	answer, _ := m.Pack()
	return answer
}

// withNames starts the daemon with the containers web and db, which have asked for an address.
func withNames(t *testing.T) (w *world, web, db *namespace, asked chan string) {
	t.Helper()
	w = newWorld(t)
	w.write("etc/resolv.conf", "nameserver 203.0.113.2\n")
	asked = w.outside.dnsServer("203.0.113.2:53", netip.MustParseAddr("192.0.2.1"))
	w.startDaemon()
	w.runsMachine("web", "ve-web", "")
	w.runsMachine("db", "ve-db", "")
	web, db = w.addContainer("web"), w.addContainer("db")
	web.dhcp()
	db.dhcp()
	return w, web, db, asked
}

// address is the address of host0.
func (n *namespace) address() string {
	n.t.Helper()
	fields := strings.Fields(n.command("ip", "-4", "-oneline", "address", "show", "dev", "host0"))
	address, _, _ := strings.Cut(fields[3], "/")
	return address
}

func TestNames(t *testing.T) {
	w, web, db, asked := withNames(t)
	server := "@192.168.177.49"
	web.asks("NOERROR\ndb.nspawn.internal. 0 IN A "+db.address(), server, "db.nspawn.internal")
	web.asks("NOERROR\ndb. 0 IN A "+db.address(), server, "db")
	web.asks("NOERROR\nDB.NSpawn.Internal. 0 IN A "+db.address(), server, "DB.NSpawn.Internal")
	web.asks("NOERROR\n_gateway. 0 IN A 192.168.177.49", server, "_gateway")
	web.asks("NOERROR\nhost. 0 IN A 192.168.177.49", server, "host")
	web.asks("NOERROR\nlocalhost. 0 IN AAAA ::1", server, "localhost", "AAAA")
	web.asks("NXDOMAIN", server, "nobody.nspawn.internal")
	web.asks("NOERROR", server, "db.nspawn.internal", "AAAA")
	web.asks("NOERROR\n55.177.168.192.in-addr.arpa. 0 IN PTR web.nspawn.internal.", server, "-x", "192.168.177.55")
	web.asks("NXDOMAIN", server, "-x", "192.168.177.54")
	web.asks("NOERROR\ndb.nspawn.internal. 0 IN A "+db.address(), server, "+tcp", "db.nspawn.internal")
	if len(asked) > 0 {
		t.Errorf("asked outside for %q", <-asked)
	}
	// A name that a container gives itself means nothing.
	web.command("busybox", "udhcpc", "-i", "host0", "-f", "-q", "-n", "-s", "/bin/true", "-x", "hostname:db", "-F", "db")
	web.asks("NOERROR\ndb. 0 IN A "+db.address(), server, "db")
	golden(t, "names", w.verb("names"))
	if got := w.verb("names", "--json"); !strings.Contains(got, `"name": "web.nspawn.internal"`) || !strings.Contains(got, `"address": "192.168.177.55"`) {
		t.Errorf("names: %s", got)
	}
}

// The C library finds a container by its name alone, with the server and the domains that DHCP has told of.
func TestNamesInLibrary(t *testing.T) {
	w, web, db, _ := withNames(t)
	w.write("script", "#!/bin/sh\n[ \"$1\" = bound ] && echo \"SEARCH=$search DOMAIN=$domain DNS=$dns\" || true\n")
	script := w.root + "/script"
	w.command("chmod", "755", script)
	told := web.command("busybox", "udhcpc", "-i", "host0", "-f", "-q", "-n", "-O", "search", "-s", script)
	if !strings.Contains(told, "SEARCH=nspawn.internal DOMAIN=nspawn.internal DNS=192.168.177.49\n") {
		t.Errorf("told: %s", told)
	}
	w.write("container.conf", "nameserver 192.168.177.49\nsearch nspawn.internal\n")
	w.write("nsswitch.conf", "hosts: dns\n")
	got := web.command("unshare", "--mount", "sh", "-c", "mount --bind "+w.root+"/container.conf /etc/resolv.conf && mount --bind "+w.root+
		"/nsswitch.conf /etc/nsswitch.conf && getent ahostsv4 db && getent hosts "+db.address())
	if !strings.Contains(got, db.address()+" ") || strings.Count(got, "db.nspawn.internal") != 2 {
		t.Errorf("getent: %s", got)
	}
}

// What is not known here comes from the host's server, also when that changes.
func TestNamesForwarded(t *testing.T) {
	w, web, _, asked := withNames(t)
	server := "@192.168.177.49"
	web.asks("NOERROR\nwww.example. 60 IN A 192.0.2.1", server, "www.example")
	web.asks("NOERROR\nwww.example. 60 IN A 192.0.2.1", server, "+tcp", "www.example")
	web.asks("NXDOMAIN", server, "nobody")
	web.asks("NXDOMAIN", server, "-x", "203.0.113.9")
	// 1000 bytes do not fit in the 512 that a client without EDNS takes.
	if got := web.dig(server, "+noedns", "+ignore", "big.example", "TXT"); got != "NOERROR\ntruncated" {
		t.Errorf("without EDNS: %s", got)
	}
	if got := web.dig(server, "+bufsize=1232", "+ignore", "big.example", "TXT"); strings.Contains(got, "truncated") || strings.Count(got, "x") < 1000 {
		t.Errorf("with EDNS: %s", got)
	}
	if got := web.dig(server, "+noedns", "big.example", "TXT"); strings.Count(got, "x") < 1000 {
		t.Errorf("over TCP after truncation: %s", got)
	}
	for len(asked) > 0 {
		if name := <-asked; strings.Contains(name, "internal") {
			t.Errorf("asked outside for %s", name)
		}
	}

	// The host asks a stub of its own now; the first server is dead.
	host := &namespace{w, fmt.Sprint(w.daemon.command.Process.Pid)}
	host.dnsServer("127.0.0.53:53", netip.MustParseAddr("192.0.2.53"))
	w.write("etc/new", "nameserver 203.0.113.77\nnameserver 127.0.0.53\n")
	w.command("mv", w.root+"/etc/new", w.root+"/etc/resolv.conf")
	time.Sleep(time.Second) // as old as a look at the file may be
	web.asks("NOERROR\nwww.example. 60 IN A 192.0.2.53", server, "www.example")
}

// Nobody but the clients of a link is answered there, and other servers of the host keep their port.
func TestNamesElsewhere(t *testing.T) {
	w, web, db, _ := withNames(t)
	// As dnsmasq --bind-interfaces does.
	for _, address := range []string{"203.0.113.1:53", "127.0.0.1:53"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
	dbServer, _, _ := strings.Cut(strings.Fields(w.command("ip", "-4", "-oneline", "address", "show", "dev", "ve-db"))[3], "/")
	for _, from := range []*namespace{web, w.outside} {
		if from == w.outside {
			from.command("ip", "route", "add", "192.168.0.0/16", "via", "203.0.113.1")
		}
		query := "dig +tries=1 +time=1 @" + dbServer + " db.nspawn.internal"
		if got := from.command("sh", "-c", query+" || true"); strings.Contains(got, "status:") {
			t.Errorf("answered on another link: %s", got)
		}
	}
	db.asks("NOERROR\ndb. 0 IN A "+db.address(), "@"+dbServer, "db")
	// The containers of a zone know each other, and nobody else.
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	app := w.newNamespace()
	w.runsMachine("app", "vb-app", "vz-app")
	w.command("ip", "link", "add", "vb-app", "type", "veth", "peer", "name", "host0", "address", ownMAC, "netns", app.pid)
	w.command("ip", "link", "set", "vb-app", "master", "vz-app", "up")
	lease := app.dhcp()
	zoneServer := "@" + strings.Fields(lease)[1]
	w.waitFor("app.nspawn.internal", "/proc/self/exe", "names")
	app.asks("NOERROR\napp. 0 IN A "+app.address(), zoneServer, "app")
	app.asks("NXDOMAIN", zoneServer, "db.nspawn.internal")
	web.asks("NXDOMAIN", "@192.168.177.49", "app.nspawn.internal")
}

// The container hears of server and domain by DHCP, unless another server has port 53 of all addresses.
func TestNamesOffered(t *testing.T) {
	w := newWorld(t)
	other, err := net.ListenPacket("udp4", "0.0.0.0:53")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	w.startDaemon()
	web := w.addContainer("web")
	const warning = "port 53 is taken by another DNS server"
	if got := web.udhcpc(); !strings.Contains(got, "dns=203.0.113.2\n") {
		t.Errorf("with another server: %s", got)
	}
	if said := w.daemon.said(); strings.Count(said, warning) != 1 {
		t.Errorf("said: %s", said)
	}
	other.Close()
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	w.waitFor("192.168.177.49%ve-web:53", "ss", "-Hlun")
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !strings.Contains(got, "dns=192.168.177.49\n"); {
		got = web.udhcpc()
	}
	if !strings.Contains(got, "dns=192.168.177.49\n") || !strings.Contains(got, "domain=nspawn.internal\n") {
		t.Errorf("without another server: %s", got)
	}
}

// With systemd-networkd on the host, the names are served at the address that it chose; addresses are those under which containers were
// heard of, IPv6 too.
func TestNamesBesideNetworkd(t *testing.T) {
	w := newWorld(t)
	w.write("etc/resolv.conf", "nameserver 203.0.113.2\n")
	w.outside.dnsServer("203.0.113.2:53", netip.MustParseAddr("192.0.2.1"))
	bus := w.startBus()
	if _, err := bus.RequestName("org.freedesktop.network1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	w.startDaemon()
	w.runsMachine("web", "ve-web", "")
	w.runsMachine("db", "ve-db", "")
	web, db := w.addContainer("web"), w.addContainer("db")
	for i, n := range []*namespace{web, db} {
		link := []string{"ve-web", "ve-db"}[i]
		subnet4, subnet6 := fmt.Sprintf("10.5.%d.", i), []string{"fd05::", "fd05:1::"}[i]
		for _, address := range []string{subnet4 + "1/28", subnet6 + "1/64"} {
			w.command("ip", "address", "add", address, "dev", link, "nodad")
		}
		w.command("ip", "link", "set", link, "up")
		for _, address := range []string{subnet4 + "2/28", subnet6 + "2/64"} {
			n.command("ip", "address", "add", address, "dev", "host0", "nodad")
		}
		n.command("ip", "link", "set", "host0", "up")
		n.command("ping", "-c1", "-W5", subnet4+"1")
		n.command("ping", "-c1", "-W5", subnet6+"1")
	}
	w.waitFor("[fd05::1]%ve-web:53", "ss", "-Hlun")
	w.waitFor("10.5.0.1%ve-web:53", "ss", "-Hlun")
	time.Sleep(neighbourAge) // what was asked for at the start may have been too early
	for _, server := range []string{"@10.5.0.1", "@fd05::1"} {
		if server == "@fd05::1" {
			web.command("ping", "-c1", "-W5", "fd05::1")
		}
		web.asks("NOERROR\ndb.nspawn.internal. 0 IN A 10.5.1.2", server, "db.nspawn.internal")
		web.asks("NOERROR\ndb. 0 IN AAAA fd05:1::2", server, "db", "AAAA")
		web.asks("NOERROR\n2.1.5.10.in-addr.arpa. 0 IN PTR db.nspawn.internal.", server, "-x", "10.5.1.2")
		web.asks("NXDOMAIN", server, "-x", "10.5.1.3")
		web.asks("NOERROR\nwww.example. 60 IN A 192.0.2.1", server, "www.example")
	}
	if said := w.daemon.said(); !strings.Contains(said, "ve-web: left to systemd-networkd") {
		t.Errorf("said: %s", said)
	}
	if got := w.verb("names"); !strings.Contains(got, "fd05:1::2") {
		t.Errorf("names: %s", got)
	}
}
