package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func prefixes(text string) []netip.Prefix {
	var list []netip.Prefix
	for word := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParsePrefix(word))
	}
	return list
}

func TestChoose(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, test := range []struct {
		name                string
		remembered          string // of ve-web
		others              string // remembered of other links
		bits                int
		carried, used, want string
		changed             bool
	}{
		{name: "by name", bits: 28, want: "192.168.177.48/28", changed: true},
		{name: "by name, /24", bits: 24, want: "192.168.19.0/24", changed: true},
		{name: "remembered", remembered: "10.1.2.16/28", bits: 28, want: "10.1.2.16/28"},
		{name: "remembered in another size", remembered: "10.1.2.0/24", bits: 28, want: "192.168.177.48/28", changed: true},
		{name: "remembered clashes", remembered: "10.1.2.16/28", bits: 28, used: "10.1.0.0/16", want: "192.168.177.48/28", changed: true},
		{name: "default route is in nobody's way", bits: 28, used: "0.0.0.0/0", want: "192.168.177.48/28", changed: true},
		{name: "default route in halves", bits: 28, used: "0.0.0.0/1 128.0.0.0/1", want: "192.168.177.48/28", changed: true},
		{name: "IPv6 is in nobody's way", bits: 28, used: "fd00::/8 ::/0", want: "192.168.177.48/28", changed: true},
		{name: "address of the host", bits: 28, used: "192.168.177.50/24", want: "192.168.178.0/28", changed: true},
		{name: "host address only", bits: 28, used: "192.168.177.50/32", want: "192.168.177.64/28", changed: true},
		{name: "wraps round", bits: 28, used: "192.168.128.0/17", want: "192.168.0.0/28", changed: true},
		{name: "next pool", bits: 28, used: "192.168.0.0/16", want: "172.30.177.48/28", changed: true},
		{name: "next pool by a wider route", bits: 24, used: "192.0.0.0/8 172.16.0.0/12", want: "10.235.19.0/24", changed: true},
		{name: "carried", bits: 28, carried: "fe80::1/64 169.254.1.1/16 192.168.5.33/28", want: "192.168.5.32/28", changed: true},
		{name: "carried wins over remembered", remembered: "10.1.2.16/28", bits: 28, carried: "192.168.5.33/28", want: "192.168.5.32/28", changed: true},
		{name: "carries both", remembered: "10.1.2.16/28", bits: 28, carried: "192.168.5.33/28 10.1.2.17/28", want: "10.1.2.16/28"},
		{name: "carried clashes", bits: 28, carried: "192.168.5.33/28", used: "192.168.5.0/24", want: "192.168.177.48/28", changed: true},
		{name: "of a link that is away", bits: 28, others: "192.168.177.48/28", want: "192.168.177.64/28", changed: true},
		{name: "of links that are away, when nothing else is left", bits: 24, others: "10.0.0.0/8",
			used: "192.168.0.0/16 172.16.0.0/12", want: "10.235.19.0/24", changed: true},
		{name: "a pool as a whole", bits: 8, want: "10.0.0.0/8", changed: true},
		{name: "nothing free", bits: 28, used: "192.168.0.0/16 172.16.0.0/12 10.0.0.0/8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Subnets{chosen: map[string]choice{}}
			if test.remembered != "" {
				s.chosen["ve-web"] = choice{Subnet: netip.MustParsePrefix(test.remembered)}
			}
			for i, p := range prefixes(test.others) {
				s.chosen[fmt.Sprintf("ve-%d", i)] = choice{Subnet: p}
			}
			got, changed, err := s.Choose("ve-web", test.bits, prefixes(test.carried), prefixes(test.used), now)
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
}

// Many links never share addresses, and a restart of the program changes nothing.
func TestChooseMany(t *testing.T) {
	var s Subnets
	now := time.Unix(1e9, 0)
	var given []netip.Prefix
	for i := range 1000 {
		p, _, err := s.Choose(fmt.Sprintf("ve-%d", i), 28, nil, given, now)
		if err != nil || overlapsAny(p, given) {
			t.Fatalf("link %d: %v, %v", i, p, err)
		}
		given = append(given, p)
	}
	data, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var again Subnets
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		p, changed, err := again.Choose(fmt.Sprintf("ve-%d", i), 28, nil, nil, now)
		if p != given[i] || changed || err != nil {
			t.Fatalf("link %d: %v before, %v after a restart (%v)", i, given[i], p, err)
		}
	}
}

func TestSubnetsForget(t *testing.T) {
	s := Subnets{chosen: map[string]choice{}}
	for i := range maxRemembered + 9 {
		s.chosen[fmt.Sprintf("ve-%d", i)] = choice{Used: time.Unix(int64(i), 0)}
	}
	if _, _, err := s.Choose("ve-new", 28, nil, nil, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	_, oldest := s.chosen["ve-9"]
	_, newer := s.chosen["ve-10"]
	_, newest := s.chosen["ve-new"]
	if len(s.chosen) != maxRemembered || oldest || !newer || !newest {
		t.Errorf("%d remembered, oldest %v, newer %v, newest %v", len(s.chosen), oldest, newer, newest)
	}
}

func TestSubnetsUnmarshal(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{`{"version":1,"links":{"ve-a":{"subnet":"192.168.1.0/28"}}}`, "192.168.1.0/28"},
		{`{"version":1,"links":{"ve-a":{"subnet":"192.168.1.1/28"}}}`, ""},
		{`{"version":1,"links":{"ve-a":{"subnet":"8.8.8.0/28"}}}`, ""},
		{`{"version":1,"links":{"ve-a":{"subnet":"fd00::/64"}}}`, ""},
		{`{"version":1,"links":{"ve-a":{"subnet":"10.0.0.0/31"}}}`, ""},
		{`{"version":1,"links":{"ve-a":{}}}`, ""},
		{`{"version":1,"links":{"../a":{"subnet":"192.168.1.0/28"}}}`, ""},
		{`{"version":2}`, "error"},
		{`{"version":1,"links":{"ve-a":{"subnet":"x"}}}`, "error"},
		{``, "error"},
	} {
		var s Subnets
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
