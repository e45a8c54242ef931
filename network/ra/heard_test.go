package ra

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// What is sent is what is heard.
func TestParseAdvertisement(t *testing.T) {
	source := netip.MustParseAddr("fe80::1")
	sent := &Advertisement{
		HopLimit: 64, RouterLifetime: 30 * time.Minute, MTU: 1500, Domains: []string{"example.com"}, DNSLifetime: time.Hour,
		Prefixes: []Prefix{
			{Prefix: netip.MustParsePrefix("fd00:1::/64"), OnLink: true, Autonomous: true, Preferred: time.Minute, Valid: time.Hour},
			{Prefix: netip.MustParsePrefix("2001:db8::/48")},
		},
		DNS: []netip.Addr{netip.MustParseAddr("fd00:1::1"), source},
	}
	message, err := sent.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := &Advertisement{RouterLifetime: sent.RouterLifetime, Prefixes: sent.Prefixes, DNS: sent.DNS, DNSLifetime: sent.DNSLifetime}
	if got, err := ParseAdvertisement(message, source); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	message, err = sent.Final().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseAdvertisement(message, source); err != nil || got.RouterLifetime != 0 || got.DNS != nil {
		t.Errorf("of a router that goes: %+v, %v", got, err)
	}
}

func TestParseAdvertisementRefused(t *testing.T) {
	linkLocal := netip.MustParseAddr("fe80::1")
	message := func(options ...byte) []byte { return append([]byte{134, 0, 15: 0}, options...) }
	for _, test := range []struct {
		name    string
		message []byte
		source  netip.Addr
		ok      bool
	}{
		{"plain", message(), linkLocal, true},
		{"an unknown option", message(200, 1, 0, 0, 0, 0, 0, 0), linkLocal, true},
		{"a global source", message(), netip.MustParseAddr("2001:db8::1"), false},
		{"a source of IPv4", message(), netip.MustParseAddr("169.254.0.1"), false},
		{"no source", message(), netip.Addr{}, false},
		{"empty", nil, linkLocal, false},
		{"short", message()[:15], linkLocal, false},
		{"a solicitation", append([]byte{133}, message()[1:]...), linkLocal, false},
		{"a code", append([]byte{134, 1}, message()[2:]...), linkLocal, false},
		{"an option without a length", message(1, 0, 0, 0, 0, 0, 0, 0), linkLocal, false},
		{"half an option", message(3, 4, 64, 0), linkLocal, false},
	} {
		if _, err := ParseAdvertisement(test.message, test.source); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A prefix that is longer than an address is none.
func TestParseAdvertisementPrefix(t *testing.T) {
	for bits, want := range map[byte]int{64: 1, 128: 1, 129: 0, 255: 0} {
		message := append([]byte{134, 0, 15: 0}, []byte{3, 4, bits, 0xc0, 31: 0}...)
		heard, err := ParseAdvertisement(message, netip.MustParseAddr("fe80::1"))
		if err == nil && len(heard.Prefixes) != want || err != nil && want > 0 {
			t.Errorf("/%d: %+v, %v", bits, heard, err)
		}
	}
}

// Whatever comes, nothing breaks, and what is heard are addresses.
func FuzzParseAdvertisement(f *testing.F) {
	f.Add([]byte{134, 0, 15: 0})
	f.Add([]byte{134, 0, 15: 0, 16: 25, 17: 1, 23: 0})
	source := netip.MustParseAddr("fe80::1")
	f.Fuzz(func(t *testing.T, message []byte) {
		heard, err := ParseAdvertisement(message, source)
		if err != nil {
			return
		}
		for _, p := range heard.Prefixes {
			if !p.Prefix.IsValid() || !p.Prefix.Addr().Is6() {
				t.Errorf("prefix %v", p.Prefix)
			}
		}
		for _, server := range heard.DNS {
			if !server.Is6() {
				t.Errorf("DNS server %v", server)
			}
		}
	})
}
