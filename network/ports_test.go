package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// port reads "tcp:[ADDRESS:]HOST[-LAST]>CONTAINER".
func port(t *testing.T, text string) MachinePort {
	t.Helper()
	protocol, rest, _ := strings.Cut(text, ":")
	host, container, _ := strings.Cut(rest, ">")
	p := MachinePort{Protocol: protocol}
	host, last, isRange := strings.Cut(host, "-")
	if address, err := netip.ParseAddrPort(host); err == nil {
		p.Address, host = address.Addr(), fmt.Sprint(address.Port())
	}
	var end uint16
	fmt.Sscan(host, &p.Host)
	fmt.Sscan(container, &p.Container)
	if isRange {
		fmt.Sscan(last, &end)
		p.Count = end - p.Host + 1
	}
	if err := p.check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMachinePortText(t *testing.T) {
	for text, want := range map[string]string{
		"tcp:80>8080": "tcp:80", "udp:127.0.0.1:53>53": "udp:127.0.0.1:53", "sctp:[::1]:8000-8009>8000": "sctp:[::1]:8000-8009",
		"tcp:1-65535>1": "tcp:1-65535",
	} {
		if got := port(t, text).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, bad := range []MachinePort{
		{}, {Protocol: "dccp", Host: 1, Container: 1}, {Protocol: "tcp", Container: 1}, {Protocol: "tcp", Host: 1},
		{Protocol: "tcp", Host: 65535, Container: 1, Count: 2}, {Protocol: "tcp", Host: 1, Container: 65000, Count: 1000},
		{Protocol: "tcp", Host: 1, Container: 1, Address: netip.MustParseAddr("fe80::1%eth0")},
		{Protocol: "tcp", Host: 1, Container: 1, Address: netip.MustParseAddr("::ffff:1.2.3.4")},
	} {
		if bad.check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

func TestOverlaps(t *testing.T) {
	for pair, want := range map[string]bool{
		"tcp:80>1 tcp:80>2":                        true,
		"tcp:80>1 udp:80>1":                        false,
		"tcp:80-89>80 tcp:89>1":                    true,
		"tcp:80-89>80 tcp:90>1":                    false,
		"tcp:80>1 tcp:127.0.0.1:80>1":              true,
		"tcp:80>1 tcp:[::1]:80>1":                  true,
		"tcp:0.0.0.0:80>1 tcp:[::1]:80>1":          false,
		"tcp:0.0.0.0:80>1 tcp:10.0.0.1:80>1":       true,
		"tcp:10.0.0.2:80>1 tcp:10.0.0.1:80>1":      false,
		"tcp:0.0.0.0:80>1 tcp:[::]:80>1":           false,
		"tcp:[2001:db8::1]:1-9>1 tcp:[::]:9-10>1":  true,
		"sctp:65535>1 sctp:1-65535>1":              true,
		"tcp:127.0.0.1:80>1 tcp:127.0.0.1:80-80>1": true,
	} {
		a, b, _ := strings.Cut(pair, " ")
		if got := port(t, a).Overlaps(port(t, b)); got != want || got != port(t, b).Overlaps(port(t, a)) {
			t.Errorf("%s: %v", pair, got)
		}
	}
}

func TestPublish(t *testing.T) {
	machines := Machines{
		{Name: "late", Began: 2, Ports: []MachinePort{port(t, "tcp:85>80"), port(t, "tcp:90>80")}},
		{Name: "web", Began: 1, Ports: []MachinePort{port(t, "tcp:80-89>80")}},
		{Name: "b", Began: 3, Ports: []MachinePort{port(t, "udp:1>1")}},
		{Name: "a", Began: 3, Ports: []MachinePort{port(t, "udp:1>1")}},
	}
	machines[0].Ports[0].Origin, machines[1].Ports[0].Origin = "late.nspawn:1", "web.nspawn:2"
	list, conflicts := machines.Publish()
	var got []string
	for _, p := range list {
		got = append(got, p.Machine+" "+p.String())
	}
	for _, c := range conflicts {
		got = append(got, c.Machine+": "+c.String())
	}
	want := []string{
		"web tcp:80-89", "late tcp:90", "a udp:1",
		"late: late.nspawn:1: port tcp:85 of the host is published by container web (web.nspawn:2)",
		"b: port udp:1 of the host is published by container a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// entries writes a map in order.
func (p PortMap) entries() string {
	var lines []string
	for key, target := range p {
		lines = append(lines, fmt.Sprintf("%v %d %d-%d > %v", key.Prefix, key.Protocol, key.First, key.Last, target))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestForward(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	addresses := map[string]Addresses{"both": {v4, v6}, "four": {IPv4: v4}}
	for text, want := range map[string]string{
		"both tcp:80>8080":             "0.0.0.0/0 6 80-80 > 10.0.0.2:8080\n::/0 6 80-80 > [fd00::2]:8080",
		"four tcp:80>8080":             "0.0.0.0/0 6 80-80 > 10.0.0.2:8080",
		"none tcp:80>8080":             "",
		"both udp:0.0.0.0:53>53":       "0.0.0.0/0 17 53-53 > 10.0.0.2:53",
		"both udp:[::]:53>53":          "::/0 17 53-53 > [fd00::2]:53",
		"both tcp:127.0.0.1:80>80":     "", // left to the proxy
		"both tcp:[::1]:80>80":         "",
		"both tcp:192.0.2.1:80>80":     "192.0.2.1/32 6 80-80 > 10.0.0.2:80",
		"four tcp:[2001:db8::1]:80>80": "",
		"four tcp:20000-39999>20000":   "0.0.0.0/0 6 20000-39999 > 10.0.0.2:0",
		"four sctp:192.0.2.1:80-81>90": "192.0.2.1/32 132 80-80 > 10.0.0.2:90\n192.0.2.1/32 132 81-81 > 10.0.0.2:91",
		"four tcp:65535-65535>65535":   "0.0.0.0/0 6 65535-65535 > 10.0.0.2:65535",
	} {
		machine, p, _ := strings.Cut(text, " ")
		if got := Forward([]Publication{{machine, port(t, p)}}, addresses).entries(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestContainerAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	mac, other := HardwareAddr{2, 0, 0, 0, 0, 1}, HardwareAddr{2, 0, 0, 0, 0, 9}
	l := Link{Index: 3, Addresses: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("fd00::1/64"),
	}}
	expected := addr("fd00::ff:fe00:1")
	for name, test := range map[string]struct {
		lease      string
		neighbours []Neighbour
		last       Addresses
		want4      string
		want6      netip.Addr
	}{
		"nothing":       {want6: expected},
		"lease":         {lease: "10.0.0.5", neighbours: []Neighbour{{3, addr("10.0.0.6"), mac, 0}}, want4: "10.0.0.5", want6: expected},
		"neighbour":     {neighbours: []Neighbour{{3, addr("10.0.0.6"), mac, 0}, {3, addr("fd00::6"), mac, 0}}, want4: "10.0.0.6", want6: addr("fd00::6")},
		"others":        {neighbours: []Neighbour{{3, addr("10.0.0.6"), other, 0}, {4, addr("10.0.0.7"), mac, 0}}, want6: expected},
		"elsewhere":     {neighbours: []Neighbour{{3, addr("8.8.8.8"), mac, 0}, {3, addr("2001:db8::1"), mac, 0}}, want6: expected},
		"the host's":    {neighbours: []Neighbour{{3, addr("10.0.0.1"), mac, 0}}, want6: expected},
		"link-local":    {neighbours: []Neighbour{{3, addr("fe80::6"), mac, 0}}, want6: expected},
		"latest":        {neighbours: []Neighbour{{3, addr("10.0.0.6"), mac, 9}, {3, addr("10.0.0.7"), mac, 2}, {3, addr("10.0.0.8"), mac, 5}}, want4: "10.0.0.7", want6: expected},
		"stays":         {neighbours: []Neighbour{{3, addr("10.0.0.6"), mac, 9}, {3, addr("10.0.0.7"), mac, 2}}, last: Addresses{IPv4: addr("10.0.0.6")}, want4: "10.0.0.6", want6: expected},
		"stays, first":  {neighbours: []Neighbour{{3, addr("10.0.0.7"), mac, 2}, {3, addr("10.0.0.6"), mac, 9}}, last: Addresses{IPv4: addr("10.0.0.6")}, want4: "10.0.0.6", want6: expected},
		"forgotten":     {last: Addresses{addr("10.0.0.6"), addr("fd00::6")}, want4: "10.0.0.6", want6: addr("fd00::6")},
		"other subnet":  {last: Addresses{addr("10.0.1.6"), addr("fd01::6")}, want6: expected},
		"guess is gone": {neighbours: []Neighbour{{3, addr("fd00::6"), mac, 0}}, last: Addresses{IPv6: expected}, want6: addr("fd00::6")},
	} {
		var lease netip.Addr
		if test.lease != "" {
			lease = addr(test.lease)
		}
		got := ContainerAddresses(l, mac, lease, test.neighbours, test.last)
		if got.IPv4.IsValid() != (test.want4 != "") || test.want4 != "" && got.IPv4 != addr(test.want4) || got.IPv6 != test.want6 {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := ContainerAddresses(Link{Index: 3}, mac, netip.Addr{}, nil, Addresses{}); got != (Addresses{}) {
		t.Errorf("on a link without addresses: %v", got)
	}
}

func TestStaleFlows(t *testing.T) {
	key := func(prefix string, protocol uint8, first, last uint16) PortKey {
		return PortKey{netip.MustParsePrefix(prefix), protocol, first, last}
	}
	to := netip.MustParseAddrPort
	added := PortMap{
		key("0.0.0.0/0", 17, 53, 53): to("10.0.0.2:5353"), key("0.0.0.0/0", 6, 80, 80): to("10.0.0.2:8080"),
		key("0.0.0.0/0", 6, 1000, 1999): to("10.0.0.2:0"), key("127.0.0.0/8", 6, 80, 80): to("127.0.0.1:4000"),
	}
	removed := PortMap{key("0.0.0.0/0", 6, 80, 80): to("10.0.0.3:8080"), key("0.0.0.0/0", 6, 90, 90): to("10.0.0.3:90")}
	local := func(a netip.Addr) bool { return a.String() == "192.0.2.1" || a.IsLoopback() }
	stale := StaleFlows(added, removed, local)
	for text, want := range map[string]bool{
		"17 192.0.2.1:53 192.0.2.1:53":    true,  // a client that spoke before
		"17 192.0.2.1:53 10.0.0.2:5353":   false, // as it is to be
		"17 192.0.2.1:53 10.0.0.2:53":     true,
		"17 8.8.8.8:53 8.8.8.8:53":        false, // of somebody to somebody else
		"6 192.0.2.1:80 10.0.0.3:8080":    true,  // the former container
		"6 192.0.2.1:80 10.0.0.2:8080":    false,
		"6 192.0.2.1:80 192.0.2.1:80":     false, // of a program of the host
		"6 192.0.2.1:90 10.0.0.3:90":      true,
		"6 192.0.2.1:90 192.0.2.1:90":     false,
		"6 192.0.2.1:1500 10.0.0.2:1500":  false,
		"6 192.0.2.1:1500 10.0.0.3:1500":  true,
		"6 192.0.2.1:2000 10.0.0.3:2000":  false, // not published
		"6 127.0.0.1:80 127.0.0.1:3999":   true,  // the proxy of a daemon before
		"6 127.0.0.1:80 127.0.0.1:4000":   false,
		"6 127.0.0.1:1500 127.0.0.1:1500": false,
		"132 192.0.2.1:80 10.0.0.3:8080":  false,
	} {
		var protocol uint8
		var destination, answers string
		fmt.Sscan(text, &protocol, &destination, &answers)
		if got := stale(Flow{protocol, to(destination), to(answers)}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
