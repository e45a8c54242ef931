package container

import (
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
)

func TestResolvConf(t *testing.T) {
	const static, uplink = "/usr/lib/systemd/resolv.conf", "/run/systemd/resolve/resolv.conf"
	for _, test := range []struct {
		mode                   string
		private, readOnly      bool
		file, stub             bool
		wantAction, wantSource string
	}{
		{"auto", false, false, true, false, "copy", hostResolvConf},
		{"", false, false, true, false, "copy", hostResolvConf},
		{"auto", false, true, true, false, "bind", hostResolvConf},
		{"auto", false, false, true, true, "copy", stubResolvConf},
		{"auto", false, true, false, true, "bind", stubResolvConf},
		{"auto", false, false, false, false, "delete", ""},
		{"auto", false, true, false, false, "", ""},
		{"auto", true, false, true, true, "", ""},
		{"off", false, false, true, true, "", ""},
		{"delete", true, true, true, true, "delete", ""},
		{"copy-host", true, false, true, true, "copy", hostResolvConf},
		{"copy-static", true, false, true, true, "copy", static},
		{"copy-uplink", true, false, true, true, "copy", uplink},
		{"copy-stub", true, false, true, false, "copy", stubResolvConf},
		{"replace-host", true, true, true, true, "replace", hostResolvConf},
		{"replace-static", true, false, true, true, "replace", static},
		{"replace-uplink", true, false, true, true, "replace", uplink},
		{"replace-stub", true, false, true, true, "replace", stubResolvConf},
		{"bind-host", true, false, true, true, "bind", hostResolvConf},
		{"bind-static", true, false, true, true, "bind", static},
		{"bind-uplink", true, false, true, true, "bind", uplink},
		{"bind-stub", true, false, true, true, "bind", stubResolvConf},
	} {
		plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
			set(s, "Exec.ResolvConf")
			s.Exec.ResolvConf, s.Network.Private, s.Files.ReadOnly = test.mode, test.private, test.readOnly
			h.HasResolvConf, h.HasStubResolver = test.file, test.stub
		})
		got := plan.Inside.ResolvConf
		if got == nil {
			got = &EtcFile{Origin: "/etc/systemd/nspawn/web.nspawn:7"}
		}
		if got.Action != test.wantAction || got.Source != test.wantSource || got.Origin != "/etc/systemd/nspawn/web.nspawn:7" {
			t.Errorf("%+v: got %+v", test, got)
		}
	}
}

func TestTimezone(t *testing.T) {
	link, file, elsewhere := Localtime{true, true, "Europe/Berlin"}, Localtime{Exists: true}, Localtime{Exists: true, Link: true}
	for _, test := range []struct {
		mode               string
		readOnly           bool
		host               Localtime
		want, zone, warned string
	}{
		{"auto", false, link, "symlink", "Europe/Berlin", ""},
		{"", false, link, "symlink", "Europe/Berlin", ""},
		{"auto", false, file, "replace", "", ""},
		{"auto", false, Localtime{}, "delete", "", ""},
		{"auto", false, elsewhere, "", "", "web.nspawn:7: the host's /etc/localtime is not a link into /usr/share/zoneinfo"},
		{"auto", true, link, "bind", "", ""},
		{"auto", true, file, "bind", "", ""},
		{"auto", true, Localtime{}, "", "", ""},
		{"off", false, link, "", "", ""},
		{"copy", true, link, "replace", "", ""},
		{"bind", false, link, "bind", "", ""},
		{"symlink", true, link, "symlink", "Europe/Berlin", ""},
		{"symlink", false, file, "", "", "web.nspawn:7: the host's /etc/localtime"},
		{"symlink", false, Localtime{}, "", "", "web.nspawn:7: the host's /etc/localtime"},
		{"delete", false, link, "delete", "", ""},
	} {
		plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
			set(s, "Exec.Timezone")
			s.Exec.Timezone, s.Files.ReadOnly, h.Localtime = test.mode, test.readOnly, test.host
		})
		got := plan.Inside.Timezone
		if got == nil {
			got = &EtcFile{Source: hostLocaltime}
		}
		if got.Action != test.want || got.Zone != test.zone || (got.Source == "") != (test.want == "delete") {
			t.Errorf("%+v: got %+v", test, got)
		}
		if warnings := strings.Join(plan.Warnings, "\n"); (warnings != "") != (test.warned != "") || !strings.Contains(warnings, test.warned) {
			t.Errorf("%+v: warnings %q", test, warnings)
		}
	}
}

func TestZoneOf(t *testing.T) {
	for target, want := range map[string]string{
		"/usr/share/zoneinfo/Europe/Berlin": "Europe/Berlin", "../usr/share/zoneinfo/UTC": "UTC",
		"": "", "/usr/share/zoneinfo/": "", "/usr/share/zoneinfo/../../etc/shadow": "", "usr/share/zoneinfo/UTC": "",
		"/etc/zones/zoneinfo/UTC": "", "/usr/share/zoneinfo": "",
	} {
		if got := zoneOf(target); got != want {
			t.Errorf("zoneOf(%q) = %q, want %q", target, got, want)
		}
	}
}

func TestStubListens(t *testing.T) {
	const head = "   sl  local_address rem_address   st tx_queue rx_queue\n"
	for line, want := range map[string]bool{
		"  123: 3500007F:0035 00000000:0000 07 00000000:00000000": true,
		"  123: 7F000035:0035 00000000:0000 07 00000000:00000000": true, // big endian
		"  123: 0100007F:0035 00000000:0000 07 00000000:00000000": false,
		"  123: 3500007F:1035 00000000:0000 07 00000000:00000000": false,
		"  123: 0100007F:1234 3500007F:0035 07 00000000:00000000": false, // a client of it
		"": false,
	} {
		if got := stubListens([]byte(head + line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestReadyMessage(t *testing.T) {
	for _, warnings := range [][]string{nil, {"one"}, {"one", "two: three"}} {
		if got, ready := cutReady(readyMessage(warnings)); !ready || !slices.Equal(got, warnings) {
			t.Errorf("got %q, %v, want %q", got, ready, warnings)
		}
	}
	if _, ready := cutReady("ready to fail: no such file"); ready {
		t.Error("an error is taken for readiness")
	}
}
