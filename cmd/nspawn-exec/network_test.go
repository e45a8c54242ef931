package main_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nspawnkit/network"

	"github.com/vishvananda/netlink"
)

func machineFile(machine string) string {
	return filepath.Join(network.MachinesDirectory, machine+".json")
}

func readMachine(t *testing.T, machine string) network.Machine {
	t.Helper()
	data, err := os.ReadFile(machineFile(machine))
	must(t, err)
	var state network.Machine
	must(t, json.Unmarshal(data, &state))
	return state
}

func TestVirtualEthernet(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, "--network-veth", "/bin/sh", "-c", "cat /sys/class/net/*/address; echo up; exec sleep 1000")
	state := readMachine(t, "web")
	want := network.Machine{
		Version: network.MachineVersion, Name: "web", Began: state.Began,
		Links: []network.MachineLink{{
			Host: "ve-web", HostMAC: state.Links[0].HostMAC, Container: "host0", ContainerMAC: state.Links[0].ContainerMAC,
		}},
	}
	if got, _ := json.Marshal(state); string(got) != marshal(t, want) {
		t.Errorf("machine state %s", got)
	}
	link, err := net.InterfaceByName("ve-web")
	must(t, err)
	if link.HardwareAddr.String() != state.Links[0].HostMAC {
		t.Errorf("ve-web has %s, the machine state says %s", link.HardwareAddr, state.Links[0].HostMAC)
	}
	script := `test "$(cat /sys/class/net/host0/address)" = ` + state.Links[0].ContainerMAC
	c.signal(syscall.SIGTERM)
	c.wait()
	clean(t, root)
	shell(t, root, script, "--network-veth") // the same at every start
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	must(t, err)
	return string(data)
}

// networkd-lite reads the machine state when the link appears, so it must be there by then.
func TestMachineStateComesBeforeLink(t *testing.T) {
	root := newRoot(t, "web")
	updates, done := make(chan netlink.LinkUpdate, 100), make(chan struct{})
	defer close(done)
	must(t, netlink.LinkSubscribe(updates, done))
	c := launch(t, nspawn(root, append([]string{"--network-veth"}, sleeper...)...))
	for update := range updates {
		if update.Header.Type == syscall.RTM_NEWLINK && update.Attrs().Name == "ve-web" {
			break
		}
	}
	state := readMachine(t, "web")
	if len(state.Links) != 1 || state.Links[0].Host != "ve-web" {
		t.Errorf("machine state %+v", state)
	}
	c.expect("up")
	c.signal(syscall.SIGTERM)
	c.wait()
	if _, err := os.Stat(machineFile("web")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("machine state stays: %v", err)
	}
}

func TestLongName(t *testing.T) {
	root := newRoot(t, "a-machine-of-a-long-name")
	begin(t, root, append([]string{"--network-veth"}, sleeper...)...)
	state := readMachine(t, "a-machine-of-a-long-name")
	link, err := netlink.LinkByName(state.Links[0].Host)
	must(t, err)
	if names := link.Attrs().AltNames; len(names) != 1 || names[0] != "ve-a-machine-of-a-long-name" {
		t.Errorf("%s has the other names %q", state.Links[0].Host, names)
	}
}

// A zone's bridge comes with its first container and goes with its last.
func TestZone(t *testing.T) {
	one, two := newRoot(t, "one"), newRoot(t, "two")
	first := begin(t, one, append([]string{"--network-zone=app"}, sleeper...)...)
	second := begin(t, two, append([]string{"--network-zone=app"}, sleeper...)...)
	bridge, err := netlink.LinkByName("vz-app")
	must(t, err)
	for _, name := range []string{"vb-one", "vb-two"} {
		link, err := netlink.LinkByName(name)
		must(t, err)
		if link.Attrs().MasterIndex != bridge.Attrs().Index {
			t.Errorf("%s is not in the bridge", name)
		}
	}
	first.signal(syscall.SIGTERM)
	first.wait()
	if links := strings.Join(linkNames(t), " "); links != "lo vb-two vz-app" {
		t.Errorf("links after the first ended: %s", links)
	}
	second.signal(syscall.SIGTERM)
	second.wait()
	clean(t, one)
	clean(t, two)
}

func TestBridgeAndExtraLinks(t *testing.T) {
	root := newRoot(t, "web")
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br-test"}}
	must(t, netlink.LinkAdd(bridge))
	defer netlink.LinkDel(bridge)
	got := shell(t, root, "ls /sys/class/net", "--network-bridge=br-test", "--network-veth-extra=ve-extra:other")
	if strings.Join(strings.Fields(got), " ") != "host0 lo other" {
		t.Errorf("links inside: %q", got)
	}
	if links := strings.Join(linkNames(t), " "); links != "br-test lo" {
		t.Errorf("links afterwards: %s", links)
	}
	refused(t, run(t, root, "--network-bridge=no-such", "/bin/echo", "payload runs"), "no-such")
	if links := strings.Join(linkNames(t), " "); links != "br-test lo" {
		t.Errorf("links after a failed start: %s", links)
	}
}

// A link that happens to have the name is somebody else's: it is left alone.
func TestForeignLink(t *testing.T) {
	root := newRoot(t, "web")
	foreign := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "ve-web"}, PeerName: "other-end"}
	must(t, netlink.LinkAdd(foreign))
	defer netlink.LinkDel(foreign)
	refused(t, run(t, root, "--network-veth", "/bin/echo", "payload runs"), "ve-web")
	if links := strings.Join(linkNames(t), " "); links != "lo other-end ve-web" {
		t.Errorf("links: %s", links)
	}
}
