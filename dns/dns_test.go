package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// hosts are containers by name.
type hosts map[string][]netip.Addr

func (h hosts) Addresses(name string) ([]netip.Addr, bool) { a, found := h[name]; return a, found }

func (h hosts) Name(address netip.Addr) (string, bool) {
	for name, addresses := range h {
		if slices.Contains(addresses, address) {
			return name, true
		}
	}
	return "", false
}

func testZone() *Zone {
	address := netip.MustParseAddr
	return &Zone{
		Suffix:  DefaultSuffix,
		Self:    []netip.Addr{address("10.0.0.1"), address("fd00::1")},
		Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.1.2.0/28"), netip.MustParsePrefix("fd00::/64")},
		Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fe80::/10")},
		Hosts: hosts{
			"web": {address("10.0.0.5"), address("fd00::5")},
			"new": nil,
			"a.b": {address("10.0.0.6")},
		},
	}
}

// question writes a query.
func question(name string, kind dnsmessage.Type, change ...func(*dnsmessage.Message)) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	for _, c := range change {
		c(&m)
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func withEDNS(size, version int) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: dnsmessage.Class(size), TTL: uint32(version) << 16}
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
	}
}

// told reads a reply in a line.
func told(t *testing.T, reply []byte) string {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("reply %x: %v", reply, err)
	}
	if m.ID != 4711 || !m.Response {
		t.Errorf("header %v", m.Header)
	}
	parts := []string{strings.TrimPrefix(m.RCode.String(), "RCode")}
	for _, r := range m.Answers {
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			parts = append(parts, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			parts = append(parts, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.PTRResource:
			parts = append(parts, body.PTR.String())
		}
	}
	for _, r := range m.Authorities {
		parts = append(parts, "SOA of "+r.Header.Name.String())
	}
	for _, r := range m.Additionals {
		parts = append(parts, fmt.Sprintf("EDNS %d %v", r.Header.Class, r.Header.ExtendedRCode(m.RCode)))
	}
	if m.Truncated {
		parts = append(parts, "truncated")
	}
	return strings.Join(parts, " ")
}

const forwarded = "forwarded"

// answered is what becomes of a query.
func answered(t *testing.T, z *Zone, message []byte) string {
	t.Helper()
	q, err := ParseQuery(message)
	if err != nil {
		return "ignored"
	}
	var reply []byte
	if q.RCode != 0 {
		reply, err = q.Refuse(nil, q.RCode)
	} else if answer, ok := z.Answer(&q); ok {
		reply, err = q.Reply(nil, z, answer, q.UDPSize)
	} else {
		return forwarded
	}
	if err != nil {
		t.Fatal(err)
	}
	return told(t, reply)
}

func TestAnswer(t *testing.T) {
	const a, aaaa, ptr, txt, all = dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeTXT, dnsmessage.TypeALL
	const soa, none = "Success SOA of nspawn.internal.", "NameError SOA of nspawn.internal."
	for _, test := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"web.", a, "Success 10.0.0.5"},
		{"WEB.", aaaa, "Success fd00::5"},
		{"web.", all, "Success 10.0.0.5 fd00::5"},
		{"web.", txt, "Success SOA of web."},
		{"web.nspawn.internal.", a, "Success 10.0.0.5"},
		{"Web.Nspawn.INTERNAL.", a, "Success 10.0.0.5"},
		{"new.nspawn.internal.", a, soa},
		{"db.nspawn.internal.", a, none},
		{"x.web.nspawn.internal.", a, none},
		{"nspawn.internal.", a, soa},
		{"nspawn.internal.", dnsmessage.TypeNS, soa},
		{"internal.", a, forwarded},
		{"xnspawn.internal.", a, forwarded},
		{"a.b.nspawn.internal.", a, "Success 10.0.0.6"},
		{"a.b.", a, forwarded}, // a container must not stand for a name of the world
		{"db.", a, forwarded},
		{"example.com.", a, forwarded},
		{".", dnsmessage.TypeNS, forwarded},
		{"_gateway.", a, "Success 10.0.0.1"},
		{"host.", aaaa, "Success fd00::1"},
		{"host.nspawn.internal.", a, "Success 10.0.0.1"},
		{"localhost.", a, "Success 127.0.0.1"},
		{"x.LOCALHOST.", aaaa, "Success ::1"},
		{"5.0.0.10.in-addr.arpa.", ptr, "Success web.nspawn.internal."},
		{"5.0.0.10.in-addr.arpa.", a, "Success SOA of 5.0.0.10.in-addr.arpa."},
		{"9.0.0.10.in-addr.arpa.", ptr, "NameError SOA of 9.0.0.10.in-addr.arpa."},
		{"1.0.0.10.in-addr.arpa.", ptr, "Success _gateway."},
		{"0.0.10.in-addr.arpa.", dnsmessage.TypeSOA, "Success SOA of 0.0.10.in-addr.arpa."},
		{"x.5.0.0.10.in-addr.arpa.", ptr, "NameError SOA of x.5.0.0.10.in-addr.arpa."},
		{"0.10.in-addr.arpa.", ptr, forwarded}, // others have parts of it
		{"2.1.10.in-addr.arpa.", ptr, forwarded},
		{"3.2.1.10.in-addr.arpa.", ptr, "NameError SOA of 3.2.1.10.in-addr.arpa."},
		{"x.10.in-addr.arpa.", ptr, forwarded},
		{"8.8.8.8.in-addr.arpa.", ptr, forwarded},
		{"300.0.0.10.in-addr.arpa.", ptr, "NameError SOA of 300.0.0.10.in-addr.arpa."},
		{"1.0.0.127.in-addr.arpa.", ptr, "Success localhost."},
		{"in-addr.arpa.", ptr, forwarded},
		{"5." + strings.Repeat("0.", 28) + "0.d.f.ip6.arpa.", ptr, "Success web.nspawn.internal."},
		{strings.Repeat("0.", 14) + "d.f.ip6.arpa.", ptr, "Success SOA of " + strings.Repeat("0.", 14) + "d.f.ip6.arpa."},
		{"d.f.ip6.arpa.", ptr, forwarded},
	} {
		if got := answered(t, testZone(), question(test.name, test.kind)); got != test.want {
			t.Errorf("%s %v: %s, want %s", test.name, test.kind, got, test.want)
		}
	}
}

func TestQueries(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*dnsmessage.Message)
		want   string
	}{
		"EDNS":          {withEDNS(1232, 0), "Success 10.0.0.5 EDNS 1232 RCodeSuccess"},
		"EDNS version":  {withEDNS(1232, 1), "Success EDNS 1232 16"},
		"EDNS twice":    {func(m *dnsmessage.Message) { withEDNS(1232, 0)(m); withEDNS(1232, 0)(m) }, "FormatError EDNS 1232 RCodeFormatError"},
		"reply":         {func(m *dnsmessage.Message) { m.Response = true }, "ignored"},
		"opcode":        {func(m *dnsmessage.Message) { m.OpCode = 5 }, "NotImplemented"},
		"no question":   {func(m *dnsmessage.Message) { m.Questions = nil }, "FormatError"},
		"two questions": {func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, "FormatError"},
		"class CH":      {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, "Refused"},
		"transfer":      {func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAXFR }, "Refused"},
		"answer": {func(m *dnsmessage.Message) {
			h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}
			m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{}}}
		}, "FormatError"},
	} {
		if got := answered(t, testZone(), question("web.", dnsmessage.TypeA, test.change)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if got := answered(t, testZone(), []byte{1, 2, 3}); got != "ignored" {
		t.Errorf("three bytes: %s", got)
	}
}

// A container with many addresses: what does not fit is asked for again over TCP.
func TestTruncated(t *testing.T) {
	z := testZone()
	many := hosts{}
	for i := range 100 {
		many["web"] = append(many["web"], netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}))
	}
	z.Hosts = many
	if got := answered(t, z, question("web.", dnsmessage.TypeA)); got != "Success truncated" {
		t.Error(got)
	}
	if got := answered(t, z, question("web.", dnsmessage.TypeA, withEDNS(4096, 0))); strings.Count(got, "10.0.0.") != 100 || strings.Contains(got, "truncated") {
		t.Error(got)
	}
}

func TestMayAsk(t *testing.T) {
	z := testZone()
	for client, want := range map[string]bool{"10.0.0.5": true, "::ffff:10.0.0.5": true, "fe80::1%eth0": true, "10.0.1.5": false, "8.8.8.8": false} {
		if got := z.MayAsk(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s: %v", client, got)
		}
	}
}

// What is answered here costs few allocations.
func TestAllocations(t *testing.T) {
	z, message, buffer := testZone(), question("web.nspawn.internal.", dnsmessage.TypeA, withEDNS(1232, 0)), make([]byte, 0, 1500)
	allocations := testing.AllocsPerRun(100, func() {
		q, _ := ParseQuery(message)
		answer, _ := z.Answer(&q)
		if _, err := q.Reply(buffer, z, answer, q.UDPSize); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 4 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkAnswer(b *testing.B) {
	z, message, buffer := testZone(), question("web.nspawn.internal.", dnsmessage.TypeA, withEDNS(1232, 0)), make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		q, _ := ParseQuery(message)
		answer, _ := z.Answer(&q)
		q.Reply(buffer, z, answer, q.UDPSize)
	}
}
