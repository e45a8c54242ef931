package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// Each case has a pool of which nothing is left; the golden file has the line about it, and the way out.
func TestExaminePool(t *testing.T) {
	prefixes := func(list ...string) (parsed []netip.Prefix) {
		for _, p := range list {
			parsed = append(parsed, netip.MustParsePrefix(p))
		}
		return parsed
	}
	held := func(n int) (list []Holder) {
		for i := range n {
			list = append(list, Holder{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}), fmt.Sprintf("02:00:00:00:00:%02x", i), "", "its lease"})
		}
		list[0].Container = "db"
		if n > 1 {
			list[n-1].By = ""
		}
		return list
	}
	server := netip.MustParsePrefix("10.0.0.1/28")
	withFixed := held(2)
	withFixed[1].Container, withFixed[1].Hardware, withFixed[1].By = "app", "", "its Address="
	for name, pool := range map[string]Pool{
		"fixed":         {Size: 2, Holders: withFixed, Server: server, Offset: 4, PoolSize: 2, Name: "80-container-vz"},
		"not needed":    {Size: 2, Holders: held(2), Server: server, Offset: 4, PoolSize: 2, Name: "80-container-vz"},
		"some left":     {Size: 3, Holders: held(2), Server: server},
		"small":         {Size: 2, Holders: held(2), Server: server, Offset: 4, PoolSize: 2, Name: "80-container-vz"},
		"one machine":   {Size: 1, Holders: held(1), Server: server, Sole: true, Name: "80-container-ve"},
		"full subnet":   {Size: 13, Holders: held(13), Server: server, Name: "80-container-vz", Wanted: prefixes("0.0.0.0/28", "::/64")},
		"full and said": {Size: 13, Holders: held(13), Server: server, PoolSize: 14, Name: "80-container-vz", Wanted: prefixes("10.0.0.1/28")},
		"another file":  {Size: 1, Holders: held(1), Server: server, PoolSize: 1},
		"largest":       {Size: 1, Holders: held(1), Server: netip.MustParsePrefix("10.0.0.1/8"), PoolSize: 65536, Wanted: prefixes("10.0.0.1/8")},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.DHCP, facts.Pool, facts.Fixed = DHCP{Tried: true}, pool, name == "not needed"
			report := Examine(facts)
			golden(t, "pool-"+strings.Map(fileName, name), only(report, "dhcp")+"first: "+report.Failed+"\n")
		})
	}
}

// Each case has somebody else who has the container's address.
func TestExamineConflict(t *testing.T) {
	own := netip.MustParseAddr("10.0.0.2")
	for name, rival := range map[string]Holder{
		"lease":  {own, "02:00:00:00:00:05", "db", "its lease"},
		"fixed":  {own, "", "db", "its Address="},
		"static": {own, "02:00:00:00:00:05", "", "a [DHCPServerStaticLease]"},
		"in use": {own, "02:00:00:00:00:66", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.Rivals = []Holder{rival}
			report := Examine(facts)
			golden(t, "conflict-"+strings.Map(fileName, name), only(report, "conflict")+"first: "+report.Failed+"\n")
		})
	}
}
