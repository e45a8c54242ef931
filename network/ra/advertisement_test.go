package ra

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// full says all that an advertisement can.
func full() *Advertisement {
	return &Advertisement{
		HopLimit: 64, Managed: true, Other: true, Preference: High, RouterLifetime: 30 * time.Minute,
		ReachableTime: 2500 * time.Millisecond, RetransTimer: time.Second, HomeAgent: &HomeAgent{Preference: 7, Lifetime: time.Hour},
		LinkLayerAddress: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500,
		Prefixes: []Prefix{
			{Prefix: netip.MustParsePrefix("fd00:1:2:3::/64"), OnLink: true, Autonomous: true, Preferred: 30 * time.Minute, Valid: time.Hour},
			{Prefix: netip.MustParsePrefix("2001:db8::1/48"), Preferred: time.Minute, Valid: (1<<32 - 1) * time.Second},
		},
		Routes:  []Route{{Prefix: netip.MustParsePrefix("2001:db8:1::/56"), Preference: Low, Lifetime: time.Hour}},
		PREF64:  []PREF64{{Prefix: netip.MustParsePrefix("64:ff9b::/96"), Lifetime: 30 * time.Minute}},
		DNS:     []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::53")},
		Domains: []string{"example.com", "example.org"}, DNSLifetime: time.Hour,
	}
}

// Each message in the golden file is followed by what another implementation of the codec reads in it.
func TestMarshal(t *testing.T) {
	noRouter := full()
	noRouter.RouterLifetime = 0
	var b strings.Builder
	for _, test := range []struct {
		name string
		a    *Advertisement
	}{{"full", full()}, {"empty", &Advertisement{}}, {"no default router", noRouter}, {"final", full().Final()}} {
		message, err := test.a.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		parsed, err := ndp.ParseMessage(message)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		read := parsed.(*ndp.RouterAdvertisement)
		options := read.Options
		read.Options = nil
		fmt.Fprintf(&b, "%s\n%s%+v\n", test.name, hex.Dump(message), *read)
		for _, o := range options {
			fmt.Fprintf(&b, "%T %+v\n", o, o)
		}
		b.WriteString("\n")
	}
	const golden = "testdata/messages.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs; got:\n%s", golden, b.String())
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, change := range map[string]func(a *Advertisement){
		"too long":        func(a *Advertisement) { a.Prefixes = make([]Prefix, 50) },
		"too many names":  func(a *Advertisement) { a.Domains = make([]string, 2000) },
		"a long lifetime": func(a *Advertisement) { a.PREF64[0].Lifetime = 20 * time.Hour },
	} {
		a := full()
		a.Prefixes[0].Prefix = netip.MustParsePrefix("fd00::/64")
		change(a)
		for i := range a.Prefixes {
			a.Prefixes[i].Prefix = netip.MustParsePrefix("fd00::/64")
		}
		if message, err := a.Marshal(); err == nil {
			t.Errorf("%s: %d bytes", name, len(message))
		}
	}
}
