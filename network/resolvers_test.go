package network

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"
)

func TestResolvers(t *testing.T) {
	now := time.Unix(1e9, 0)
	files := fstest.MapFS{}
	r := Resolvers{Root: files, Now: func() time.Time { return now }}
	write := func(text string) { files[resolvConf] = &fstest.MapFile{Data: []byte(text), ModTime: now} }
	expect := func(want string) {
		t.Helper()
		ours := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.168.1.1") }
		if got := fmt.Sprint(r.Servers(ours)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	expect("[]") // no file
	write("# comment\nsearch example.com\nnameserver 127.0.0.53\nnameserver banana\nnameserver\nnameserver fe80::1%eth0\nnameserver 192.168.1.1\n")
	expect("[]") // looked a moment ago
	now = now.Add(time.Second)
	expect("[127.0.0.53:53 [fe80::1%eth0]:53]")
	write("nameserver ::ffff:9.9.9.9\n")
	now = now.Add(time.Second)
	expect("[9.9.9.9:53]")
	delete(files, resolvConf) // being replaced
	now = now.Add(time.Second)
	expect("[9.9.9.9:53]")
	write("search example.com\n")
	now = now.Add(-time.Hour) // the clock was set
	expect("[127.0.0.1:53]")
}
