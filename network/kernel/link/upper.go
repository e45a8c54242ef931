package link

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Upper describes a link of a container on top of one of the host's: a macvlan in bridge mode or an ipvlan in L2 mode (ip-link(8)).
type Upper struct {
	Kind    string // "macvlan" or "ipvlan"
	Parent  string // link of the host, also by an alternative name
	Name    string // in the container, "mv-eth0"
	AltName string // the whole name where Name had to be cut; empty: none
	Addr    net.HardwareAddr
	PID     int // a process in the network namespace that gets the link
}

// OpenAt connects to another network namespace. The connection is for what it offers to be done in a container.
func OpenAt(namespace *os.File) (*Conn, error) {
	handle, err := netlink.NewHandleAt(netns.NsHandle(namespace.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket of %s: %w", namespace.Name(), err)
	}
	return &Conn{handle: handle}, nil
}

// CreateUpper creates the link directly in its namespace, to which inside is connected. It is gone with the namespace.
func (c *Conn) CreateUpper(u Upper, inside *Conn) error {
	parent, err := c.handle.LinkByName(u.Parent)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		err = unix.ENODEV
	}
	if err != nil {
		return fmt.Errorf("create %s on %s: %w", u.Kind, u.Parent, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.Namespace = u.Name, parent.Attrs().Index, u.Addr, netlink.NsPid(u.PID)
	attrs.TxQLen = -1 // the kernel's default
	switch err := c.handle.LinkAdd(upperLink(u.Kind, attrs)); {
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("create %s %s on %s: %w: the kernel, or the module of it that is loaded, knows no %s", u.Kind, u.Name, u.Parent, err, u.Kind)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("create %s %s on %s: %w: it is a port of a bridge or a bond, or another kind of link is on top of it", u.Kind, u.Name, u.Parent, err)
	case err != nil:
		return fmt.Errorf("create %s %s on %s: %w", u.Kind, u.Name, u.Parent, err)
	}
	if u.AltName == "" {
		return nil
	}
	created, err := inside.find(u.Name)
	if err != nil || created == nil {
		return fmt.Errorf("look up %s: %w", u.Name, errors.Join(err, ErrNoDevice))
	}
	return inside.AddAltName(created.Attrs().Index, u.AltName)
}

func upperLink(kind string, attrs netlink.LinkAttrs) netlink.Link {
	if kind == "ipvlan" {
		return &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2}
	}
	return &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}
}

// addressTime is how long [Conn.WaitAddress] waits; the kernel dissolves a network namespace in 10 to 100 ms, on a busy machine in more.
const addressTime = 5 * time.Second

// ErrAddressInUse says that another link on top of the same one has the hardware address.
var ErrAddressInUse error = unix.EADDRINUSE

// WaitAddress waits until a macvlan could be brought up. The one that a container of the same name had before, with the same
// address, may still be up in a namespace that the kernel has not dissolved yet; who brings up the new one meanwhile fails, and hardly
// ever tries again (systemd#680). The kernel tells only by bringing it up. It is down afterwards.
func (c *Conn) WaitAddress(name string) error {
	found, err := c.find(name)
	if err != nil || found == nil {
		return fmt.Errorf("look up %s: %w", name, errors.Join(err, ErrNoDevice))
	}
	const pause = 5 * time.Millisecond
	for range addressTime / pause {
		if err = c.handle.LinkSetUp(found); !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(pause)
	}
	switch {
	case errors.Is(err, unix.EADDRINUSE), errors.Is(err, unix.EBUSY):
		return fmt.Errorf("hardware address %s of %s: %w", found.Attrs().HardwareAddr, name, ErrAddressInUse)
	case err != nil:
		return nil // for a reason that is the container's to find out
	}
	return wrap("bring down "+name, c.handle.LinkSetDown(found))
}
