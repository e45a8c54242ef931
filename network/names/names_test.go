package names

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

func start() time.Time { return time.Unix(1e9, 0) }

// lease is one of an address for a hardware address that ends in n.
func lease(address string, n byte) dhcp.Lease {
	return dhcp.Lease{Address: netip.MustParseAddr(address), Hardware: dhcp.HardwareAddr{2, 0, 0, 0, 0, n}, HostName: "liar", Expires: start().Add(time.Hour)}
}

type leases map[string][]dhcp.Lease

func (l leases) of(link network.Link) iter.Seq[dhcp.Lease] { return slices.Values(l[link.Name]) }

// source has the leases, and neighbours on two links.
func (l leases) source() Source {
	return Source{
		Leases: l.of, Now: start,
		Neighbours: func(index int) []network.Neighbour {
			heard := func(address string, n byte) network.Neighbour {
				return network.Neighbour{Address: netip.MustParseAddr(address), Hardware: [6]byte{2, 0, 0, 0, 0, n}}
			}
			switch index {
			case 4: // in the zone
				return []network.Neighbour{heard("10.1.0.200", 1), heard("fd04::11", 1), heard("fd04::99", 99), heard("fe80::11", 1)}
			case 8: // of a link that is systemd-networkd's
				return []network.Neighbour{heard("10.8.0.5", 1), heard("10.9.0.5", 1), heard("fd08::5", 1), heard("10.8.0.1", 1)}
			}
			return nil
		},
	}
}

func link(index int, name, address string, alternatives ...string) Link {
	l := network.Link{Index: index, Name: name, Kind: "veth", AltNames: alternatives, Addresses: []netip.Prefix{netip.MustParsePrefix(address), netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix(fmt.Sprintf("fd%02d::1/64", index))}}
	return Link{Link: l, Suffix: "nspawn.internal"}
}

func veth(machine, host string) network.Machine {
	return network.Machine{Name: machine, Links: []network.MachineLink{{Host: host, ContainerMAC: "02:00:00:00:00:01"}}}
}

func port(machine, bridge, hardware string) network.Machine {
	return network.Machine{Name: machine, Links: []network.MachineLink{{Host: "vb-" + machine, Bridge: bridge, ContainerMAC: hardware}}}
}

// testDirectory has two containers with links of their own, two in one zone and one in another.
func testDirectory() *Directory {
	both := veth("both", "ve-both")
	both.Links = append(both.Links, port("both", "vz-app", "02:00:00:00:00:03").Links...)
	o2 := port("o2", "vz-other", "02:00:00:00:00:02")
	o2.ZoneAccess = []string{"app"}
	machines := network.Machines{
		o2, port("a1", "vz-app", "02:00:00:00:00:01"), port("a2", "vz-app", "02:00:00:00:00:02"), both,
		port("o1", "vz-other", "02:00:00:00:00:01"), veth("Web", "ve-web"), veth("theirs", "ve-theirs"), port("br", "br0", "02:00:00:00:00:01"),
	}
	links := []Link{
		link(3, "ve-web", "10.0.0.1/28"), link(4, "vz-app", "10.1.0.1/24"), link(5, "vz-other", "10.2.0.1/24"),
		link(6, "ve-both", "10.0.1.1/28"), link(7, "ve-longnamXy_z", "10.0.2.1/28", "ve-longname.of.a.machine", "other"),
		link(8, "ve-theirs", "10.8.0.1/28"),
	}
	old := lease("10.0.0.9", 1)
	old.Expires = start()
	return New(machines, links, leases{
		"ve-web":  {lease("10.0.0.5", 77), old},
		"vz-app":  {lease("10.1.0.11", 1), lease("10.1.0.12", 2), lease("10.1.0.13", 3), lease("10.1.0.99", 99)},
		"ve-both": {lease("10.0.1.5", 1)}, "vz-other": {lease("10.2.0.11", 1), lease("10.2.0.12", 2)}, "ve-longnamXy_z": {lease("10.0.2.5", 1)},
	}.source())
}

func TestEntries(t *testing.T) {
	d := testDirectory()
	var got []string
	for _, e := range d.Entries() {
		got = append(got, fmt.Sprint(e.Name, " ", e.Address, " ", e.Container, " ", e.Link))
	}
	const want = `a1.nspawn.internal 10.1.0.11 a1 vz-app
a1.nspawn.internal fd04::11 a1 vz-app
a2.nspawn.internal 10.1.0.12 a2 vz-app
both.nspawn.internal 10.0.1.5 both ve-both
both.nspawn.internal 10.1.0.13 both vz-app
longname.of.a.machine.nspawn.internal 10.0.2.5 longname.of.a.machine ve-longnamXy_z
o1.nspawn.internal 10.2.0.11 o1 vz-other
o2.nspawn.internal 10.2.0.12 o2 vz-other
theirs.nspawn.internal 10.8.0.5 theirs ve-theirs
theirs.nspawn.internal fd08::5 theirs ve-theirs
web.nspawn.internal 10.0.0.5 web ve-web`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if len(d.Conflicts) > 0 {
		t.Error(d.Conflicts)
	}
}

// Who is on a link knows what can be reached from it.
func TestZone(t *testing.T) {
	d := testDirectory()
	for on, names := range map[string]map[string]string{
		"ve-web":   {"web": "[10.0.0.5]", "both": "[10.0.1.5]", "a1": "", "o1": "", "liar": "", "br": "", "longname.of.a.machine": "[10.0.2.5]"},
		"vz-app":   {"web": "", "a1": "[10.1.0.11 fd04::11]", "both": "[10.1.0.13]", "o1": ""},
		"vz-other": {"o1": "[10.2.0.11]", "a1": "", "both": ""},
		"vz-none":  {"o1": "[10.2.0.11]"},
	} {
		z := d.Zone(on, netip.Addr{})
		for name, want := range names {
			got := ""
			if addresses, exists := z.Hosts.Addresses(name); exists {
				got = fmt.Sprint(addresses)
			}
			if got != want {
				t.Errorf("%s on %s: %s, want %s", name, on, got, want)
			}
		}
	}
	for address, want := range map[string]string{"10.0.0.5": "web", "10.0.1.5": "both", "10.0.0.9": "", "10.1.0.11": "", "10.1.0.99": ""} {
		if got, _ := d.Zone("ve-web", netip.Addr{}).Hosts.Name(netip.MustParseAddr(address)); got != want {
			t.Errorf("name of %s: %q, want %q", address, got, want)
		}
	}
	z := d.Zone("vz-app", netip.Addr{})
	if fmt.Sprint(z.Self, z.Clients) != "[10.1.0.1 fd04::1] [10.1.0.0/24 fe80::/64 fd04::/64]" || len(z.Subnets) != 18 {
		t.Errorf("self %v, clients %v, subnets %v", z.Self, z.Clients, z.Subnets)
	}
	host := d.Zone("vz-app", netip.MustParseAddr("10.1.0.1"))
	if _, exists := host.Hosts.Addresses("web"); !exists || !host.Closed || z.Closed {
		t.Error("the host does not know everything")
	}
	if d.Zone("eth0", netip.Addr{}).MayAsk(netip.MustParseAddr("10.0.0.5")) {
		t.Error("clients of a link that is not served")
	}
	if !d.Serves(netip.MustParseAddr("10.2.0.1")) || d.Serves(netip.MustParseAddr("10.2.0.11")) {
		t.Error("which addresses are the host's")
	}
}

// With access to another zone a container knows of who is there, and not the other way round.
func TestZoneAccess(t *testing.T) {
	d := testDirectory()
	for _, test := range []struct{ link, client, name, want string }{
		{"vz-other", "10.2.0.12", "a1", "[10.1.0.11 fd04::11]"},
		{"vz-other", "::ffff:10.2.0.12", "a1", "[10.1.0.11 fd04::11]"},
		{"vz-other", "10.2.0.12", "o1", "[10.2.0.11]"},
		{"vz-other", "10.2.0.12", "web", "[]"},
		{"vz-other", "10.2.0.11", "a1", "[]"},
		{"vz-app", "10.2.0.12", "o1", "[]"},
		{"vz-app", "10.1.0.11", "o2", "[]"},
	} {
		addresses, _ := d.Zone(test.link, netip.MustParseAddr(test.client)).Hosts.Addresses(test.name)
		if got := fmt.Sprint(addresses); got != test.want {
			t.Errorf("%s, asked by %s on %s: %s, want %s", test.name, test.client, test.link, got, test.want)
		}
	}
}

// No two containers have one name, and none has that of the host.
func TestConflicts(t *testing.T) {
	machines := network.Machines{veth("Web", "ve-Web"), veth("host", "ve-host"), veth("web", "ve-web")}
	links := []Link{link(3, "ve-Web", "10.0.0.1/28"), link(4, "ve-host", "10.0.1.1/28"), link(5, "ve-web", "10.0.2.1/28"), link(6, "ve-WEB", "10.0.3.1/28")}
	d := New(machines, links, leases{"ve-Web": {lease("10.0.0.5", 1)}, "ve-host": {lease("10.0.1.5", 1)}, "ve-web": {lease("10.0.2.5", 1)}}.source())
	const want = "container host cannot be found by its name, which means something else\n" +
		"container web cannot be found by its name, which differs from that of Web in upper case only"
	if got := strings.Join(d.Conflicts[:2], "\n"); got != want {
		t.Errorf("conflicts:\n%s", strings.Join(d.Conflicts, "\n"))
	}
	if entries := d.Entries(); len(entries) != 1 || entries[0].Link != "ve-Web" {
		t.Errorf("entries %v", entries)
	}
}
