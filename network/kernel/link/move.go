package link

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Paths of the host.
const (
	udevControl = "/run/udev/control" // there while systemd-udevd runs
	udevData    = "/run/udev/data"
	classes     = "/sys/class/net"
)

// udevTime is how long [Conn.FindToMove] waits for systemd-udevd, which may be about to rename an interface that has just appeared.
const udevTime = 5 * time.Second

// FindToMove finds the interface of the host that m names, also by an alternative name, for [Conn.MoveIn], and puts down its proper
// name. It waits until systemd-udevd has seen the interface.
func (c *Conn) FindToMove(m *network.MachineInterface) error {
	const pause = 10 * time.Millisecond
	for range udevTime / pause {
		found, err := c.handle.LinkByName(m.Host)
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			err = ErrNoDevice
		}
		if err != nil {
			return fmt.Errorf("interface %s: %w", m.Host, err)
		}
		if settled(found.Attrs().Index) {
			return usable(m, found)
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("interface %s: %w: systemd-udevd has not finished with it", m.Host, unix.EBUSY)
}

func usable(m *network.MachineInterface, found netlink.Link) error {
	attrs := found.Attrs()
	if _, err := os.Stat(filepath.Join(classes, attrs.Name, "phy80211")); err == nil {
		return fmt.Errorf("interface %s is wireless: only its whole radio could be moved, which is not supported (see iw(8), phy NAME set netns)", attrs.Name)
	}
	if attrs.RawFlags&unix.IFF_LOOPBACK != 0 {
		return fmt.Errorf("interface %s is the loopback interface, which cannot be moved", attrs.Name)
	}
	if slices.Contains(attrs.AltNames, m.Container) { // which stays, and a second name of the same text there cannot be
		m.Container = attrs.Name
	}
	m.Host = attrs.Name
	return nil
}

// settled reports whether systemd-udevd, if it runs, knows the interface and is not renaming it.
func settled(index int) bool {
	if _, err := os.Stat(udevControl); err != nil {
		return true
	}
	data, err := os.ReadFile(filepath.Join(udevData, fmt.Sprintf("n%d", index)))
	return err == nil && network.UdevSettled(data)
}

// MoveIn moves an interface of the host into the network namespace of a process, to which inside is connected, and notes the index
// that it has there.
func (c *Conn) MoveIn(m *network.MachineInterface, pid int, inside *Conn) error {
	found, err := c.find(m.Host)
	if err != nil || found == nil {
		return fmt.Errorf("move %s: %w", m.Host, errors.Join(err, ErrNoDevice))
	}
	request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	if err := setNamespace(request, found.Attrs().Index, m.Container, unix.IFLA_NET_NS_PID, uint32(pid)); err != nil {
		return fmt.Errorf("move %s into the container as %s: %w", m.Host, m.Container, err)
	}
	moved, err := inside.find(m.Container)
	if err != nil || moved == nil {
		return fmt.Errorf("look up %s: %w", m.Container, errors.Join(err, ErrNoDevice))
	}
	m.Index = moved.Attrs().Index
	return nil
}

// setNamespace asks for a link to be moved and renamed in one step.
func setNamespace(request *nl.NetlinkRequest, index int, name string, attribute int, namespace uint32) error {
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(index)
	request.AddData(message)
	request.AddData(nl.NewRtAttr(attribute, nl.Uint32Attr(namespace)))
	request.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// MoveBack moves an interface out of the namespace of a container to that of the calling thread, and gives it its old name. The
// container may have renamed it. One that is there already, because it never left, is no error.
func (c *Conn) MoveBack(m network.MachineInterface, namespace *os.File) error {
	inside, err := OpenAt(namespace)
	if err != nil {
		return err
	}
	defer inside.Close()
	found, err := inside.findMoved(m)
	if err != nil {
		return fmt.Errorf("give back %s: %w", m.Host, err)
	}
	if found == nil {
		if there, err := c.find(m.Host); there != nil && err == nil {
			return nil
		}
		return fmt.Errorf("give back %s: the container has removed it, or moved it elsewhere", m.Host)
	}
	host, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("give back %s: %w", m.Host, err)
	}
	defer host.Close()
	socket, err := nl.GetNetlinkSocketAt(netns.NsHandle(namespace.Fd()), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("give back %s: %w", m.Host, err)
	}
	defer socket.Close()
	request := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}
	err = setNamespace(request, found.Attrs().Index, m.Host, unix.IFLA_NET_NS_FD, uint32(host.Fd()))
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("give back %s: %w: another interface of the host has its name by now; rename that, and run --cleanup", m.Host, err)
	}
	return wrap("give back "+m.Host, err)
}

// findMoved finds an interface in the container, by its name as long as nobody could have changed that.
func (c *Conn) findMoved(m network.MachineInterface) (netlink.Link, error) {
	if m.Index == 0 {
		return c.find(m.Container)
	}
	found, err := c.handle.LinkByIndex(m.Index)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, nil
	}
	return found, err
}
