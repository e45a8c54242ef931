package link

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrNoDevice says that there is no such link any more.
var ErrNoDevice error = unix.ENODEV

// Conn is a connection to the kernel's link tables (rtnetlink(7)) of one network namespace.
type Conn struct {
	handle   *netlink.Handle
	lockPath string // the zone lock
}

// Open connects to the network namespace of the calling thread. Threads of other namespaces must not use the connection,
// since some settings of links are written through /proc/sys/net, which shows the namespace of whoever looks.
func Open() (*Conn, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	return &Conn{handle: handle, lockPath: zoneLock}, nil
}

// Close closes the connection; links stay.
func (c *Conn) Close() { c.handle.Close() }

// Veth describes a pair of virtual Ethernet devices (veth(4)) between the host and a container.
type Veth struct {
	Name string           // host side, "ve-web"; see [network.HostLinkName]
	Addr net.HardwareAddr // of the host side; see [network.HardwareAddrs]

	PeerName string // container side, "host0"
	PeerAddr net.HardwareAddr
	PeerPID  int // a process in the network namespace that gets the container side

	Bridge string // bridge the host side becomes a port of; empty: none
	Zone   bool   // create Bridge, a "vz-" bridge, if it is missing
	Up     bool   // bring the host side up; a port of a bridge always is
}

// CreateVeth creates the pair, the container side directly in its namespace, and returns the interface indices of the host
// side and of its bridge (0 without). When it fails it leaves nothing behind.
//
// Router advertisements of the container are not accepted on the host side, whatever the host's default is: a container
// must not become the host's router (CVE-2020-13401).
func (c *Conn) CreateVeth(v Veth) (index, bridge int, err error) {
	switch {
	case v.Zone:
		return c.createZonePort(v)
	case v.Bridge != "":
		if bridge, err = c.bridgeIndex(v.Bridge); err != nil {
			return 0, 0, fmt.Errorf("join bridge %s: %w", v.Bridge, err)
		}
	}
	if index, err = c.createPair(v, bridge); err != nil {
		return 0, 0, err
	}
	return index, bridge, nil
}

// createPair creates the pair as a port of the bridge with the given index, 0 for none.
func (c *Conn) createPair(v Veth, bridge int) (index int, err error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = v.Name, v.Addr
	pair := &netlink.Veth{
		LinkAttrs: attrs, PeerName: v.PeerName, PeerHardwareAddr: v.PeerAddr, PeerNamespace: netlink.NsPid(v.PeerPID),
		PeerTxQLen: -1, // the kernel's default
	}
	if err := c.handle.LinkAdd(pair); err != nil {
		return 0, fmt.Errorf("create veth %s: %w", v.Name, err)
	}
	if err := c.attach(pair, bridge, v); err != nil {
		_ = c.handle.LinkDel(pair)
		return 0, err
	}
	return pair.Index, nil
}

// attach does to a new pair what the kernel does not take at creation.
func (c *Conn) attach(pair *netlink.Veth, bridge int, v Veth) error {
	if err := refuseRouterAdvertisements(v.Name); err != nil {
		return err
	}
	if bridge != 0 {
		if err := c.handle.LinkSetMasterByIndex(pair, bridge); err != nil {
			return fmt.Errorf("add %s to bridge %s: %w", v.Name, v.Bridge, err)
		}
	}
	if v.Up || bridge != 0 {
		if err := c.handle.LinkSetUp(pair); err != nil {
			return fmt.Errorf("bring up %s: %w", v.Name, err)
		}
	}
	return nil
}

// AddAltName gives the link with the given index another name of up to 127 bytes (ip-link(8), altname). It fails with
// EEXIST if any link has that name; systemd-nspawn goes on without it then.
func (c *Conn) AddAltName(index int, altname string) error {
	err := c.handle.LinkAddAltName(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}, altname)
	if err != nil {
		return fmt.Errorf("add alternative name %s: %w", altname, err)
	}
	return nil
}

// RemoveVeth removes the pair whose host side has the given name and hardware address; none is no error.
//
// It serves the end of a container and the start after one that was killed: the old host side may still be there, because
// the kernel takes its time to dissolve a network namespace or because a process of the old container lives on in it.
// Any other link of that name is left alone and reported. The address alone does not tell a dead container's link from
// that of a running one of the same name: the caller must have made sure that no such container runs.
func (c *Conn) RemoveVeth(name string, addr net.HardwareAddr) error {
	found, err := c.find(name)
	if found == nil || err != nil {
		return wrap("look up veth "+name, err)
	}
	if found.Type() != "veth" || found.Attrs().HardwareAddr.String() != addr.String() {
		return fmt.Errorf("remove veth %s: not the link of this container but a %s with address %s, not %s",
			name, found.Type(), found.Attrs().HardwareAddr, addr)
	}
	if err := c.handle.LinkDel(found); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove veth %s: %w", name, err)
	}
	return nil
}

// find returns the link whose proper name is name (the kernel also finds alternative names), nil if there is none.
func (c *Conn) find(name string) (netlink.Link, error) {
	found, err := c.handle.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if found.Attrs().Name != name {
		return nil, nil
	}
	return found, nil
}

// sysctlDirectory holds a directory of settings for each link of the calling thread's network namespace
// (Documentation/networking/ip-sysctl.rst).
const sysctlDirectory = "/proc/sys/net/ipv6/conf"

// refuseRouterAdvertisements makes a new link, not up yet, ignore router advertisements. A kernel without IPv6 is fine.
func refuseRouterAdvertisements(name string) error {
	path := filepath.Join(sysctlDirectory, name, "accept_ra")
	value, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(value)) == "0" {
		return nil
	}
	if err == nil {
		err = os.WriteFile(path, []byte("0"), 0)
	}
	return wrap("refuse router advertisements", err) // the error names the path
}

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}
