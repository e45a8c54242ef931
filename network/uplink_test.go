package network

import (
	"fmt"
	"testing"
	"testing/fstest"
)

func TestHost(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
lo	00000000	00000000	0201	0	0	1	00000000	0	0	0
eth0	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0
vpn0	00000000	00000000	0001	0	0	50	00000080	0	0	0
eth0	0000A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
`
	root := fstest.MapFS{
		"proc/net/route":                          file(routes),
		"proc/sys/kernel/hostname":                file("host.example.com\n"),
		"sys/class/net/eth0/ifindex":              file("2\n"),
		"sys/class/net/wlan0/ifindex":             file("3\n"),
		"run/systemd/netif/links/2":               file("# private\nDNS=192.0.2.53 fd00::1 127.0.0.1 192.0.2.54:5353\nNTP=192.0.2.123 ntp.example\nSIP=192.0.2.60\n"),
		"run/systemd/resolve/netif/3":             file("SERVERS=\"198.51.100.53\"\n"),
		"etc/resolv.conf":                         file("nameserver 203.0.113.53\n"),
		"usr/lib/systemd/timesyncd.conf":          file("[Time]\nNTP=192.0.2.9\n"),
		"etc/systemd/timesyncd.conf":              file("[Time]\nNTP=192.0.2.1\nFallbackNTP=192.0.2.8\n"),
		"run/systemd/timesyncd.conf.d/a.conf":     file("[Time]\nNTP=192.0.2.2 pool.example\n"),
		"etc/systemd/timesyncd.conf.d/b.conf":     file(""),
		"usr/lib/systemd/timesyncd.conf.d/b.conf": file("[Time]\nNTP=192.0.2.3\n"),
	}
	h := ReadHost(root)
	if got := fmt.Sprint(h.DNS, h.NTP, h.Domain); got != "[203.0.113.53] [192.0.2.1 192.0.2.2]example.com" {
		t.Errorf("host: %s", got)
	}
	const eth0 = "{[192.0.2.53] [192.0.2.123] [192.0.2.60] [fd00::1] []}"
	for uplink, want := range map[string]string{
		":auto": eth0, "eth0": eth0, "2": eth0, "wlan0": "{[198.51.100.53] [] [] [] []}", ":none": "{[] [] [] [] []}", "gone0": "{[] [] [] [] []}", "../../2": "{[] [] [] [] []}",
	} {
		if got := fmt.Sprint(h.Uplink(uplink)); got != want {
			t.Errorf("uplink %s: %s, want %s", uplink, got, want)
		}
	}
	if got := fmt.Sprint((Host{}).Uplink(":auto"), ReadHost(fstest.MapFS{}).Uplink(":auto")); got != "{[] [] [] [] []} {[] [] [] [] []}" {
		t.Errorf("nothing known: %s", got)
	}
}
