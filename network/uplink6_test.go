package network

import (
	"fmt"
	"testing"
	"testing/fstest"
)

func TestUplink6(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const resolvConf = "nameserver 192.0.2.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 2001:db8::53 x\nnameserver 2001:db8::53\n" +
		"nameserver ff02::1\nsearch a.example\nsearch b.example . c.example bad_one\nnameserver"
	for _, test := range []struct{ networkd, resolved, stub, etc, want string }{
		{"", "", "", resolvConf, "[2001:db8::53] [b.example c.example]"},
		{"", "", "search d.example\n", resolvConf, "[] [d.example]"},
		{"DNS=192.0.2.1 2001:db8::1\nDOMAINS=e.example ~f.example\n", "SERVERS=2001:db8::2\n", "", resolvConf, "[2001:db8::1] [e.example]"},
		{"DNS=192.0.2.1\n", "SERVERS=\"2001:db8::2 fe80::2%2\"\nDOMAINS=g.example\n", "", resolvConf, "[2001:db8::2] [g.example]"},
		{"", "", "", "", "[] []"},
	} {
		root := fstest.MapFS{
			"run/systemd/netif/links/2": file(test.networkd), "run/systemd/resolve/netif/2": file(test.resolved),
			"run/systemd/resolve/resolv.conf": file(test.stub), "etc/resolv.conf": file(test.etc),
		}
		h := ReadHost(root)
		if u := h.Uplink6("2"); fmt.Sprint(u.DNS6, u.Domains) != test.want {
			t.Errorf("%+v: got %v %v, want %s", test, u.DNS6, u.Domains, test.want)
		}
		if u := h.Uplink6(":none"); len(u.DNS6)+len(u.Domains) > 0 {
			t.Errorf("%+v: no uplink has %v %v", test, u.DNS6, u.Domains)
		}
	}
}
