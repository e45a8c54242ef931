package network

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestNewGuard(t *testing.T) {
	const mac, second, text, none = "02:00:00:00:00:01", "02:00:00:00:00:02", "[2 0 0 0 0 1]", "{map[] map[] map[]}"
	fixed := []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}
	lease := func(bridge string, to HardwareAddr) (a netip.Addr) {
		if bridge == "vz-app" && to[5] == 1 {
			a = netip.MustParseAddr("192.168.1.5")
		}
		return a
	}
	machines := Machines{
		{Name: "web", Links: []MachineLink{{Host: "ve-web", ContainerMAC: mac}, {Host: "extra", ContainerMAC: second}}},
		{Name: "app", Zone: "app", Links: []MachineLink{{Host: "vb-app", ContainerMAC: mac, Bridge: "vz-app", Addresses: fixed}}},
		{Name: "lan", Links: []MachineLink{{Host: "vb-lan", ContainerMAC: mac, Bridge: "br0"}}},
		{Name: "old", Links: []MachineLink{{Host: "ve-old"}}},
	}
	for name, test := range map[string]struct{ link, want string }{
		"its own link":             {"ve-web", "{map[ve-web:{}] map[ve-web:{}] map[{ve-web " + text + "}:{}] " + none + "}"},
		"several machines behind":  {"ve-many", "{map[ve-many:{}] map[] map[] " + none + "}"},
		"an unknown machine":       {"ve-nobody", "{map[ve-nobody:{}] map[] map[] " + none + "}"},
		"an unknown address":       {"ve-old", "{map[ve-old:{}] map[] map[] " + none + "}"},
		"a bridge":                 {"vz-app", "{map[vz-app:{}] map[] map[] {map[] map[192.168.1.1:{}] map[]}}"},
		"a port of it":             {"vb-app", "{map[] map[] map[] {map[{vb-app " + text + "}:{}] map[10.0.0.2:{} 192.168.1.5:{}] map[{vb-app 10.0.0.2}:{} {vb-app 192.168.1.5}:{}]}}"},
		"a port of another bridge": {"vb-lan", "{map[] map[] map[] " + none + "}"},
	} {
		link := Link{Name: test.link, Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}}
		several := func(l Link) bool { return l.Name == "ve-many" }
		if got := fmt.Sprint(NewGuard([]Link{link}, machines, several, lease)); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestGuardDifference(t *testing.T) {
	machine := func(mac string) Machines {
		return Machines{{Name: "web", Links: []MachineLink{{Host: "ve-web", ContainerMAC: mac}}}}
	}
	sole := func(Link) bool { return false }
	none := func(string, HardwareAddr) (a netip.Addr) { return a }
	before := NewGuard([]Link{{Name: "ve-web"}}, machine("02:00:00:00:00:01"), sole, none)
	after := NewGuard([]Link{{Name: "ve-web"}, {Name: "vz-app"}}, machine("02:00:00:00:00:02"), sole, none)
	const want = "{map[vz-app:{}] map[] map[{ve-web [2 0 0 0 0 2]}:{}] {map[] map[] map[]}} " +
		"{map[] map[] map[{ve-web [2 0 0 0 0 1]}:{}] {map[] map[] map[]}}"
	if got := fmt.Sprint(after.Missing(before), before.Missing(after)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if before.Equal(after) || !after.Equal(after) {
		t.Error("Equal is wrong")
	}
}

func TestParseHardwareAddr(t *testing.T) {
	for _, text := range []string{"", "x", "02:00:00:00:00", "00-00-5e-00-53-01-00-00", `02:00:00:00:00:01" drop`} {
		if got, err := ParseHardwareAddr(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
