package manager

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
)

// serverOf reads a [DHCPServer] section and returns the configuration of its server at 10.0.0.1/24.
func serverOf(t *testing.T, text string, host network.Host) (dhcp.Config, string) {
	t.Helper()
	root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte(text)}}
	files, problems := network.ReadFiles(root, network.SearchPath())
	if len(files) != 1 || len(files[0].Problems)+len(problems) > 0 {
		t.Fatalf("%q: %v", text, problems)
	}
	config, unfit := serverConfig(network.Link{Name: "vz-app"}, netip.MustParsePrefix("10.0.0.1/24"), &files[0].Config.Server, host)
	return config, fmt.Sprint(unfit)
}

func TestServerConfig(t *testing.T) {
	address := netip.MustParseAddr
	host := network.Host{DNS: []netip.Addr{address("192.0.2.53")}, NTP: []netip.Addr{address("192.0.2.123")}, Timezone: "Europe/Berlin", Domain: "example.com"}
	for text, want := range map[string]string{
		"":                             "router 10.0.0.1 DNS [192.0.2.53] NTP [192.0.2.123] SIP [] POP3 [] domain  zone Europe/Berlin",
		"UplinkInterface=:none":        "router 10.0.0.1 DNS [192.0.2.53] NTP [] SIP [] POP3 [] domain  zone Europe/Berlin",
		"EmitDNS=no\nEmitNTP=no":       "router 10.0.0.1 DNS [] NTP [] SIP [] POP3 [] domain  zone Europe/Berlin",
		"DNS=_server_address 9.9.9.9":  "router 10.0.0.1 DNS [10.0.0.1 9.9.9.9] NTP [192.0.2.123] SIP [] POP3 [] domain  zone Europe/Berlin",
		"NTP=9.9.9.9\nPOP3=9.9.9.8":    "router 10.0.0.1 DNS [192.0.2.53] NTP [9.9.9.9] SIP [] POP3 [9.9.9.8] domain  zone Europe/Berlin",
		"EmitRouter=no\nTimezone=UTC":  "router invalid IP DNS [192.0.2.53] NTP [192.0.2.123] SIP [] POP3 [] domain  zone UTC",
		"EmitDomain=yes":               "router 10.0.0.1 DNS [192.0.2.53] NTP [192.0.2.123] SIP [] POP3 [] domain example.com zone Europe/Berlin",
		"EmitDomain=yes\nDomain=a.b":   "router 10.0.0.1 DNS [192.0.2.53] NTP [192.0.2.123] SIP [] POP3 [] domain a.b zone Europe/Berlin",
		"Domain=a.b\nEmitTimezone=no":  "router 10.0.0.1 DNS [192.0.2.53] NTP [192.0.2.123] SIP [] POP3 [] domain  zone ",
		"SIP=9.9.9.9\nRouter=10.0.0.2": "router 10.0.0.2 DNS [192.0.2.53] NTP [192.0.2.123] SIP [9.9.9.9] POP3 [] domain  zone Europe/Berlin",
	} {
		c, _ := serverOf(t, "[DHCPServer]\n"+text, host)
		got := fmt.Sprintf("router %v DNS %v NTP %v SIP %v POP3 %v domain %s zone %s", c.Router, c.DNS, c.NTP, c.SIP, c.POP3, c.Domain, c.Timezone)
		if got != want {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
}

// A static lease that does not fit the subnet is a problem of its own: the server runs with the others.
func TestStaticLeaseOutside(t *testing.T) {
	c, problems := serverOf(t, "[DHCPServer]\nIPv6OnlyPreferredSec=30min\n"+
		"[DHCPServerStaticLease]\nMACAddress=02:00:00:00:00:01\nAddress=10.0.1.5\n"+
		"[DHCPServerStaticLease]\nMACAddress=02:00:00:00:00:02\nAddress=10.0.0.5\nHostname=db\n"+
		"[DHCPServerStaticLease]\nMACAddress=02:00:00:00:00:03\nAddress=10.0.0.1\n"+
		"[DHCPServerStaticLease]\nMACAddress=02:00:00:00:00:04\nAddress=10.0.0.255\n", network.Host{})
	want := "[/etc/systemd/network/a.network:3: warning: [DHCPServerStaticLease] not in effect: 10.0.1.5 is not the address of a client in 10.0.0.0/24" +
		" /etc/systemd/network/a.network:10: warning: [DHCPServerStaticLease] not in effect: 10.0.0.1 is not the address of a client in 10.0.0.0/24" +
		" /etc/systemd/network/a.network:13: warning: [DHCPServerStaticLease] not in effect: 10.0.0.255 is not the address of a client in 10.0.0.0/24]"
	if problems != want {
		t.Errorf("problems %s\nwant %s", problems, want)
	}
	if len(c.StaticLeases) != 1 || c.StaticLeases[0].Hostname != "db" || c.IPv6OnlyPreferred != 30*time.Minute {
		t.Errorf("%+v", c)
	}
	if _, err := dhcp.New(c); err != nil {
		t.Error(err)
	}
}

func TestContainersOf(t *testing.T) {
	machines := network.Machines{
		{Name: "web", Links: []network.MachineLink{
			{Host: "vb-web", Container: "host0", ContainerMAC: "02:00:00:00:00:01", Bridge: "vz-app"},
			{Host: "ve-x", Container: "x", ContainerMAC: "02:00:00:00:00:02"},
			{Host: "vb-y", Container: "y", ContainerMAC: "02:00:00:00:00:03", Bridge: "vz-app"},
		}},
		{Name: "db", Links: []network.MachineLink{{Host: "vb-db", Container: "host0", ContainerMAC: "02:00:00:00:00:04", Bridge: "vz-other"}}},
		{Name: "odd", Links: []network.MachineLink{{Host: "vb-odd", ContainerMAC: "odd", Bridge: "vz-app"}}},
	}
	if got := fmt.Sprint(containersOf("vz-app", machines)); got != "map[02:00:00:00:00:01:web 02:00:00:00:00:03:web/y]" {
		t.Error(got)
	}
}
