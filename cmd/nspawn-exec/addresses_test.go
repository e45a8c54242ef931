package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// runBySettings starts a container with a trusted .nspawn file of its own.
func runBySettings(t *testing.T, root, file string, arguments ...string) result {
	t.Helper()
	path := filepath.Join("/run/systemd/nspawn", filepath.Base(root)+".nspawn")
	writeFile(t, path, file)
	defer os.Remove(path)
	return run(t, root, append([]string{"--settings=override", "--machine=" + filepath.Base(root)}, arguments...)...)
}

// lookAtNetwork shows what a payload finds of its network.
const lookAtNetwork = `busybox ip -o addr show dev host0 | busybox awk '{print $4}'; busybox ip route; busybox ip -6 route show default
	cat /sys/class/net/host0/address /etc/resolv.conf`

func TestFixedAddresses(t *testing.T) {
	root := newRoot(t, "web")
	const file = "[Network]\nVirtualEthernet=yes\nAddress=10.1.2.3/24\nAddress=10.9.9.9/16\nAddress=fd01::3/64\nMACAddress=02:00:5e:10:00:01\nDNS=10.1.2.1 fd01::1\n"
	const want = `10.1.2.3/24
10.9.9.9/16
fd01::3/64
default via 10.1.2.1 dev host0 onlink 
10.1.2.0/24 dev host0 scope link  src 10.1.2.3 
10.9.0.0/16 dev host0 scope link  src 10.9.9.9 
default via fd01::1 dev host0  metric 1024 onlink 
02:00:5e:10:00:01
# Written by nspawn-exec at the start of the container.
nameserver 10.1.2.1
nameserver fd01::1
`
	r := runBySettings(t, root, file, "/bin/sh", "-c", lookAtNetwork)
	got := strings.Replace(r.stdout, "linkdown ", "", -1)
	if r.status != 0 || !sameWords(got, want) {
		t.Errorf("status %d: %s%s", r.status, got, r.stderr)
	}
	if data, err := os.ReadFile(root + "/etc/resolv.conf"); err != nil || !strings.HasSuffix(string(data), "nameserver fd01::1\n") {
		t.Errorf("%q, %v", data, err)
	}
	clean(t, root)
}

func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// The default route goes to the bridge's own address where it has one in the same network.
func TestFixedAddressOnBridge(t *testing.T) {
	root := newRoot(t, "web")
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br-test"}}
	must(t, netlink.LinkAdd(bridge))
	defer netlink.LinkDel(bridge)
	address, err := netlink.ParseAddr("10.1.2.200/24")
	must(t, err)
	must(t, netlink.AddrAdd(bridge, address))
	r := runBySettings(t, root, "[Network]\nBridge=br-test\nAddress=10.1.2.3/24\n", "/bin/sh", "-c", "busybox ip route")
	if !strings.HasPrefix(r.stdout, "default via 10.1.2.200 dev host0 ") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// resolv.conf of an image may be a link to where systemd-resolved makes it, may not be written to, or be what it must not be.
func TestNameServers(t *testing.T) {
	const servers = "nameserver 192.0.2.1"
	for name, test := range map[string]struct {
		before  func(path string) error
		options string
		want    string // what the payload finds
		warning string
	}{
		"none":      {func(path string) error { return os.Remove(path) }, "", servers, ""},
		"link":      {relink("../run/systemd/resolve/stub-resolv.conf"), "", servers, ""},
		"read-only": {func(path string) error { return os.WriteFile(path, []byte("old"), 0o644) }, "--read-only --timezone=off", servers, ""},
		"astray":    {relink("/srv/none/file"), "", "none", "cannot set name servers, ignoring: /etc/resolv.conf leads to nothing"},
		"directory": {func(path string) error { _ = os.Remove(path); return os.Mkdir(path, 0o755) }, "", "none", "not a regular file"},
		"other":     {func(path string) error { return os.WriteFile(path, []byte("old"), 0o644) }, "--resolv-conf=off", "none", "ResolvConf=off counts, not DNS="},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, root+"/etc/resolv.conf", "")
			must(t, test.before(root+"/etc/resolv.conf"))
			options := append(strings.Fields(test.options), "/bin/sh", "-c", fmt.Sprintf("grep -x '%s' /etc/resolv.conf 2>/dev/null || echo none", servers))
			r := runBySettings(t, root, "[Network]\nVirtualEthernet=yes\nDNS=192.0.2.1\n", options...)
			if strings.TrimSpace(r.stdout) != test.want || !strings.Contains(r.stderr, test.warning) || test.warning == "" && r.stderr != "" {
				t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
			}
			clean(t, root)
		})
	}
}

func relink(target string) func(string) error {
	return func(path string) error {
		_ = os.Remove(path)
		return os.Symlink(target, path)
	}
}
