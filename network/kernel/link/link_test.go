package link

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

var (
	hostAddr      = net.HardwareAddr{0x02, 0, 0, 0, 0, 1}
	containerAddr = net.HardwareAddr{0x02, 0, 0, 0, 0, 2}
)

// inNamespace runs test in a network namespace of its own, on a thread that dies with it.
func inNamespace(t *testing.T, test func(t *testing.T, c *Conn)) {
	t.Helper()
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("set NSPAWNKIT_KERNEL_TESTS=1 to run tests that need root and a kernel")
	}
	lock := filepath.Join(t.TempDir(), "run", "zone")
	done := make(chan struct{})
	go func() {
		defer close(done) // also after t.FailNow
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare network namespace: %v", err)
			return
		}
		c, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.lockPath = lock
		test(t, c)
	}()
	<-done
}

// container starts a process in a network namespace of its own that lives until the test ends.
func container(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(cmd) })
	return cmd
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// web returns the link of a container named web.
func web(pid int) Veth {
	return Veth{Name: "ve-web", Addr: hostAddr, PeerName: "host0", PeerAddr: containerAddr, PeerPID: pid, Up: true}
}

func mustFind(t *testing.T, c *Conn, name string) netlink.Link {
	t.Helper()
	found, err := c.find(name)
	if err != nil || found == nil {
		t.Fatalf("find %s: %v, %v", name, found, err)
	}
	return found
}

func mustBeGone(t *testing.T, c *Conn, name string) {
	t.Helper()
	if found, err := c.find(name); found != nil || err != nil {
		t.Fatalf("%s is still there (error %v)", name, err)
	}
}

func acceptRA(t *testing.T, name string) string {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(sysctlDirectory, name, "accept_ra"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func TestCreateVeth(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		pid := container(t).Process.Pid
		index, bridge, err := c.CreateVeth(web(pid))
		if err != nil {
			t.Fatal(err)
		}
		attrs := mustFind(t, c, "ve-web").Attrs()
		if attrs.Index != index || bridge != 0 || attrs.HardwareAddr.String() != hostAddr.String() {
			t.Errorf("host side: index %d, bridge %d, attributes %+v", index, bridge, attrs)
		}
		if attrs.RawFlags&unix.IFF_UP == 0 || attrs.TxQLen != 1000 {
			t.Errorf("host side: flags %#x, queue %d", attrs.RawFlags, attrs.TxQLen)
		}
		if got := acceptRA(t, "ve-web"); got != "0" {
			t.Errorf("accept_ra=%s", got)
		}
		checkPeer(t, pid)

		if _, _, err := c.CreateVeth(web(pid)); !errors.Is(err, unix.EEXIST) || err.Error() != "create veth ve-web: file exists" {
			t.Errorf("second link of the name: %v", err)
		}
	})
}

// checkPeer looks at the container side of the link of [web].
func checkPeer(t *testing.T, pid int) {
	t.Helper()
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	handle, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	peer, err := handle.LinkByName("host0")
	if err != nil {
		t.Fatal(err)
	}
	if a := peer.Attrs(); a.HardwareAddr.String() != containerAddr.String() || a.RawFlags&unix.IFF_UP != 0 || a.TxQLen != 1000 {
		t.Errorf("container side: %+v", a)
	}
}

func TestCreateVethDown(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		v := web(container(t).Process.Pid)
		v.Up = false
		if _, _, err := c.CreateVeth(v); err != nil {
			t.Fatal(err)
		}
		if flags := mustFind(t, c, "ve-web").Attrs().RawFlags; flags&unix.IFF_UP != 0 {
			t.Errorf("flags %#x", flags)
		}
	})
}

func TestAddAltName(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		index, _, err := c.CreateVeth(web(container(t).Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		const altname = "ve-a-name-that-is-too-long"
		if err := c.AddAltName(index, altname); err != nil {
			t.Fatal(err)
		}
		if found, err := c.handle.LinkByName(altname); err != nil || found.Attrs().Index != index {
			t.Errorf("by alternative name: %v, %v", found, err)
		}
		mustBeGone(t, c, altname) // find ignores alternative names
		if err := c.AddAltName(index, altname); !errors.Is(err, unix.EEXIST) {
			t.Errorf("again: %v", err)
		}
	})
}

func TestRemoveVeth(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		if err := c.RemoveVeth("ve-web", hostAddr); err != nil {
			t.Errorf("no link: %v", err)
		}
		cmd := container(t)
		if _, _, err := c.CreateVeth(web(cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
		want := "remove veth ve-web: not the link of this container but a veth with address 02:00:00:00:00:01, not 02:00:00:00:00:02"
		if err := c.RemoveVeth("ve-web", containerAddr); err == nil || err.Error() != want {
			t.Errorf("link of somebody else: %v, want %s", err, want)
		}
		mustFind(t, c, "ve-web")
		if err := c.RemoveVeth("ve-web", hostAddr); err != nil {
			t.Errorf("container side in use: %v", err)
		}
		mustBeGone(t, c, "ve-web")

		other := netlink.NewLinkAttrs()
		other.Name, other.HardwareAddr = "ve-web", hostAddr
		if err := c.handle.LinkAdd(&netlink.Bridge{LinkAttrs: other}); err != nil {
			t.Fatal(err)
		}
		if err := c.RemoveVeth("ve-web", hostAddr); err == nil {
			t.Error("a bridge was removed")
		}
		mustFind(t, c, "ve-web")
	})
}

// A killed container's link is still there until the kernel has dissolved its namespace: the next start must not fail on it.
func TestRestartAfterKill(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		for range 20 {
			cmd := container(t)
			if _, _, err := c.CreateVeth(web(cmd.Process.Pid)); err != nil {
				t.Fatal(err)
			}
			stop(cmd)
			if err := c.RemoveVeth("ve-web", hostAddr); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBridge(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		v := web(container(t).Process.Pid)
		v.Name, v.Bridge, v.Up = "vb-web", "br0", false
		if _, _, err := c.CreateVeth(v); !errors.Is(err, unix.ENODEV) || err.Error() != "join bridge br0: no such device" {
			t.Errorf("missing bridge: %v", err)
		}
		mustBeGone(t, c, "vb-web")
		v.Bridge = "lo"
		if _, _, err := c.CreateVeth(v); err == nil || err.Error() != "join bridge lo: not a bridge but a device" {
			t.Errorf("lo: %v", err)
		}

		attrs := netlink.NewLinkAttrs()
		attrs.Name = "br0"
		if err := c.handle.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			t.Fatal(err)
		}
		v.Bridge = "br0"
		_, bridge, err := c.CreateVeth(v)
		if err != nil {
			t.Fatal(err)
		}
		port := mustFind(t, c, "vb-web").Attrs()
		if port.MasterIndex != bridge || bridge != mustFind(t, c, "br0").Attrs().Index || port.RawFlags&unix.IFF_UP == 0 {
			t.Errorf("bridge %d, port %+v", bridge, port)
		}
		if removed, err := c.RemoveBridge("br0"); removed || err != nil {
			t.Errorf("bridge of the host: removed %v, %v", removed, err)
		}
	})
}

func TestZone(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		first := web(container(t).Process.Pid)
		first.Name, first.Bridge, first.Zone = "vb-one", "vz-app", true
		second := first
		second.Name, second.PeerPID = "vb-two", container(t).Process.Pid
		second.Addr = net.HardwareAddr{0x02, 0, 0, 0, 0, 3} // above that of first
		if _, _, err := c.CreateVeth(first); err != nil {
			t.Fatal(err)
		}
		bridge := mustFind(t, c, "vz-app").Attrs()
		if _, _, err := c.CreateVeth(second); err != nil {
			t.Fatal(err)
		}
		if err := c.RemoveVeth(first.Name, first.Addr); err != nil {
			t.Fatal(err)
		}
		if got := mustFind(t, c, "vz-app").Attrs().HardwareAddr; !bytes.Equal(got, bridge.HardwareAddr) || got[0]&3 != 2 {
			t.Errorf("address was %s, is %s", bridge.HardwareAddr, got)
		}
		if _, _, err := c.CreateVeth(first); err != nil {
			t.Fatal(err)
		}
		if bridge.RawFlags&unix.IFF_UP == 0 || acceptRA(t, "vz-app") != "0" {
			t.Errorf("bridge %+v, accept_ra=%s", bridge, acceptRA(t, "vz-app"))
		}
		for _, v := range []Veth{first, second} {
			if got := mustFind(t, c, v.Name).Attrs().MasterIndex; got != bridge.Index {
				t.Errorf("%s: master %d, not %d", v.Name, got, bridge.Index)
			}
			if removed, err := c.RemoveBridge("vz-app"); removed || err != nil {
				t.Errorf("bridge with port %s: removed %v, %v", v.Name, removed, err)
			}
			if err := c.RemoveVeth(v.Name, v.Addr); err != nil {
				t.Error(err)
			}
		}
		if removed, err := c.RemoveBridge("vz-app"); !removed || err != nil {
			t.Errorf("empty bridge: removed %v, %v", removed, err)
		}
		if removed, err := c.RemoveBridge("vz-app"); removed || err != nil {
			t.Errorf("no bridge: removed %v, %v", removed, err)
		}
		if _, err := os.Stat(c.lockPath); !os.IsNotExist(err) {
			t.Errorf("lock file is left: %v", err)
		}
	})
}

func TestZoneFailures(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		v := web(1 << 30) // no such process
		v.Name, v.Bridge, v.Zone = "vb-web", "vz-app", true
		if _, _, err := c.CreateVeth(v); err == nil || !strings.HasPrefix(err.Error(), "create veth vb-web: ") {
			t.Errorf("no namespace: %v", err)
		}
		mustBeGone(t, c, "vz-app")

		v.Bridge = "br0"
		if _, _, err := c.CreateVeth(v); err == nil {
			t.Error("a zone's bridge without vz-")
		}
		pair := netlink.NewVeth(netlink.NewLinkAttrs())
		pair.Name, pair.PeerName = "vz-app", "x"
		if err := c.handle.LinkAdd(pair); err != nil {
			t.Fatal(err)
		}
		v.Bridge, v.PeerPID = "vz-app", container(t).Process.Pid
		if _, _, err := c.CreateVeth(v); err == nil || err.Error() != "create bridge vz-app: not a bridge but a veth" {
			t.Errorf("veth named vz-app: %v", err)
		}
		if removed, err := c.RemoveBridge("vz-app"); removed || err != nil {
			t.Errorf("veth named vz-app: removed %v, %v", removed, err)
		}
		if flags := mustFind(t, c, "vz-app").Attrs().RawFlags; flags&unix.IFF_UP != 0 {
			t.Errorf("veth named vz-app was brought up: %#x", flags)
		}
	})
}

// Containers of one zone start and stop at the same time: no start may lose its bridge between creation and joining.
func TestZoneRace(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		pid := container(t).Process.Pid
		ns, err := netns.Get()
		if err != nil {
			t.Fatal(err)
		}
		defer ns.Close()
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				if err := netns.Set(ns); err != nil {
					t.Error(err)
					return
				}
				own, err := Open()
				if err != nil {
					t.Error(err)
					return
				}
				defer own.Close()
				own.lockPath = c.lockPath
				for round := range 10 {
					v := web(pid)
					v.Name, v.PeerName = "vb-"+strconv.Itoa(worker), "c"+strconv.Itoa(worker)
					v.Bridge, v.Zone = "vz-app", true
					if _, _, err := own.CreateVeth(v); err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					if err := own.RemoveVeth(v.Name, v.Addr); err != nil {
						t.Error(err)
					}
					if _, err := own.RemoveBridge("vz-app"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		mustBeGone(t, c, "vz-app")
	})
}

// systemd-nspawn's lock excludes ours: the same kind of lock on the same file (tried with an independent implementation).
func TestLockKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "zone")
	unlock, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(other.Fd(), unix.F_OFD_SETLK, &lock); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("lock taken twice: %v", err)
	}
	unlock()
	if stale, err := lockDescriptor(int(other.Fd())); !stale || err != nil {
		t.Errorf("unlinked lock file: stale %v, %v", stale, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("lock file is left: %v", err)
	}
}

func TestLockSymlink(t *testing.T) {
	directory := t.TempDir()
	target, path := filepath.Join(directory, "target"), filepath.Join(directory, "zone")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := lockFile(path); !errors.Is(err, unix.ELOOP) {
		t.Errorf("lock through a symbolic link: %v", err)
	}
	if _, err := os.Lstat(target); !os.IsNotExist(err) {
		t.Errorf("the target was made: %v", err)
	}
}
