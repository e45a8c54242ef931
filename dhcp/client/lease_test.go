package client

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	seconds := func(n byte) []byte { return []byte{0, 0, 0, n} }
	for name, test := range map[string]struct {
		options options
		want    [3]time.Duration // in seconds
	}{
		"lease only":   {options{optionLeaseTime: seconds(80)}, [3]time.Duration{40, 70, 80}},
		"all":          {options{optionLeaseTime: seconds(80), optionRenewal: seconds(10), optionRebinding: seconds(20)}, [3]time.Duration{10, 20, 80}},
		"late":         {options{optionLeaseTime: seconds(80), optionRenewal: seconds(90), optionRebinding: seconds(95)}, [3]time.Duration{40, 70, 80}},
		"crossed":      {options{optionLeaseTime: seconds(80), optionRenewal: seconds(30), optionRebinding: seconds(20)}, [3]time.Duration{20, 20, 80}},
		"early rebind": {options{optionLeaseTime: seconds(80), optionRebinding: seconds(30)}, [3]time.Duration{30, 30, 80}},
		"zero":         {options{optionLeaseTime: seconds(0)}, [3]time.Duration{1, 1, 2}},
	} {
		l := &Lease{}
		if err := l.setTimes(test.options, time.Hour); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := [3]time.Duration{l.Renew - time.Hour, l.Rebind - time.Hour, l.Ends - time.Hour}
		for i := range got {
			got[i] = got[i].Truncate(time.Second) / time.Second
		}
		if got != test.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	l := &Lease{}
	if err := l.setTimes(options{optionLeaseTime: {255, 255, 255, 255}}, time.Hour); err != nil || l.Renew != Never || l.Ends != Never || l.Left(time.Hour) != 0 {
		t.Errorf("for ever: %+v, %v", l, err)
	}
}

func TestRoutes(t *testing.T) {
	router := options{optionRouter: {10, 0, 0, 1, 10, 0, 0, 2}}
	for name, test := range map[string]struct {
		value []byte
		want  string
	}{
		"none":       {nil, "0.0.0.0/0 10.0.0.1"},
		"default":    {[]byte{0, 10, 0, 0, 9}, "0.0.0.0/0 10.0.0.9"},
		"several":    {[]byte{16, 172, 16, 10, 0, 0, 9, 32, 1, 2, 3, 4, 10, 0, 0, 8, 9, 10, 255, 0, 0, 0, 0}, "172.16.0.0/16 10.0.0.9, 1.2.3.4/32 10.0.0.8, 10.128.0.0/9 link"},
		"twice":      {[]byte{0, 10, 0, 0, 9, 0, 10, 0, 0, 9}, "0.0.0.0/0 10.0.0.9"},
		"cut off":    {[]byte{24, 172, 16, 10, 0, 0}, "0.0.0.0/0 10.0.0.1"},
		"too long":   {[]byte{33, 1, 2, 3, 4, 5, 10, 0, 0, 9}, "0.0.0.0/0 10.0.0.1"},
		"bad router": {[]byte{0, 127, 0, 0, 1}, "0.0.0.0/0 10.0.0.1"},
	} {
		o := options{optionRouter: router[optionRouter]}
		if test.value != nil {
			o[optionStaticRoutes] = test.value
		}
		l := &Lease{}
		l.setRoutes(o)
		var got []string
		for _, route := range l.Routes {
			gateway := "link"
			if route.Gateway.IsValid() {
				gateway = route.Gateway.String()
			}
			got = append(got, route.Destination.String()+" "+gateway)
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSearchList(t *testing.T) {
	domain := func(text string) options { return options{optionDomain: []byte(text)} }
	for name, test := range map[string]struct {
		options options
		want    []string
	}{
		"none":         {options{}, nil},
		"domain":       {domain("nspawn.internal"), []string{"nspawn.internal"}},
		"with end":     {domain("lan.\x00"), []string{"lan"}},
		"newline":      {domain("lan\nnameserver 1.2.3.4"), nil},
		"two":          {domain("a b"), nil},
		"empty label":  {domain("a..b"), nil},
		"hyphen":       {domain("-a"), nil},
		"long label":   {domain(strings.Repeat("a", 64)), nil},
		"search":       {options{optionSearch: []byte("\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04"), optionDomain: []byte("lan")}, []string{"eng.apple.com", "marketing.apple.com"}},
		"only pointer": {options{optionSearch: []byte("\x01a\x00\xc0\x00")}, []string{"a"}},
		"circle":       {options{optionSearch: []byte("\x01a\xc0\x00"), optionDomain: []byte("lan")}, []string{"lan"}},
		"forward":      {options{optionSearch: []byte("\xc0\x02\x01a\x00")}, nil},
		"cut off":      {options{optionSearch: []byte("\x05abc"), optionDomain: []byte("lan")}, []string{"lan"}},
		"bad one":      {options{optionSearch: []byte("\x03a\nb\x00\x01c\x00")}, []string{"c"}},
	} {
		if got := searchList(test.options); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Options may go on in the fields of names (option 52), and come in parts.
func TestOverload(t *testing.T) {
	message := make([]byte, optionsField)
	copy(message, []byte{bootReply, ethernet, 6})
	copy(message[cookieField:], []byte{0x63, 0x82, 0x53, 0x63})
	message = append(message, optionMessage, 1, ack, optionDNS, 2, 10, 0, optionOverload, 1, 3, optionEnd, 77)
	copy(message[fileField:], []byte{optionDNS, 2, 0, 1, optionEnd})
	copy(message[snameField:], []byte{optionPad, optionDNS, 4, 10, 0, 0, 2, optionEnd})
	r, err := parseReply(message)
	want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	if err != nil || r.kind != ack || !reflect.DeepEqual(r.options.addresses(optionDNS), want) {
		t.Errorf("%+v, %v", r, err)
	}
	for length := range len(message) - 2 {
		if _, err := parseReply(message[:length]); err == nil && length < optionsField {
			t.Errorf("%d bytes: no error", length)
		}
	}
	if _, err := parseReply(append(message[:optionsField:optionsField], optionDNS, 4, 10)); err == nil || err.Error() != "DHCP option 6 is cut off" {
		t.Error(err)
	}
}

// FuzzReceive gives whatever comes to a client in each state: nothing crashes it, and what it takes can be configured.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{optionMessage, 1, offer, optionServer, 4, 10, 0, 0, 1, optionLeaseTime, 4, 0, 0, 14, 16, optionSubnetMask, 4, 255, 255, 255, 0}, uint32(0x0a000005))
	f.Add([]byte{optionMessage, 1, ack, optionServer, 4, 10, 0, 0, 1, optionLeaseTime, 4, 0, 0, 0, 1, optionRapidCommit, 0, optionRouter, 4, 10, 0, 0, 1}, uint32(0x0a000005))
	f.Add([]byte{optionMessage, 1, nak, optionServer, 4, 10, 0, 0, 1}, uint32(0))
	f.Add([]byte{optionMessage, 1, ack, optionServer, 4, 10, 0, 0, 1, optionLeaseTime, 4, 255, 255, 255, 255, optionSearch, 6, 1, 'a', 0, 0xc0, 0, 0,
		optionStaticRoutes, 5, 0, 10, 0, 0, 1, optionDNS, 4, 10, 0, 0, 1, optionOverload, 1, 3}, uint32(0xc0a80102))
	f.Fuzz(func(t *testing.T, tail []byte, yiaddr uint32) {
		message := make([]byte, optionsField, optionsField+len(tail))
		copy(message, []byte{bootReply, ethernet, 6})
		copy(message[yiaddrField:], []byte{byte(yiaddr >> 24), byte(yiaddr >> 16), byte(yiaddr >> 8), byte(yiaddr)})
		copy(message[cookieField:], []byte{0x63, 0x82, 0x53, 0x63})
		message = append(message, tail...)
		lease := Lease{Address: netip.MustParsePrefix("10.0.0.5/24"), Server: netip.MustParseAddr("10.0.0.1"), Renew: 10, Rebind: 20, Ends: 30}
		for _, c := range []*Client{
			{State: Selecting, Attempt: 1}, {State: Requesting, Attempt: 1, Offer: &lease}, {State: Bound, Lease: &lease},
			{State: Renewing, Attempt: 1, Lease: &lease}, {State: Rebooting, Attempt: 1, Lease: &lease}, {State: Rebinding, Attempt: 1, Lease: &lease},
		} {
			before := c.State
			change, err := c.Receive(message, 5)
			if err != nil && (c.State != before || change != (Change{})) {
				t.Errorf("%s: %v, and %s", before, err, c.State)
			}
			if change.New != nil {
				checkLease(t, change.New)
			}
			if m, _ := c.Act(max(c.Due, 5), 1); m != nil && len(m.Payload) < minMessage {
				t.Errorf("%d bytes", len(m.Payload))
			}
		}
		_, _ = (&Client{State: Selecting, Attempt: 1}).Receive(tail, 5)
	})
}

func checkLease(t *testing.T, l *Lease) {
	t.Helper()
	if !l.Address.IsValid() || !ofHost(l.Address.Addr()) || l.Renew > l.Rebind || l.Rebind > l.Ends || l.Renew <= 0 {
		t.Errorf("%+v", l)
	}
	for _, route := range l.Routes {
		if route.Destination != route.Destination.Masked() || !route.Destination.Addr().Is4() {
			t.Errorf("%+v", route)
		}
	}
	for _, domain := range l.Search {
		if strings.ContainsAny(domain, " \n\t") || domain == "" {
			t.Errorf("%q", domain)
		}
	}
}
