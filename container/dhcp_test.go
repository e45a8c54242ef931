package container

import (
	"net/netip"
	"strings"
	"testing"

	"nspawnkit/settings"
)

// Which containers have a DHCP client, and on which link. The host has networkd-lite but where it is changed.
func TestDHCP(t *testing.T) {
	veth := func(s *settings.Settings) { s.Network.Private, s.Network.VirtualEthernet = true, true }
	pairs := []settings.InterfacePair{{Host: "eth0"}}
	for name, test := range map[string]struct {
		change func(*settings.Settings, *Host)
		want   string // the link, and what is special
	}{
		"veth":           {func(s *settings.Settings, _ *Host) { veth(s) }, "host0 sure keep names"},
		"zone":           {func(s *settings.Settings, _ *Host) { veth(s); s.Network.Zone = "app" }, "host0 sure keep names"},
		"bridge":         {func(s *settings.Settings, _ *Host) { veth(s); s.Network.Bridge = "br0" }, ""},
		"bridge, yes":    {func(s *settings.Settings, _ *Host) { veth(s); s.Network.Bridge, s.Network.DHCP = "br0", "yes" }, "host0 sure names"},
		"init":           {func(s *settings.Settings, _ *Host) { veth(s); s.Exec.Boot = true }, ""},
		"init, yes":      {func(s *settings.Settings, _ *Host) { veth(s); s.Exec.Boot, s.Network.DHCP = true, "yes" }, "host0 sure names"},
		"fixed":          {func(s *settings.Settings, _ *Host) { veth(s); s.Network.Address = []netip.Prefix{{}} }, ""},
		"no":             {func(s *settings.Settings, _ *Host) { veth(s); s.Network.DHCP = "no" }, ""},
		"host's network": {func(*settings.Settings, *Host) {}, ""},
		"joined":         {func(s *settings.Settings, _ *Host) { veth(s); s.Network.NamespacePath = "/run/netns/a" }, ""},
		"nobody":         {func(s *settings.Settings, h *Host) { veth(s); h.HasNetworkdLite = false }, ""},
		"nobody, yes":    {func(s *settings.Settings, h *Host) { veth(s); h.HasNetworkdLite, s.Network.DHCP = false, "yes" }, "host0 sure names"},
		"networkd":       {func(s *settings.Settings, h *Host) { veth(s); h.HasNetworkdLite, h.HasNetworkdLink = false, true }, "host0 keep names"},
		"macvlan":        {func(s *settings.Settings, _ *Host) { s.Network.Private, s.Network.MACVLAN = true, pairs }, ""},
		"macvlan, yes": {func(s *settings.Settings, _ *Host) {
			s.Network.Private, s.Network.MACVLAN, s.Network.DHCP = true, pairs, "yes"
		}, "mv-eth0 sure names"},
		"ipvlan, yes": {func(s *settings.Settings, _ *Host) {
			s.Network.Private, s.Network.IPVLAN, s.Network.DHCP = true, pairs, "yes"
		}, "iv-eth0 sure shared names"},
		"DNS=": {func(s *settings.Settings, _ *Host) {
			veth(s)
			s.Network.DNS = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		}, "host0 sure keep"},
		"ResolvConf=off": {func(s *settings.Settings, _ *Host) { veth(s); s.Exec.ResolvConf = "off" }, "host0 sure keep"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
				h.HasNetworkdLite, h.HasNetworkd = true, true
				test.change(s, h)
			})
			got := ""
			if d := plan.dhcp; d != nil {
				for _, word := range []struct {
					text string
					when bool
				}{{d.Link, true}, {"sure", d.Sure}, {"shared", d.Shared}, {"keep", d.KeepNames}, {"names", d.NameServers}} {
					if word.when {
						got += " " + word.text
					}
				}
			}
			if got = strings.TrimSpace(got); got != test.want || plan.Inside.DHCP != (got != "") {
				t.Errorf("%q, want %q", got, test.want)
			}
			if keep := strings.Contains(got, "keep names"); plan.Inside.KeepNameServers != keep {
				t.Errorf("keeps the image's name servers: %v", plan.Inside.KeepNameServers)
			}
		})
	}
}

func TestHasNameServers(t *testing.T) {
	for text, want := range map[string]bool{
		"":                         false,
		"nameserver 192.0.2.1\n":   true,
		"nameserver\t2001:db8::1":  true,
		"nameserver 127.0.0.53\n":  false,
		"nameserver ::1\n":         false,
		"# nameserver 192.0.2.1\n": false,
		"nameserver\nsearch lan\n": false,
		"nameserver 127.0.0.1\nnameserver 192.0.2.1\noptions edns0\n":   true,
		resolvConf([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, "a"): false,
	} {
		if got := hasNameServers(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDHCPHostName(t *testing.T) {
	for name, want := range map[string]string{"web": "web", "web.example.org": "web", strings.Repeat("a", 64): strings.Repeat("a", 63)} {
		if got := dhcpHostName(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
