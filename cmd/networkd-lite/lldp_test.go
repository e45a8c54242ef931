package main

import (
	"encoding/hex"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/network/kernel"
	"nspawnkit/network/lldp"
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

// What a container says is shown, of what it says on its own link, and goes with it.
func TestListenLLDP(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/80-container-ve.network.d/lldp.conf", "[Network]\nLLDP=yes\n")
	web := w.addContainer("web")
	w.startDaemon()
	web.command("ip", "link", "set", "host0", "up")
	frames := kernel.Frames(-1)
	var link *net.Interface
	web.inside(func() (err error) {
		if frames, err = kernel.OpenFrames(); err == nil {
			link, err = net.InterfaceByName("host0")
		}
		return err
	})
	defer frames.Close()
	w.waitFor("LOWER_UP", "ip", "link", "show", "ve-web")
	said := lldp.Frame(lldp.Station{MachineID: "web", Name: "web\x1b[2J", Router: true}, lldp.Port{Group: lldp.NearestBridge, Source: [6]byte{2, 0, 0, 0, 0, 9}, Name: "host0"})
	heard := func() string {
		command := exec.Command("/proc/self/exe", "lldp")
		command.Env = w.env
		out, _ := command.CombinedOutput()
		return string(out)
	}
	for i := 0; !strings.Contains(heard(), "ve-web"); i++ {
		if i > 400 {
			t.Fatalf("not heard of: %s", heard())
		}
		if err := frames.Send(link.Index, said); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	const want = "LINK    SYSTEM-NAME  SYSTEM-DESCRIPTION  CHASSIS-ID  PORT-ID  PORT-DESCRIPTION  CAPS\n" +
		"ve-web  web\\x1b[2J   -                   web         host0    -                 ....r......\n"
	if got := heard(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
