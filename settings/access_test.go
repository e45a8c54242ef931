package settings

import (
	"fmt"
	"testing"
)

func TestAccess(t *testing.T) {
	for _, test := range []struct{ lines, host, zones, problem string }{
		{"HostAccess=yes", "{false []}", "[]", ""},
		{"HostAccess=no", "{true []}", "[]", ""},
		{"HostAccess=22 udp:53 tcp:8000-8010", "{true [{tcp 22 22} {udp 53 53} {tcp 8000 8010}]}", "[]", ""},
		{"HostAccess=22\nHostAccess=80", "{true [{tcp 80 80}]}", "[]", ""},
		{"HostAccess=", "{false []}", "[]", "error: HostAccess=: an empty value has no meaning here"},
		{"HostAccess=ssh", "{false []}", "[]", "error: HostAccess=ssh: not yes, no or ports: ssh is not a port from 1 to 65535"},
		{"HostAccess=icmp:1", "{false []}", "[]", "error: HostAccess=icmp:1: icmp is neither tcp nor udp"},
		{"HostAccess=9-8", "{false []}", "[]", "error: HostAccess=9-8: port 8 comes before 9"},
		{"HostAccess=5-9 7", "{false []}", "[]", "error: HostAccess=5-9 7: tcp:7 is there twice"},
		{"HostAccess=65535-65535", "{true [{tcp 65535 65535}]}", "[]", ""},
		{"ZoneAccess=db web\nZoneAccess=db\nZoneAccess=x y", "{false []}", "[db web x y]", ""},
		{"ZoneAccess=db\nZoneAccess=", "{false []}", "[]", ""},
		{"ZoneAccess=longer-than-12", "{false []}", "[]", "error: ZoneAccess=longer-than-12: longer-than-12 is not a valid zone name"},
		{"ZoneAccess=a\"b:c", "{false []}", "[]", `error: ZoneAccess=a"b:c: a"b:c is not a valid zone name`},
	} {
		s, problems := combined(t, "[Network]\n"+test.lines+"\n")
		got := joinProblems(problems)
		if fmt.Sprint(s.Network.HostAccess) != test.host || fmt.Sprint(s.Network.ZoneAccess) != test.zones ||
			(test.problem == "") != (got == "") || test.problem != "" && got != "/etc/systemd/nspawn/web.nspawn:2: "+test.problem {
			t.Errorf("%s: %v, %v, %s", test.lines, s.Network.HostAccess, s.Network.ZoneAccess, got)
		}
	}
}
