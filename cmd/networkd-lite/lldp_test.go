package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A container hears who is at the other end, and on which link.
func TestEmitLLDP(t *testing.T) {
	w := newWorld(t)
	w.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	w.write("proc/sys/kernel/hostname", "host.example.com\n")
	w.write("proc/sys/net/ipv4/ip_forward", "1\n")
	w.write("etc/machine-info", "PRETTY_HOSTNAME=\"The Host\"\n")
	w.write("etc/systemd/network/80-container-ve.network.d/lldp.conf",
		"[Network]\nDescription=of web\nEmitLLDP=non-tpmr-bridge\n[LLDP]\nMUDURL=https://example.com/web.json\n")
	web := w.addContainer("web")
	w.command("ip", "link", "set", "ve-web", "address", "02:00:00:00:00:77")
	fd := -1
	web.inside(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0xcc88) // network order
		return err
	})
	defer unix.Close(fd)
	web.command("ip", "link", "set", "host0", "up")
	w.startDaemon()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 1500)
	n, err := unix.Read(fd, frame)
	if err != nil {
		t.Fatalf("no frame: %v", err)
	}
	golden(t, "lldp", hex.Dump(frame[:n]))
	if said := w.daemon.said(); strings.Contains(said, "lldp.conf:") {
		t.Errorf("said: %s", said)
	}
}
