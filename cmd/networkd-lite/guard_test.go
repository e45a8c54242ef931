package main

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The hardware address of the container side of every link, and another one.
const (
	ownMAC   = "02:00:00:00:00:01"
	otherMAC = "02:00:00:00:00:66"
)

// runsMachine writes what nspawn-exec says of a running container with one link; bridge may be empty. more are other fields.
func (w *world) runsMachine(name, link, bridge string, more ...string) {
	w.t.Helper()
	w.write("run/nspawnkit/machines/"+name+".json", fmt.Sprintf(
		`{"version":1,"name":%q,"links":[{"host":%q,"container":"host0","containerMAC":%q,"bridge":%q}]%s}`,
		name, link, ownMAC, bridge, strings.Join(more, "")))
}

// collector receives datagrams on a port of an address and remembers their text.
type collector struct {
	conn net.PacketConn
	t    *testing.T
}

func (n *namespace) collect(address string) *collector {
	n.t.Helper()
	c := &collector{t: n.t}
	n.inside(func() (err error) {
		c.conn, err = net.ListenPacket("udp", address)
		return err
	})
	n.t.Cleanup(func() { c.conn.Close() })
	return c
}

// until returns what came up to the text last, which was sent last over the same path.
func (c *collector) until(last string) (texts []string) {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for buffer := make([]byte, 2048); !slices.Contains(texts, last); {
		n, _, err := c.conn.ReadFrom(buffer)
		if err != nil {
			c.t.Fatalf("%q, then %v", texts, err)
		}
		texts = append(texts, string(buffer[:n]))
	}
	return texts
}

// datagram is a UDP datagram that is put together by hand, with whatever addresses.
type datagram struct {
	fromMAC, toMAC string
	from, to       string // IPv4 or IPv6
	text           string
	port           uint16 // that it goes to; 0: 9999
}

// send sends it from host0.
func (n *namespace) send(d datagram) {
	n.t.Helper()
	n.sendFrame(d.frame(n.t))
}

func (n *namespace) sendFrame(frame []byte) {
	n.t.Helper()
	n.inside(func() error {
		link, err := net.InterfaceByName("host0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
}

func (d datagram) frame(t *testing.T) []byte {
	from, to := netip.MustParseAddr(d.from), netip.MustParseAddr(d.to)
	udp := binary.BigEndian.AppendUint16(nil, 1234)
	udp = binary.BigEndian.AppendUint16(udp, cmp.Or(d.port, 9999))
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(d.text)))
	udp = append(binary.BigEndian.AppendUint16(udp, 0), d.text...)
	pseudo := slices.Concat(from.AsSlice(), to.AsSlice(), []byte{0, 17, 0, byte(len(udp))}, udp) // RFC 768, RFC 8200 section 8.1
	binary.BigEndian.PutUint16(udp[6:], checksum(pseudo))

	header := slices.Concat([]byte{0x60, 0, 0, 0, 0, byte(len(udp)), 17, 64}, from.AsSlice(), to.AsSlice())
	kind := []byte{0x86, 0xdd}
	if from.Is4() {
		header = slices.Concat([]byte{0x45, 0, 0, byte(20 + len(udp)), 0, 0, 0, 0, 64, 17, 0, 0}, from.AsSlice(), to.AsSlice())
		binary.BigEndian.PutUint16(header[10:], checksum(header))
		kind = []byte{0x08, 0x00}
	}
	return slices.Concat(hardware(t, d.toMAC), hardware(t, d.fromMAC), kind, header, udp)
}

// neighborAdvertisement is the frame that says that an address is at the hardware address of the sender.
func neighborAdvertisement(t *testing.T, fromMAC, toMAC, address string) []byte {
	from, to := netip.MustParseAddr("fe80::66"), netip.MustParseAddr("fe80::67")
	icmp := slices.Concat([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, netip.MustParseAddr(address).AsSlice(), []byte{2, 1}, hardware(t, fromMAC))
	pseudo := slices.Concat(from.AsSlice(), to.AsSlice(), []byte{0, 58, 0, byte(len(icmp))}, icmp)
	binary.BigEndian.PutUint16(icmp[2:], checksum(pseudo))
	header := slices.Concat([]byte{0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 255}, from.AsSlice(), to.AsSlice())
	return slices.Concat(hardware(t, toMAC), hardware(t, fromMAC), []byte{0x86, 0xdd}, header, icmp)
}

func hardware(t *testing.T, text string) []byte {
	t.Helper()
	address, err := net.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// checksum is that of the Internet protocols (RFC 1071).
func checksum(data []byte) uint16 {
	var sum uint32
	for i := range data {
		sum += uint32(data[i]) << (8 * (1 - i&1))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// linkAddress returns the hardware address of a link of the host.
func (w *world) linkAddress(name string) string {
	w.t.Helper()
	link, err := net.InterfaceByName(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return link.HardwareAddr.String()
}

// Nothing that a container says in another's name leaves its link.
func TestSpoofing(t *testing.T) {
	w := newWorld(t)
	w.command("ip", "address", "add", "2001:db8::1/64", "dev", "up0", "nodad")
	w.outside.command("ip", "address", "add", "2001:db8::2/64", "dev", "out0", "nodad")
	w.startDaemon()
	w.runsMachine("web", "ve-web", "")
	web := w.addContainer("web")
	lease, _, _ := strings.Cut(web.dhcp(), "/")
	db := w.addContainer("db") // of which networkd-lite knows no more than the link
	dbLease, _, _ := strings.Cut(db.dhcp(), "/")
	w.command("ip", "address", "add", "fd00:1::1/64", "dev", "ve-web", "nodad")
	w.waitFor(`"ve-web" . `+ownMAC, "nft", "list", "table", "inet", "nspawnkit")
	golden(t, "table-guard", w.table())

	gateway := w.linkAddress("ve-web")
	outside4, outside6 := w.outside.collect("203.0.113.2:9999"), w.outside.collect("[2001:db8::2]:9999")
	for _, d := range []datagram{
		{ownMAC, gateway, dbLease, "203.0.113.2", "another container's address", 0},
		{ownMAC, gateway, "203.0.113.7", "203.0.113.2", "an address of the uplink", 0},
		{ownMAC, gateway, "203.0.113.1", "203.0.113.2", "the host's address", 0},
		{ownMAC, gateway, "8.8.8.8", "203.0.113.2", "an address outside", 0},
		{ownMAC, gateway, "127.0.0.1", "203.0.113.2", "the loopback address", 0},
		{ownMAC, gateway, "169.254.9.9", "203.0.113.2", "a link-local address", 0},
		{ownMAC, gateway, "0.0.0.0", "203.0.113.2", "no address", 0},
		{otherMAC, gateway, lease, "203.0.113.2", "another hardware address", 0},
		{ownMAC, gateway, lease, "203.0.113.2", "the own address", 0},
	} {
		web.send(d)
	}
	if got := outside4.until("the own address"); len(got) > 1 {
		t.Errorf("left the link: %q", got)
	}
	for _, d := range []datagram{
		{ownMAC, gateway, "2001:db8::7", "2001:db8::2", "an address of the uplink", 0},
		{ownMAC, gateway, "2001:db8::1", "2001:db8::2", "the host's address", 0},
		{ownMAC, gateway, "fd00:2::2", "2001:db8::2", "an address of nobody", 0},
		{ownMAC, gateway, "fe80::1", "2001:db8::2", "a link-local address", 0},
		{ownMAC, gateway, "::", "2001:db8::2", "no address", 0},
		{otherMAC, gateway, "fd00:1::2", "2001:db8::2", "another hardware address", 0},
		{ownMAC, gateway, "fd00:1::2", "2001:db8::2", "the own address", 0},
	} {
		web.send(d)
	}
	if got := outside6.until("the own address"); len(got) > 1 {
		t.Errorf("left the link: %q", got)
	}
	// Nobody said which hardware address is db's; its addresses are guarded all the same.
	db.send(datagram{ownMAC, w.linkAddress("ve-db"), lease, "203.0.113.2", "another container's address", 0})
	db.send(datagram{otherMAC, w.linkAddress("ve-db"), dbLease, "203.0.113.2", "the own address", 0})
	if got := outside4.until("the own address"); len(got) > 1 {
		t.Errorf("left the link: %q", got)
	}
	w.waitFor("ve-web", "nft", "list", "set", "inet", "nspawnkit", "guarded")
}

// The same between the ports of a zone, where frames do not pass the host.
func TestSpoofingInZone(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "address", "02:00:00:00:00:99", "type", "bridge")
	const gateway = "192.168.111.1"
	macs := []string{ownMAC, "02:00:00:00:00:02", "02:00:00:00:00:03"}
	var containers []*namespace
	var addresses []string
	for i, mac := range macs {
		n, port := w.newNamespace(), fmt.Sprint("vb-", i)
		w.runsMachine(fmt.Sprint(i), port, "vz-app")
		w.command("sed", "-i", "s/"+ownMAC+"/"+mac+"/", w.root+"/run/nspawnkit/machines/"+fmt.Sprint(i)+".json")
		w.command("ip", "link", "add", port, "type", "veth", "peer", "name", "host0", "address", mac, "netns", n.pid)
		w.command("ip", "link", "set", port, "master", "vz-app")
		address, _, _ := strings.Cut(n.dhcp(), "/")
		containers, addresses = append(containers, n), append(addresses, address)
	}
	for _, address := range addresses { // what is asked for of neighbours, for one thing, changes what is looked at
		w.waitFor(`. `+address, "nft", "list", "table", "bridge", "nspawnkit")
	}
	golden(t, "table-bridge", w.command("nft", "list", "table", "bridge", "nspawnkit"))

	other := containers[1].collect(addresses[1] + ":9999")
	for _, d := range []datagram{
		{otherMAC, macs[1], addresses[0], addresses[1], "another hardware address", 0},
		{macs[0], macs[1], addresses[2], addresses[1], "the address of a third container", 0},
		{macs[0], macs[1], gateway, addresses[1], "the address of the host", 0},
		{macs[0], macs[1], "192.168.111.250", addresses[1], "an address of nobody", 0},
		{macs[0], macs[1], addresses[0], addresses[1], "the own address", 0},
	} {
		containers[0].send(d)
	}
	if got := other.until("the own address"); !slices.Equal(got, []string{"an address of nobody", "the own address"}) {
		t.Errorf("left the port: %q", got)
	}

	// ARP: the address of the gateway is said to be at another hardware address, then at the sender's own.
	containers[1].command("ping", "-c1", "-W5", gateway)
	before := containers[1].command("ip", "neighbour", "show", gateway, "dev", "host0")
	for _, mac := range []string{otherMAC, macs[0]} {
		containers[0].sendFrame(slices.Concat(
			hardware(t, macs[1]), hardware(t, macs[0]), []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 2},
			hardware(t, mac), netip.MustParseAddr(gateway).AsSlice(), hardware(t, macs[1]), netip.MustParseAddr(addresses[1]).AsSlice(),
		))
	}
	containers[0].send(datagram{macs[0], macs[1], addresses[0], addresses[1], "afterwards", 0})
	other.until("afterwards")
	if after := containers[1].command("ip", "neighbour", "show", gateway, "dev", "host0"); !strings.Contains(after, w.linkAddress("vz-app")) {
		t.Errorf("before %s, after %s", before, after)
	}

	// The same with a neighbor advertisement of IPv6 (RFC 4861, section 4.4).
	router := strings.Fields(w.command("ip", "-6", "-o", "address", "show", "dev", "vz-app", "scope", "link"))[3]
	containers[0].sendFrame(neighborAdvertisement(t, macs[0], macs[1], strings.TrimSuffix(router, "/64")))
	w.waitFor("counter packets 1", "sh", "-c", "nft list chain bridge nspawnkit port | grep nd-neighbor-advert")

	// A request to the DHCP server for the hardware address of another, and one for the own.
	for _, mac := range []string{macs[1], macs[0]} {
		containers[0].send(datagram{macs[0], w.linkAddress("vz-app"), "0.0.0.0", "255.255.255.255", strings.Repeat("\x00", 28) + string(hardware(t, mac)), 67})
	}
	w.waitFor("counter packets 1", "sh", "-c", "nft list chain bridge nspawnkit dhcp | grep drop")

	for i := range containers {
		w.command("rm", w.root+"/run/nspawnkit/machines/"+fmt.Sprint(i)+".json")
		w.command("ip", "link", "delete", fmt.Sprint("vb-", i))
	}
	w.waitFor("inet nspawnkit\n=", "sh", "-c", "nft list tables; echo =")
}
