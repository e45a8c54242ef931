package link

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// insideOf connects to the network namespace of a process.
func insideOf(t *testing.T, pid int) (*Conn, *os.File) {
	t.Helper()
	file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	inside, err := OpenAt(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inside.Close)
	return inside, file
}

// addPair makes an interface of the host that stands for hardware.
func addPair(t *testing.T, c *Conn, name string) {
	t.Helper()
	pair := netlink.NewVeth(netlink.NewLinkAttrs())
	pair.Name, pair.PeerName = name, name+"-peer"
	if err := c.handle.LinkAdd(pair); err != nil {
		t.Fatal(err)
	}
}

func TestCreateMACVLAN(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		addPair(t, c, "eth0")
		pid := container(t).Process.Pid
		inside, _ := insideOf(t, pid)
		u := Upper{Kind: "macvlan", Parent: "eth0", Name: "mv-eth0", AltName: "mv-the-whole-name", Addr: containerAddr, PID: pid}
		if err := c.CreateUpper(u, inside); err != nil {
			t.Fatal(err)
		}
		got := mustFind(t, inside, "mv-eth0")
		macvlan, ok := got.(*netlink.Macvlan)
		if !ok || macvlan.Mode != netlink.MACVLAN_MODE_BRIDGE || macvlan.HardwareAddr.String() != containerAddr.String() || macvlan.RawFlags&unix.IFF_UP != 0 {
			t.Errorf("%+v", got)
		}
		if names := got.Attrs().AltNames; len(names) != 1 || names[0] != "mv-the-whole-name" {
			t.Errorf("alternative names %q", names)
		}
		u.Parent = "eth1"
		if err := c.CreateUpper(u, inside); !errors.Is(err, unix.ENODEV) || err.Error() != "create macvlan on eth1: no such device" {
			t.Errorf("no parent: %v", err)
		}
	})
}

// The macvlan that a killed container had is up until the kernel has dissolved its namespace.
func TestWaitAddress(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		addPair(t, c, "eth0")
		for range 5 {
			old := container(t)
			inside, namespace := insideOf(t, old.Process.Pid)
			u := Upper{Kind: "macvlan", Parent: "eth0", Name: "mv-eth0", Addr: containerAddr, PID: old.Process.Pid}
			if err := c.CreateUpper(u, inside); err != nil {
				t.Fatal(err)
			}
			if err := inside.handle.LinkSetUp(mustFind(t, inside, "mv-eth0")); err != nil {
				t.Fatal(err)
			}
			inside.Close()
			stop(old)
			u.PID = container(t).Process.Pid
			inside, _ = insideOf(t, u.PID)
			if err := c.CreateUpper(u, inside); err != nil {
				t.Fatal(err)
			}
			link := mustFind(t, inside, "mv-eth0")
			if err := inside.handle.LinkSetUp(link); !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EBUSY) {
				t.Fatalf("brought up beside the old one: %v; this test tests nothing", err)
			}
			namespace.Close()
			if err := inside.WaitAddress("mv-eth0"); err != nil {
				t.Fatal(err)
			}
			if flags := mustFind(t, inside, "mv-eth0").Attrs().RawFlags; flags&unix.IFF_UP != 0 {
				t.Errorf("it is up afterwards: %#x", flags)
			}
			if err := inside.handle.LinkDel(link); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The container renames what it got, and makes another link of the old name.
func TestMoveInAndBack(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		addPair(t, c, "eth7")
		before := mustFind(t, c, "eth7").Attrs().HardwareAddr.String()
		pid := container(t).Process.Pid
		inside, namespace := insideOf(t, pid)
		m := network.MachineInterface{Host: "eth7", Container: "lan"}
		if err := c.FindToMove(&m); err != nil {
			t.Fatal(err)
		}
		if err := c.MoveIn(&m, pid, inside); err != nil {
			t.Fatal(err)
		}
		mustBeGone(t, c, "eth7")
		moved := mustFind(t, inside, "lan")
		if m.Index != moved.Attrs().Index {
			t.Errorf("index %d, not %d", m.Index, moved.Attrs().Index)
		}
		if err := inside.handle.LinkSetName(moved, "renamed"); err != nil {
			t.Fatal(err)
		}
		addPair(t, inside, "lan")
		addPair(t, c, "renamed") // the kernel may not keep the name that the container gave it
		if err := c.MoveBack(m, namespace); err != nil {
			t.Fatal(err)
		}
		if got := mustFind(t, c, "eth7").Attrs().HardwareAddr.String(); got != before {
			t.Errorf("eth7 is %s, was %s", got, before)
		}
		if err := c.MoveBack(network.MachineInterface{Host: "eth7", Container: "gone"}, namespace); err != nil {
			t.Errorf("one that never left: %v", err)
		}
	})
}

func TestMoveFailures(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		for name, want := range map[string]string{
			"none": "interface none: no such device", "lo": "interface lo is the loopback interface, which cannot be moved",
		} {
			if err := c.FindToMove(&network.MachineInterface{Host: name, Container: name}); err == nil || err.Error() != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		addPair(t, c, "eth7")
		pid := container(t).Process.Pid
		inside, namespace := insideOf(t, pid)
		m := network.MachineInterface{Host: "eth7", Container: "eth7"}
		if err := c.MoveIn(&m, pid, inside); err != nil {
			t.Fatal(err)
		}
		addPair(t, c, "eth8")
		if err := c.handle.LinkSetName(mustFind(t, c, "eth8"), "eth7"); err != nil {
			t.Fatal(err)
		}
		if err := c.MoveBack(m, namespace); !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), "rename that") {
			t.Errorf("name taken: %v", err)
		}
		mustFind(t, inside, "eth7")
	})
}
