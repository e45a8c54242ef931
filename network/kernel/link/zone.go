package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// createZonePort creates the pair and, if it is missing, the bridge of its zone.
func (c *Conn) createZonePort(v Veth) (index, bridge int, err error) {
	unlock, err := lockFile(c.lockPath)
	if err != nil {
		return 0, 0, err
	}
	defer unlock() // not before the port is in: nobody may take the bridge for empty in between

	bridge, created, err := c.ensureZoneBridge(v.Bridge)
	if err != nil {
		return 0, 0, err
	}
	if index, err = c.createPair(v, bridge); err != nil {
		if created {
			_ = c.deleteIndex(bridge)
		}
		return 0, 0, err
	}
	return index, bridge, nil
}

// ensureZoneBridge creates the bridge of a zone if it is missing and brings it up. The caller holds the zone lock.
func (c *Conn) ensureZoneBridge(name string) (index int, created bool, err error) {
	if !strings.HasPrefix(name, network.ZonePrefix) {
		return 0, false, fmt.Errorf("create bridge %s: the name of a zone's bridge begins with %s", name, network.ZonePrefix)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = name, randomAddr()
	err = c.handle.LinkAdd(&netlink.Bridge{LinkAttrs: attrs})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return 0, false, fmt.Errorf("create bridge %s: %w", name, err)
	}
	created = err == nil
	if index, err = c.bridgeIndex(name); err != nil {
		return 0, false, fmt.Errorf("create bridge %s: %w", name, err)
	}
	if created {
		err = refuseRouterAdvertisements(name)
	}
	if err == nil {
		// Also one that was there: systemd-nspawn leaves the bridges that it makes down, for systemd-networkd to bring up.
		up := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
		err = wrap("bring up bridge "+name, c.handle.LinkSetUp(up))
	}
	if err != nil && created {
		_ = c.deleteIndex(index)
	}
	return index, created, err
}

// randomAddr returns a unicast, locally administered address. Without one of its own a bridge takes the lowest of its ports'
// addresses: the zone's gateway would change its address whenever a container comes or goes.
func randomAddr() net.HardwareAddr {
	addr := binary.LittleEndian.AppendUint64(nil, rand.Uint64())[:6]
	addr[0] = addr[0]&^0x01 | 0x02
	return addr
}

// deleteIndex removes the link with the given index.
func (c *Conn) deleteIndex(index int) error {
	return c.handle.LinkDel(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}})
}

// bridgeIndex returns the interface index of an existing bridge, also by an alternative name.
func (c *Conn) bridgeIndex(name string) (int, error) {
	found, err := c.handle.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return 0, unix.ENODEV
	}
	if err != nil {
		return 0, err
	}
	if found.Type() != "bridge" {
		return 0, fmt.Errorf("not a bridge but a %s", found.Type())
	}
	return found.Attrs().Index, nil
}

// RemoveBridge removes the bridge of a zone unless it has ports. It is no error if there is none, and any link that is not a
// "vz-" bridge is left alone. The links of the caller's own container must be gone first.
func (c *Conn) RemoveBridge(name string) (removed bool, err error) {
	if !strings.HasPrefix(name, network.ZonePrefix) {
		return false, nil
	}
	unlock, err := lockFile(c.lockPath)
	if err != nil {
		return false, err
	}
	defer unlock()

	bridge, err := c.find(name)
	if err != nil {
		return false, fmt.Errorf("look up bridge %s: %w", name, err)
	}
	if bridge == nil || bridge.Type() != "bridge" {
		return false, nil
	}
	ports, err := c.hasPorts(bridge.Attrs().Index)
	if err != nil {
		return false, fmt.Errorf("list ports of bridge %s: %w", name, err)
	}
	if ports {
		return false, nil
	}
	if err := c.handle.LinkDel(bridge); err != nil && !errors.Is(err, unix.ENODEV) {
		return false, fmt.Errorf("remove bridge %s: %w", name, err)
	}
	return true, nil
}

// hasPorts says whether any link is a port of the bridge with the given index.
func (c *Conn) hasPorts(bridge int) (bool, error) {
	links, err := c.handle.LinkList()
	// Links of other containers come and go meanwhile and make the kernel call the list inconsistent.
	for range 10 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		links, err = c.handle.LinkList()
	}
	if err != nil {
		return false, err
	}
	for _, link := range links {
		if link.Attrs().MasterIndex == bridge {
			return true, nil
		}
	}
	return false, nil
}
