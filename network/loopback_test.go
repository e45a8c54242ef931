package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestLoopback(t *testing.T) {
	addr := netip.MustParseAddr
	publish := func(machine, protocol, address string, host, container, count uint16) Publication {
		p := Publication{machine, MachinePort{Protocol: protocol, Host: host, Container: container, Count: count}}
		if address != "" {
			p.Address = addr(address)
		}
		return p
	}
	l := Loopback{
		Ports: []Publication{
			publish("web", "tcp", "", 8080, 80, 1), publish("web", "udp", "0.0.0.0", 53, 53, 1), publish("web", "tcp", "127.0.0.9", 81, 80, 1),
			publish("db", "tcp", "", 2000, 3000, 10), publish("db", "tcp", "::1", 82, 80, 1), publish("db", "sctp", "", 9, 9, 1),
			publish("web", "tcp", "192.0.2.1", 83, 80, 1), publish("new", "tcp", "", 84, 80, 1),
		},
		Addresses: map[string]Addresses{"web": {IPv4: addr("10.0.0.5"), IPv6: addr("fd00::5")}, "db": {IPv4: addr("10.0.0.6")}},
	}
	for at, want := range map[string]string{
		"tcp 127.0.0.1:8080": "10.0.0.5:80 [fd00::5]:80", "tcp [::1]:8080": "10.0.0.5:80 [fd00::5]:80", "tcp 127.0.0.2:8080": "", "udp 127.0.0.1:8080": "",
		"udp 127.0.0.1:53": "10.0.0.5:53 [fd00::5]:53", "udp [::1]:53": "", "tcp 127.0.0.9:81": "10.0.0.5:80 [fd00::5]:80", "tcp 127.0.0.1:81": "",
		"tcp 127.0.0.1:2009": "10.0.0.6:3009", "tcp [::1]:2000": "10.0.0.6:3000", "tcp 127.0.0.1:2010": "", "tcp 127.0.0.1:1999": "",
		"tcp [::1]:82": "10.0.0.6:80", "tcp 127.0.0.1:82": "", "sctp 127.0.0.1:9": "10.0.0.6:9", "tcp 127.0.0.1:83": "", "tcp 127.0.0.1:84": "",
	} {
		protocol, text, _ := strings.Cut(at, " ")
		if got := fmt.Sprint(l.Find(protocol, netip.MustParseAddrPort(text))); got != "["+want+"]" {
			t.Errorf("%s leads to %s, want %s", at, got, want)
		}
	}

	listeners := map[Listener]uint16{{"tcp", false}: 1111, {"tcp", true}: 2222, {"udp", false}: 3333}
	for needed := range l.Listeners() {
		if _, found := listeners[needed]; !found && needed != (Listener{"udp", true}) {
			t.Errorf("needs %v", needed)
		}
	}
	m := l.PortMap(listeners)
	var got []string
	for _, key := range slices.SortedFunc(maps.Keys(m), PortKey.Compare) {
		got = append(got, fmt.Sprintf("%d %v %d-%d>%v", key.Protocol, key.Prefix, key.First, key.Last, m[key]))
	}
	want := []string{
		"6 127.0.0.9/32 81-81>127.0.0.1:1111", "6 ::1/128 82-82>[::1]:2222", "6 127.0.0.1/32 2000-2009>127.0.0.1:1111", "6 ::1/128 2000-2009>[::1]:2222", "6 127.0.0.1/32 8080-8080>127.0.0.1:1111",
		"6 ::1/128 8080-8080>[::1]:2222", "17 127.0.0.1/32 53-53>127.0.0.1:3333",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
