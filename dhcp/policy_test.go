package dhcp

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The address follows from the identifier alone: a server without memory gives it again.
func TestAddressIsStable(t *testing.T) {
	config := vethConfig()
	config.ServerAddress = netip.MustParsePrefix("10.1.0.1/16")
	for n := range 100 {
		first := obtain(t, newServer(t, config), start(), mac(n))
		if second := obtain(t, newServer(t, config), start().Add(time.Hour), mac(n)); first != second {
			t.Errorf("client %d: %v, then %v", n, first, second)
		}
	}
}

// systemd-networkd 252 gives this client the address 46 of a pool of 254: see TestNetworkdAddress in network/kernel/packet.
func TestClientHash(t *testing.T) {
	if got := clientHash("\x01\x02\x00\x00\x00\x00\x01") % 254; got != 46 {
		t.Errorf("%d", got)
	}
}

func TestClientIdentifier(t *testing.T) {
	server := newServer(t, vethConfig())
	plain := obtain(t, server, start(), mac(1))
	if same := obtain(t, server, start(), mac(1), calls("\x01\x02\x00\x00\x00\x00\x01")); same != plain {
		t.Errorf("hardware address as identifier: %v, without: %v", same, plain)
	}
	if same := obtain(t, server, start(), mac(1), calls("x")); same != plain {
		t.Errorf("identifier of one byte is not one (RFC 2132, section 9.14): %v and %v", same, plain)
	}
	named := obtain(t, server, start(), mac(1), calls("\xff1234"))
	if named == plain {
		t.Error("two identifiers have one address")
	}
	if other := obtain(t, server, start(), mac(2), calls("\xff1234")); other != named {
		t.Errorf("an identifier that changed its hardware address: %v, before %v", other, named)
	}
}

func TestRefusedClients(t *testing.T) {
	server := newServer(t, vethConfig())
	long := dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, make([]byte, 256))
	relay := dhcpv4.WithGeneric(dhcpv4.OptionRelayAgentInformation, make([]byte, 256))
	infiniband := func(d *dhcpv4.DHCPv4) { d.HWType = 32 }
	answer := func(d *dhcpv4.DHCPv4) { d.OpCode = dhcpv4.OpcodeBootReply }
	for name, request := range map[string]*dhcpv4.DHCPv4{
		"long identifier": ask(dhcpv4.MessageTypeDiscover, mac(1), long),
		"long option 82":  ask(dhcpv4.MessageTypeDiscover, mac(1), relay),
		"other hardware":  ask(dhcpv4.MessageTypeDiscover, mac(1), infiniband),
		"group address":   ask(dhcpv4.MessageTypeDiscover, HardwareAddr{0xff, 1}),
		"a reply":         ask(dhcpv4.MessageTypeDiscover, mac(1), answer),
	} {
		if reply, err := server.Reply(request, start()); reply != nil || err == nil {
			t.Errorf("%s: %v, %v", name, reply, err)
		}
	}
}

func TestHostName(t *testing.T) {
	for name, valid := range map[string]bool{
		"web": true, "web-1.example": true, "a": true, "WEB": true, "1": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "a..b": false, "a/b": false, "..": false, "a b": false, "a\n": false, "ü": false, "a_b": false,
		`a"b`: false, "%i": false, strings.Repeat("a", 64): false, strings.Repeat("ab.", 22): false,
	} {
		server := newServer(t, vethConfig())
		obtain(t, server, start(), mac(1), dhcpv4.WithOption(dhcpv4.OptHostName(name)))
		want := ""
		if valid {
			want = name
		}
		if got := leasesOf(server)[0].HostName; got != want {
			t.Errorf("%q was recorded as %q", name, got)
		}
	}
}

func TestLeaseTime(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0: time.Hour, time.Second: time.Minute, 2 * time.Hour: 2 * time.Hour, 13 * time.Hour: 12 * time.Hour, (1<<32 - 1) * time.Second: 12 * time.Hour,
	} {
		server := newServer(t, vethConfig())
		request := ask(dhcpv4.MessageTypeRequest, mac(1), selects("10.0.0.1"), wants("10.0.0.5"))
		if asked > 0 {
			request.UpdateOption(dhcpv4.OptIPAddressLeaseTime(asked))
		}
		ack, err := server.Reply(request, start())
		if err != nil {
			t.Fatal(err)
		}
		if got := ack.IPAddressLeaseTime(0); got != want {
			t.Errorf("asked for %v, got %v, want %v", asked, got, want)
		}
		if got := leasesOf(server)[0].Expires; !got.Equal(start().Add(want)) {
			t.Errorf("asked for %v, recorded until %v", asked, got)
		}
	}
}

func TestRapidCommit(t *testing.T) {
	rapid := dhcpv4.WithGeneric(dhcpv4.OptionRapidCommit, nil)
	for _, on := range []bool{true, false} {
		config := vethConfig()
		config.RapidCommit = on
		server := newServer(t, config)
		reply, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(1), rapid), start())
		if err != nil || (reply.MessageType() == dhcpv4.MessageTypeAck) != on || reply.Options.Has(dhcpv4.OptionRapidCommit) != on {
			t.Errorf("RapidCommit %v: %v, %v", on, reply, err)
		}
		if (len(leasesOf(server)) == 1) != on {
			t.Errorf("RapidCommit %v: leases %v", on, leasesOf(server))
		}
	}
}

func TestMaxLeases(t *testing.T) {
	config := vethConfig()
	config.MaxLeases = 2
	server := newServer(t, config)
	obtain(t, server, start(), mac(1))
	obtain(t, server, start(), mac(2))
	if reply, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(3)), start()); reply != nil || !errors.Is(err, ErrMaxLeases) {
		t.Errorf("third client: %v, %v", reply, err)
	}
	request := ask(dhcpv4.MessageTypeRequest, mac(3), selects("10.0.0.1"), wants("10.0.0.9"))
	if reply, err := server.Reply(request, start()); reply.MessageType() != dhcpv4.MessageTypeNak || !errors.Is(err, ErrMaxLeases) {
		t.Errorf("third client: %v, %v", reply, err)
	}
	obtain(t, server, start().Add(2*time.Hour), mac(3))
}

// A point-to-point link has one lease; whose it is when the machine at its end changes says Config.MaxLeases.
func TestPointToPoint(t *testing.T) {
	config := vethConfig()
	config.MaxLeases = 1
	server := newServer(t, config)
	address := obtain(t, server, start(), mac(1), calls("\xfffirst boot"))
	if got := obtain(t, server, start(), mac(1), calls("\xffsecond boot")); got != address {
		t.Errorf("with another identifier: %v, before %v", got, address)
	}
	if leases := leasesOf(server); len(leases) != 1 || leases[0].Client != "\xffsecond boot" {
		t.Errorf("leases %v", leases)
	}
	if reply, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(2)), start()); reply != nil || !errors.Is(err, ErrMaxLeases) {
		t.Errorf("a second machine: %v, %v", reply, err)
	}

	restarted := newServer(t, config)
	if err := restarted.Restore(leasesOf(server)[0], start()); err != nil {
		t.Fatal(err)
	}
	if got := obtain(t, restarted, start(), mac(2)); got != address {
		t.Errorf("another machine on the link: %v, before %v", got, address)
	}
	if reply, _ := restarted.Reply(ask(dhcpv4.MessageTypeDiscover, mac(3)), start()); reply != nil {
		t.Errorf("a third machine: %v", reply)
	}
}

func TestStaticLeases(t *testing.T) {
	config := vethConfig()
	config.PoolSize = 4
	config.StaticLeases = []StaticLease{
		{mac(1), netip.MustParseAddr("10.0.0.2"), "web"}, {mac(2), netip.MustParseAddr("10.0.0.12"), "db.example.com"},
	}
	server := newServer(t, config)
	for n := 3; n < 5; n++ {
		if got := obtain(t, server, start(), mac(n), wants("10.0.0.2")); got.String() == "10.0.0.2" {
			t.Error("the address of a static lease was given to another")
		}
	}
	if _, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(5)), start()); !errors.Is(err, ErrNoAddress) {
		t.Errorf("full pool: %v", err)
	}
	for n, want := range map[int]string{1: "10.0.0.2", 2: "10.0.0.12"} {
		if got := obtain(t, server, start(), mac(n)); got.String() != want {
			t.Errorf("static lease %d: %v", n, got)
		}
		server.Reply(ask(dhcpv4.MessageTypeRelease, mac(n), from(want)), start())
		if server.leases.vacant(number(netip.MustParseAddr(want))) {
			t.Errorf("%s is free for others after a release", want)
		}
	}
	offer, _ := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(1)), start())
	if got := offer.HostName(); got != "web" {
		t.Errorf("host name %q", got)
	}
	offer, _ = server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(2)), start())
	if got := string(offer.GetOneOption(dhcpv4.OptionFQDN)); got != "\x0c\x00\x00\x02db\x07example\x03com\x00" {
		t.Errorf("FQDN %q", got)
	}
}

// What PXE clients and those of RFC 8925 are told, byte for byte.
func TestBootAndVendorOptions(t *testing.T) {
	config := vethConfig()
	config.BootServerAddress, config.BootServerName, config.BootFilename = netip.MustParseAddr("192.0.2.69"), "boot.example", "http://x/y"
	config.IPv6OnlyPreferred = 30 * time.Minute
	config.SendOption = dhcpv4.Options{3: {10, 0, 0, 9}}
	config.SendVendorOption = dhcpv4.Options{2: []byte("b"), 1: {0, 1}}
	server := newServer(t, config)
	offer, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(1)), start())
	if err != nil || offer.ServerIPAddr.String() != "192.0.2.69" || offer.Options.Has(dhcpv4.OptionIPv6OnlyPreferred) {
		t.Errorf("%v, %v", offer, err)
	}
	for code, want := range map[uint8]string{66: "boot.example", 67: "http://x/y", 3: "\x0a\x00\x00\x09", 43: "\x01\x02\x00\x01\x02\x01b"} {
		if got := string(offer.Options[code]); got != want {
			t.Errorf("option %d is %q, want %q", code, got, want)
		}
	}
	ipv6Only := dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionIPv6OnlyPreferred)
	offer, _ = server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(2), ipv6Only), start())
	if got := string(offer.Options[108]); got != "\x00\x00\x07\x08" {
		t.Errorf("option 108 is %q", got)
	}
}

// Clocks that are set do not strand addresses.
func TestClockSetBack(t *testing.T) {
	server := newServer(t, vethConfig())
	obtain(t, server, start(), mac(1))
	back := start().Add(-365 * 24 * time.Hour)
	obtain(t, server, back, mac(2))
	for lease := range server.Leases() {
		if left := lease.Expires.Sub(back); left > MaxLeaseTime {
			t.Errorf("%v lasts for %v", lease, left)
		}
	}
}

func TestOffersExpire(t *testing.T) {
	server := newServer(t, vethConfig())
	for n := range 13 {
		if _, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(n)), start()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(99)), start()); !errors.Is(err, ErrNoAddress) {
		t.Errorf("all addresses offered: %v", err)
	}
	obtain(t, server, start().Add(offerTime*time.Second), mac(99))
	if n := server.leases.cells.count; n != 1 {
		t.Errorf("%d entries after all offers are over", n)
	}
}

// Random hardware addresses leave nothing behind but what fits in the pool.
func TestManyClients(t *testing.T) {
	config := vethConfig()
	config.ServerAddress = netip.MustParsePrefix("10.1.0.1/24")
	server := newServer(t, config)
	random := rand.New(rand.NewPCG(1, 2))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	now := start()
	for range 1_000_000 {
		now = now.Add(10 * time.Millisecond)
		hardware := mac(int(random.Int32()))
		name := dhcpv4.WithOption(dhcpv4.OptHostName(strings.Repeat("a", 63)))
		offer, _ := server.Reply(ask(dhcpv4.MessageTypeDiscover, hardware, name), now)
		if offer != nil && random.IntN(2) == 0 {
			server.Reply(ask(dhcpv4.MessageTypeRequest, hardware, name, wants(offer.YourIPAddr.String()), selects("10.1.0.1")), now)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 256<<10 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	checkTable(t, server.leases)
}

// checkTable checks what must always hold of a table.
func checkTable(t *testing.T, table *table) {
	t.Helper()
	leases, held := 0, 0
	for number := range table.cells.addresses() {
		e := table.at(number)
		if e.state == none {
			continue
		}
		if e.address != number || e.state != declined && table.of(e.client) != e {
			t.Errorf("%v: entry %+v is not found by its client", address(number), e)
		}
		waits := e.state != remembered
		if place := table.cells.at(number).place; waits && table.deadlines.addresses[place] != number {
			t.Errorf("%v: place %d in state %d", address(number), place, e.state)
		}
		if table.dynamic(number) && (!table.known.has(number-table.first) || table.held.has(number-table.first) != waits) {
			t.Errorf("%v: bitmaps disagree with state %d", address(number), e.state)
		}
		if e.state == bound {
			leases++
		}
		if waits {
			held++
		}
	}
	if leases != table.leases || held != table.deadlines.Len() || table.cells.count > int(table.size)+len(table.reserved) {
		t.Errorf("%d leases, counted %d; %d deadlines, counted %d; %d entries", table.leases, leases, table.deadlines.Len(), held, table.cells.count)
	}
}

func TestConfigErrors(t *testing.T) {
	address := netip.MustParseAddr
	for want, change := range map[string]func(*Config){
		"not an IPv4 address with prefix": func(c *Config) { c.ServerAddress = netip.MustParsePrefix("fd00::1/64") },
		"prefix length must be":           func(c *Config) { c.ServerAddress = netip.MustParsePrefix("10.0.0.1/31") },
		"not the address of a host":       func(c *Config) { c.ServerAddress = netip.MustParsePrefix("10.0.0.0/28") },
		"pool offset 15":                  func(c *Config) { c.PoolOffset = 15 },
		"pool of 15 addresses":            func(c *Config) { c.PoolSize = 15 },
		"do not fit together":             func(c *Config) { c.MaxLeaseTime = time.Minute },
		"32 bits of seconds":              func(c *Config) { c.MaxLeaseTime = 1 << 32 * time.Second },
		"is negative":                     func(c *Config) { c.MaxLeases = -1 },
		"Domain Name Server: fd00::1":     func(c *Config) { c.DNS = []netip.Addr{address("fd00::1")} },
		"options do not fit":              func(c *Config) { c.Domain = strings.Repeat("a", 250) },
		"option 51 is the server's own":   func(c *Config) { c.SendOption = dhcpv4.Options{51: {0}} },
		"10.0.0.1 cannot be given":        func(c *Config) { c.StaticLeases = []StaticLease{{mac(1), address("10.0.0.1"), ""}} },
		"192.0.2.1 cannot be given":       func(c *Config) { c.StaticLeases = []StaticLease{{mac(1), address("192.0.2.1"), ""}} },
		"another one has the same": func(c *Config) {
			c.StaticLeases = []StaticLease{{mac(1), address("10.0.0.2"), ""}, {mac(2), address("10.0.0.2"), ""}}
		},
		"is not a host name": func(c *Config) { c.StaticLeases = []StaticLease{{mac(1), address("10.0.0.2"), "a b"}} },
	} {
		config := vethConfig()
		change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ve-web") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
