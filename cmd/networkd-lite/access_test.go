package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// addZoneWithServer makes a zone with one container in it, which has the given address, and a server there.
func (w *world) addZoneWithServer(zone string, more ...string) (n *namespace, address string) {
	w.t.Helper()
	port, bridge := "vb-"+zone, "vz-"+zone
	w.runsMachine(zone, port, bridge, more...)
	w.command("ip", "link", "add", bridge, "type", "bridge")
	n = w.newNamespace()
	w.command("ip", "link", "add", port, "type", "veth", "peer", "name", "host0", "address", ownMAC, "netns", n.pid)
	w.command("ip", "link", "set", port, "master", bridge)
	address, _, _ = strings.Cut(n.dhcp(), "/")
	n.echoServer(address + ":8080")
	return n, address + ":8080"
}

// expect says whether a container reaches a server.
func (n *namespace) expect(reached bool, who, server string) {
	n.t.Helper()
	if n.reaches(server) != reached {
		n.t.Errorf("%s: %s reached is %v", who, server, !reached)
	}
}

// A container of another zone, or of none, gets into a zone with ZoneAccess= only.
func TestZoneAccess(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	app, appServer := w.addZoneWithServer("app")
	db, dbServer := w.addZoneWithServer("db")
	w.runsMachine("web", "ve-web", "")
	web := w.addContainer("web")
	address, _, _ := strings.Cut(web.dhcp(), "/")
	web.echoServer(address + ":8080")
	w.waitFor(`"ve-web" . `+ownMAC, "nft", "list", "table", "inet", "nspawnkit")

	app.expect(false, "zone to zone", dbServer)
	web.expect(false, "into a zone", dbServer)
	app.expect(true, "out of a zone", address+":8080")
	app.expect(true, "outside", "203.0.113.2:8080")
	other := w.newNamespace()
	w.command("ip", "link", "add", "vb-other", "type", "veth", "peer", "name", "host0", "address", "02:00:00:00:00:03", "netns", other.pid)
	w.command("ip", "link", "set", "vb-other", "master", "vz-db")
	other.dhcp()
	other.expect(true, "within a zone", dbServer)

	w.runsMachine("app", "vb-app", "vz-app", `,"zoneAccess":["db","none"]`)
	w.waitFor(`"vz-app" . `+ownMAC+` . "vz-db"`, "nft", "list", "table", "inet", "nspawnkit")
	app.expect(true, "zone to zone with access", dbServer)
	db.expect(false, "back", appServer)
	web.expect(false, "into a zone", dbServer)
	w.daemon.stop(syscall.SIGKILL)
	w.startDaemon()
	app.expect(true, "zone to zone after a restart", dbServer)
	db.expect(false, "back after a restart", appServer)

	os.Remove(w.root + "/run/nspawnkit/machines/app.json")
	w.command("ip", "link", "delete", "vb-app")
	w.command("ip", "link", "delete", "vz-app")
	w.waitFor("=", "sh", "-c", "nft list table inet nspawnkit | grep -q vz-app || echo =")
}

// hostServer listens on a port of the host.
func (w *world) hostServer(address string) {
	w.t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { listener.Close() })
}

// What a container reaches of the host is what HostAccess= says; its own network goes on.
func TestHostAccess(t *testing.T) {
	w := newWorld(t)
	w.hostServer("0.0.0.0:2222")
	w.hostServer("0.0.0.0:3333")
	w.startDaemon()
	const some = `,"hostAccess":{"ports":[{"protocol":"tcp","first":3330,"last":3340}]}`
	w.runsMachine("web", "ve-web", "", some)
	w.waitFor(`"ve-web" . `+ownMAC, "nft", "list", "set", "inet", "nspawnkit", "limited") // before there is a link
	web := w.addContainer("web")
	lease, _, _ := strings.Cut(web.dhcp(), "/")
	db := w.addContainer("db")
	db.dhcp()
	zone, _ := w.addZoneWithServer("zone", `,"hostAccess":{"ports":[]}`)
	golden(t, "table-access", w.table())

	for _, host := range []string{"203.0.113.1", "192.168.177.49"} { // the uplink's address, the link's
		web.expect(false, "a service", host+":2222")
		web.expect(true, "a service of HostAccess=", host+":3333")
		db.expect(true, "another container", host+":2222")
	}
	zone.expect(false, "a service, in a zone", "203.0.113.1:3333")
	zone.expect(true, "outside, in a zone", "203.0.113.2:8080")
	web.expect(true, "outside", "203.0.113.2:8080")
	web.command("ping", "-c1", "-W5", "192.168.177.49")
	web.echoServer(lease + ":8080")
	conn, err := net.Dial("tcp", lease+":8080")
	if err != nil {
		t.Errorf("the host does not reach the container: %v", err)
	} else {
		conn.Close()
	}
	// It does not help to be somebody else.
	web.command("ip", "link", "set", "host0", "down")
	web.command("ip", "link", "set", "host0", "address", otherMAC, "up")
	web.command("ip", "route", "replace", "default", "via", "192.168.177.49")
	web.send(datagram{otherMAC, w.linkAddress("ve-web"), lease, "192.168.177.49", "another hardware address", 0})
	w.waitFor("=", "sh", "-c", "nft list chain inet nspawnkit guard | grep 'senders counter' | grep -vq 'packets 0 ' && echo =")
}
