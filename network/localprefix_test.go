package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestChoosePrefix(t *testing.T) {
	now := time.Unix(1e9, 0)
	const random = "abcde" + "fghij" + "klmno" + "pqrst" // four global IDs
	for _, test := range []struct {
		name                string
		global              string // of this host
		remembered          string // of ve-web
		others              string // remembered of other links
		carried, used, want string
		changed             bool
	}{
		{name: "first", want: "fd61:6263:6465:eb13::/64", changed: true},
		{name: "next", global: "fd00:1:2::/48", want: "fd00:1:2:eb13::/64", changed: true},
		{name: "remembered", global: "fd00:1:2::/48", remembered: "fd00:1:2:7::/64", want: "fd00:1:2:7::/64"},
		{name: "of an earlier global ID", global: "fd00:1:2::/48", remembered: "fd00:9:9:7::/64", want: "fd00:9:9:7::/64"},
		{name: "remembered clashes", global: "fd00:1:2::/48", remembered: "fd00:1:2:7::/64", used: "fd00:1:2:7::9/128",
			want: "fd00:1:2:eb13::/64", changed: true},
		{name: "taken", global: "fd00:1:2::/48", used: "fd00:1:2:eb13::/64", others: "fd00:1:2:eb14::/64",
			want: "fd00:1:2:eb15::/64", changed: true},
		{name: "wraps round", global: "fd00:1:2::/48", used: "fd00:1:2:8000::/49", want: "fd00:1:2::/64", changed: true},
		{name: "all taken", global: "fd00:1:2::/48", used: "fd00:1:2::/48", want: "fd61:6263:6465:eb13::/64", changed: true},
		{name: "wide routes mean nothing", global: "fd00:1:2::/48", used: "fc00::/7 ::/0 fd00::/32 10.0.0.0/8",
			want: "fd00:1:2:eb13::/64", changed: true},
		{name: "carried", global: "fd00:1:2::/48", carried: "fe80::1/64 10.0.0.1/28 fd77:1:2:3::1/64", want: "fd77:1:2:3::/64", changed: true},
		{name: "carried wins over remembered", global: "fd00:1:2::/48", remembered: "fd00:1:2:7::/64", carried: "fd77:1:2:3::1/64",
			want: "fd77:1:2:3::/64", changed: true},
		{name: "carries both", global: "fd00:1:2::/48", remembered: "fd00:1:2:7::/64", carried: "fd77:1:2:3::1/64 fd00:1:2:7::1/80",
			want: "fd00:1:2:7::/64"},
		{name: "carried is public", global: "fd00:1:2::/48", carried: "2001:db8::1/64", want: "fd00:1:2:eb13::/64", changed: true},
		{name: "nothing left", global: "fd00:1:2::/48",
			used: "fd00:1:2::/48 fd61:6263:6465::/48 fd66:6768:696a::/48 fd6b:6c6d:6e6f::/48", want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := LocalPrefixes{chosen: map[string]choice{}}
			if test.global != "" {
				s.global = netip.MustParsePrefix(test.global)
			}
			if test.remembered != "" {
				s.chosen["ve-web"] = choice{Subnet: netip.MustParsePrefix(test.remembered)}
			}
			for i, p := range prefixes(test.others) {
				s.chosen[fmt.Sprintf("ve-%d", i)] = choice{Subnet: p}
			}
			got, changed, err := s.Choose("ve-web", prefixes(test.carried), prefixes(test.used), strings.NewReader(random), now)
			if test.want == "" {
				if err == nil {
					t.Fatalf("got %v, want an error", got)
				}
				return
			}
			if err != nil || got.String() != test.want || changed != test.changed {
				t.Errorf("got %v, changed %v, %v; want %s, %v", got, changed, err, test.want, test.changed)
			}
		})
	}
	if _, _, err := (&LocalPrefixes{}).Choose("ve-web", nil, nil, strings.NewReader("abc"), now); err == nil {
		t.Error("a global ID of too few random bytes")
	}
}

// Many links never share a prefix, and a restart of the program changes nothing.
func TestChooseManyPrefixes(t *testing.T) {
	var s LocalPrefixes
	now := time.Unix(1e9, 0)
	given := map[netip.Prefix]bool{}
	for i := range 1000 {
		p, _, err := s.Choose(fmt.Sprintf("ve-%d", i), nil, nil, strings.NewReader("abcde"), now)
		if err != nil || given[p] {
			t.Fatalf("link %d: %v, %v", i, p, err)
		}
		given[p] = true
	}
	data, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var again LocalPrefixes
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		before, _ := s.Chosen(fmt.Sprintf("ve-%d", i))
		p, changed, err := again.Choose(fmt.Sprintf("ve-%d", i), nil, nil, nil, now)
		if p != before || changed || err != nil {
			t.Fatalf("link %d: %v before, %v after a restart (%v)", i, before, p, err)
		}
	}
}

func TestLocalPrefixesUnmarshal(t *testing.T) {
	const head = `{"version":1,"globalID":"fd00:1:2::/48","links":`
	for _, test := range []struct{ data, want string }{
		{head + `{"ve-a":{"subnet":"fd00:1:2:3::/64"}}}`, "fd00:1:2:3::/64"},
		{head + `{"ve-a":{"subnet":"fd00:1:2:3::1/64"}}}`, ""},
		{head + `{"ve-a":{"subnet":"fd00:1:2:3::/65"}}}`, ""},
		{head + `{"ve-a":{"subnet":"2001:db8::/64"}}}`, ""},
		{head + `{"ve-a":{"subnet":"192.168.1.0/28"}}}`, ""},
		{head + `{"ve-a":{}}}`, ""},
		{head + `{"../a":{"subnet":"fd00:1:2:3::/64"}}}`, ""},
		{head + `{"ve-a":{"subnet":"x"}}}`, "error"},
		{`{"version":2,"globalID":"fd00:1:2::/48"}`, "error"},
		{`{"version":1,"globalID":"fc00:1:2::/48"}`, "error"},
		{`{"version":1,"globalID":"fd00:1:2::/64"}`, "error"},
		{`{"version":1}`, "error"},
		{``, "error"},
	} {
		var s LocalPrefixes
		err := json.Unmarshal([]byte(test.data), &s)
		got := ""
		for _, c := range s.chosen {
			got = c.Subnet.String()
		}
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.data, got, test.want)
		}
	}
}
