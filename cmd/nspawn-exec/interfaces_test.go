package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addInterface makes an interface of the host that stands for hardware, with a peer of its own.
func addInterface(t testing.TB, name string) {
	t.Helper()
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "peer-" + name[:min(len(name), 10)]}
	must(t, netlink.LinkAdd(pair))
	t.Cleanup(func() { _ = netlink.LinkDel(pair) })
}

// inside prints the links of a container with type, mode and address, in order of the names.
const inside = `for l in $(ls /sys/class/net); do echo $l $(cat /sys/class/net/$l/address); done`

// MACVLAN= gives the names and addresses that systemd-nspawn gives.
func TestMACVLAN(t *testing.T) {
	root := newRoot(t, "web")
	for _, name := range []string{"eth7", "a-long-name-of7"} {
		addInterface(t, name)
	}
	options := []string{"--network-macvlan=eth7", "--network-macvlan=a-long-name-of7", "--network-macvlan=eth7:second"}
	got := shell(t, root, inside, options...)
	if names := strings.Join(strings.Fields(got), " "); !strings.Contains(names, "mv-eth7") || !strings.Contains(names, "mv-a-long-n") || !strings.Contains(names, "second") {
		t.Errorf("links inside: %s", names)
	}
	arguments := append([]string{"--private-network", "--private-users=pick", "--link-journal=no"}, removed(options, "--network-macvlan=eth7:second")...)
	want := finish(t, oracle(t, root, append(arguments, "/bin/sh", "-c", inside)...))
	_ = os.RemoveAll("/run/systemd/nspawn") // which systemd-nspawn leaves
	if want.status != 0 || !strings.Contains(want.stdout, "mv-eth7") {
		t.Fatalf("systemd-nspawn: status %d: %s%s", want.status, want.stdout, want.stderr)
	}
	for line := range strings.Lines(want.stdout) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(got, line) {
			t.Errorf("systemd-nspawn has %q, ours %q", line, got)
		}
	}
	cleanBut(t, root, "eth7", "a-long-name-of7")
}

// cleanBut checks that nothing is left over but interfaces of [addInterface], which are there.
func cleanBut(t *testing.T, root string, names ...string) {
	t.Helper()
	found := leftovers(t, root)
	for _, name := range names {
		for _, own := range []string{"link " + name, "link peer-" + name[:min(len(name), 10)]} {
			if !slices.Contains(found, own) {
				t.Errorf("%s is missing", own)
			}
			found = removed(found, own)
		}
	}
	if len(found) > 0 {
		t.Errorf("left over: %q", found)
	}
}

// A macvlan that the container before has up is not in the way: its payload brings it up, and the next one does at once.
func TestMACVLANRestart(t *testing.T) {
	root := newRoot(t, "web")
	addInterface(t, "eth7")
	payload := []string{"--network-macvlan=eth7:lan", "--capability=CAP_NET_ADMIN", "/bin/busybox", "ip", "link", "set", "lan", "up"}
	for range 10 {
		if r := run(t, root, payload...); r.status != 0 || r.stderr != "" {
			t.Fatalf("status %d: %s", r.status, r.stderr)
		}
	}
}

// Interfaces come back under their names: at the end, after a failed start, and after kill -9 of supervisor and container.
func TestInterface(t *testing.T) {
	root := newRoot(t, "web")
	addInterface(t, "eth7")
	addInterface(t, "eth8")
	before, err := netlink.LinkByName("eth7")
	must(t, err)
	options := []string{"--network-interface=eth7:lan eth8", "--network-veth"}
	back := func(when string) {
		t.Helper()
		after, err := netlink.LinkByName("eth7")
		if err != nil || after.Attrs().HardwareAddr.String() != before.Attrs().HardwareAddr.String() {
			t.Errorf("%s: eth7: %v, %v", when, after, err)
		}
		cleanBut(t, root, "eth7", "eth8")
	}
	if got := strings.Join(strings.Fields(shell(t, root, "ls /sys/class/net", options...)), " "); got != "eth8 host0 lan lo" {
		t.Errorf("links inside: %s", got)
	}
	back("end")
	refused(t, run(t, root, append(options, "--network-macvlan=no-such", "/bin/echo", "payload runs")...), "no-such")
	back("failed start")
	refused(t, run(t, root, "--network-interface=no-such", "/bin/echo", "payload runs"), "--network-interface: interface no-such: no such device")

	rename := `busybox ip link set lan name mine; busybox ip link set eth8 name lan; ls /sys/class/net; echo up; exec sleep 1000`
	c := begin(t, root, append(options, "/bin/sh", "-c", rename)...)
	if state := readMachine(t, "web"); len(state.Interfaces) != 2 || state.Interfaces[0].Index == 0 || state.Interfaces[0].Host != "eth7" {
		t.Errorf("machine state %+v", state)
	}
	c.kill()
	if r := run(t, root, "--cleanup"); r.status != 0 || r.stderr != "" {
		t.Errorf("--cleanup: status %d: %s", r.status, r.stderr)
	}
	back("kill")

	c = begin(t, root, append(options, sleeper...)...)
	c.kill()
	if got := shell(t, root, "ls /sys/class/net"); got != "lo" { // without any of the links
		t.Errorf("links inside: %q", got)
	}
	back("next start")
}

// The name of an interface is taken when it comes back: it stays in its namespace until somebody has made room.
func TestInterfaceNameIsTaken(t *testing.T) {
	root := newRoot(t, "web")
	addInterface(t, "eth7")
	c := begin(t, root, append([]string{"--network-interface=eth7"}, sleeper...)...)
	addInterface(t, "other")
	other, err := netlink.LinkByName("other")
	must(t, err)
	must(t, netlink.LinkSetName(other, "eth7"))
	c.signal(syscall.SIGTERM)
	c.wait()
	if !strings.Contains(c.stderr.String(), "give back eth7: file exists: another interface of the host has its name by now") {
		t.Errorf("messages: %s", c.stderr.String())
	}
	must(t, netlink.LinkSetName(other, "other"))
	if r := run(t, root, "--cleanup"); r.status != 0 || r.stderr != "" {
		t.Errorf("--cleanup: status %d: %s", r.status, r.stderr)
	}
	cleanBut(t, root, "eth7", "other")
}

func TestIPVLAN(t *testing.T) {
	root := newRoot(t, "web")
	addInterface(t, "eth7")
	r := run(t, root, "--network-ipvlan=eth7", "/bin/sh", "-c", "echo payload runs; ls /sys/class/net")
	if probe := netlink.LinkAdd(&netlink.IPVlan{LinkAttrs: netlink.LinkAttrs{Name: "probe", ParentIndex: 1}}); probe == unix.EOPNOTSUPP {
		refused(t, r, "--network-ipvlan: create ipvlan iv-eth7 on eth7: operation not supported: the kernel, or the module of it that is loaded, knows no ipvlan")
	} else if r.status != 0 || !strings.Contains(r.stdout, "iv-eth7") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// NamespacePath= enters a namespace that is there, whose interfaces /sys shows.
func TestNamespacePath(t *testing.T) {
	root := newRoot(t, "web")
	path := newNamespace(t, "spare")
	for _, users := range []string{"--private-users=no", "--private-users=pick"} {
		got := shell(t, root, "ls /sys/class/net; grep -c spare /proc/net/dev", hostNetwork, users, "--network-namespace-path="+path)
		if strings.Join(strings.Fields(got), " ") != "lo peer-spare spare 2" {
			t.Errorf("%s: links inside: %q", users, got)
		}
	}
	clean(t, root, path)
	refused(t, run(t, root, hostNetwork, "--network-namespace-path=/etc/passwd", "/bin/echo", "payload runs"), "--network-namespace-path: /etc/passwd is not a network namespace")
	refused(t, run(t, root, hostNetwork, "--network-namespace-path=/no/such", "/bin/echo", "payload runs"), "--network-namespace-path: open /no/such: no such file")
	refused(t, run(t, root, hostNetwork, "--network-namespace-path="+path, "--network-veth", "/bin/echo", "payload runs"), "NamespacePath= may not be combined with links")
}

// newNamespace makes a network namespace with an interface, as ip-netns(8) does.
func newNamespace(t *testing.T, link string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "netns")
	must(t, os.WriteFile(path, nil, 0o644))
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = exec.Command("ip", "link", "add", link, "type", "veth", "peer", "name", "peer-"+link).Run()
		}
		if err == nil {
			err = unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
		}
		result <- err
	}()
	must(t, <-result)
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return path
}
