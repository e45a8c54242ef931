package probe

import "testing"

func TestUnitOf(t *testing.T) {
	for groups, want := range map[string]string{
		"0::/system.slice/dnsmasq.service\n":                                                  "dnsmasq.service",
		"0::/system.slice/system-named.slice/named@a.service\n":                               "named@a.service",
		"0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/dnsmasq.service\n": "systemd-nspawn@web.service",
		"0::/user.slice/user-0.slice/session-3.scope\n":                                       "session-3.scope",
		"12:pids:/x\n1:name=systemd:/system.slice/unbound.service\n0::/\n":                    "unbound.service",
		"0::/\n":                      "",
		"0::/docker/0123/dns.service": "",
		"":                            "",
	} {
		if got := unitOf(groups); got != want {
			t.Errorf("%q: %q, want %q", groups, got, want)
		}
	}
}
