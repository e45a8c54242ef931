package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace with the other end of a link.
type Namespace struct {
	file *os.File
	peer int    // index of the other end
	link string // of the host, made by New
}

// ErrNoNamespace says that no process of the container was found.
var ErrNoNamespace = errors.New("no process is in the network namespace of the other end")

// Find returns the namespace of the other end of a veth link of the host.
//
// The kernel numbers the namespaces that a host's links lead to (rtnetlink(7), IFLA_LINK_NETNSID) and tells the number of a process
// (RTM_GETNSID), so that nobody need have registered the container.
func Find(link string) (*Namespace, error) {
	found, err := netlink.LinkByName(link)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", link, err)
	}
	attributes := found.Attrs()
	processes, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, path := range processes {
		target, err := os.Readlink(path)
		if err != nil || seen[target] {
			continue // it has ended, or is in a namespace that was looked at
		}
		seen[target] = true
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		if id, err := netlink.GetNetNsIdByFd(int(file.Fd())); err == nil && id >= 0 && id == attributes.NetNsID {
			return &Namespace{file: file, peer: attributes.ParentIndex}, nil
		}
		file.Close()
	}
	return nil, fmt.Errorf("%s: %w", link, ErrNoNamespace)
}

// New makes a namespace with the other end of a new veth link of the host, called name here and host0 there. All of it goes with the
// process, or with Close.
func New(name string) (*Namespace, error) {
	var n *Namespace
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		n = &Namespace{file: file}
		return err
	})
	if err != nil {
		return nil, err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "host0", PeerNamespace: netlink.NsFd(int(n.file.Fd()))}
	veth.PeerHardwareAddr = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x0d} // the same each time: a server may remember it
	if err := netlink.LinkAdd(veth); err != nil {
		n.Close()
		return nil, fmt.Errorf("add link %s: %w", name, err)
	}
	n.link = name
	found, err := netlink.LinkByName(name)
	if err == nil {
		n.peer = found.Attrs().ParentIndex
		err = n.Do(n.bringUp)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bring up the other end of %s: %w", name, err), n.Close())
	}
	return n, nil
}

// bringUp brings up the other end. There is nobody there to have its IPv6 addresses, so nothing waits for duplicates (RFC 4862,
// section 5.4); where there is no IPv6 at all, there is no such file.
func (n *Namespace) bringUp() error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/host0/accept_dad", []byte("0"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return netlink.LinkSetUp(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Index: n.peer}})
}

// Close leaves the namespace, and removes what [New] made.
func (n *Namespace) Close() error {
	var err error
	if n.link != "" {
		err = netlink.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: n.link}})
	}
	return errors.Join(err, n.file.Close())
}

// Do calls f on a thread within the namespace. The thread ends with the call.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}
