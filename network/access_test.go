package network

import (
	"fmt"
	"testing"
	"testing/fstest"
)

func TestNewAccess(t *testing.T) {
	const mac = "02:00:00:00:00:01"
	ports := &MachineAccess{Ports: []MachinePortRange{{"tcp", 22, 23}}}
	for name, test := range map[string]struct {
		machine Machine
		want    string
	}{
		"everything": {Machine{Links: []MachineLink{{Host: "ve-web", ContainerMAC: mac}}}, "{map[vz-app:{}] map[] map[] map[]}"},
		"limited, on all links": {Machine{Links: []MachineLink{{Host: "vb-web", ContainerMAC: mac, Bridge: "vz-app"}, {Host: "ve-x", ContainerMAC: mac}}, HostAccess: ports},
			"{map[vz-app:{}] map[] map[{ve-x [2 0 0 0 0 1]}:{} {vz-app [2 0 0 0 0 1]}:{}] " +
				"map[{{ve-x [2 0 0 0 0 1]} 6 22 23}:{} {{vz-app [2 0 0 0 0 1]} 6 22 23}:{}]}"},
		"zones": {Machine{Links: []MachineLink{{Host: "ve-web", ContainerMAC: mac}}, ZoneAccess: []string{"db"}},
			"{map[vz-app:{}] map[{{ve-web [2 0 0 0 0 1]} vz-db}:{}] map[] map[]}"},
	} {
		a := NewAccess([]Link{{Name: "vz-app"}, {Name: "ve-web"}, {Name: "vb-web"}}, Machines{test.machine})
		if got := fmt.Sprint(a); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		none := NewAccess(nil, nil)
		if !a.Equal(a) || a.Equal(none) || !a.Missing(none).Equal(a) || !none.Missing(a).Equal(none) {
			t.Errorf("%s: the difference is wrong", name)
		}
	}
}

func TestMachineAccess(t *testing.T) {
	for text, problem := range map[string]string{
		`"zoneAccess":["db"],"hostAccess":{"ports":[{"protocol":"udp","first":1,"last":65535}]}`: "",
		`"zoneAccess":["a b"]`: `zone "a b": interface name "vz-a b" contains the character ' '`,
		`"hostAccess":{"ports":[{"protocol":"icmp","first":1,"last":1}]}`: `"icmp" 1-1 are not ports`,
		`"hostAccess":{"ports":[{"protocol":"tcp","first":2,"last":1}]}`:  `"tcp" 2-1 are not ports`,
		`"hostAccess":{"ports":[]},"links":[{"host":"ve-web"}]`:           "hostAccess without a hardware address",
		`"links":[{"host":"ve-web","containerMAC":"x"}]`:                  `ve-web: "x" is not the hardware address of an Ethernet link`,
	} {
		root := fstest.MapFS{machinesPath + "/web.json": {Data: []byte(`{"version":1,"name":"web",` + text + `}`)}}
		_, problems := (&MachineFiles{Root: root}).Read()
		want := "[]"
		if problem != "" {
			want = "[" + MachinesDirectory + "/web.json: " + problem + "]"
		}
		if got := fmt.Sprint(problems); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
