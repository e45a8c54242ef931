package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	netlinksocket "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Links reads and configures the links of a network namespace.
type Links struct {
	conn   *rtnetlink.Conn
	dumps  *netlinksocket.Conn
	handle *netlink.Handle
}

// OpenLinks connects to the kernel. The caller closes.
func OpenLinks() (*Links, error) {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	dumps, err := netlinksocket.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		conn.Close()
		dumps.Close()
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return &Links{conn, dumps, handle}, nil
}

// Close ends the connection.
func (k *Links) Close() {
	k.handle.Close()
	k.dumps.Close()
	k.conn.Close()
}

// List returns all links with their addresses, in the order of the kernel.
func (k *Links) List() ([]network.Link, error) {
	messages, err := k.dump(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	byIndex := map[int][]netip.Prefix{}
	linkLocal := map[int]netip.Addr{}
	unusable := map[int][]netip.Addr{}
	for _, m := range messages {
		index, prefix, usable := decodeAddress(m.Data)
		if !prefix.IsValid() {
			continue
		}
		byIndex[index] = append(byIndex[index], prefix)
		if !usable {
			unusable[index] = append(unusable[index], prefix.Addr())
		}
		if usable && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() {
			linkLocal[index] = prefix.Addr()
		}
	}
	if messages, err = k.dump(unix.RTM_GETLINK, linkRequest()); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	list := make([]network.Link, 0, len(messages))
	for _, m := range messages {
		if l, ok := decodeLink(m.Data); ok {
			l.Addresses, l.Unusable, l.LinkLocal = byIndex[l.Index], unusable[l.Index], linkLocal[l.Index]
			list = append(list, l)
		}
	}
	return list, nil
}

// Apply does what d says to the link, in its order, and stops at the first error. A link that has gone is
// [network.ErrNoLink].
func (k *Links) Apply(l network.Link, d network.Difference) error {
	for _, a := range d.Remove {
		if err := deleteAddress(l.Index, a, d.Had[a]); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fail("remove address", a, err)
		}
	}
	for _, s := range d.Sysctl {
		if err := SetSysctl(s.Path, s.Value); err != nil {
			return err
		}
	}
	for _, a := range d.Add {
		if err := addAddress(l.Index, a, d.Settings[a]); err != nil && !errors.Is(err, unix.EEXIST) {
			return fail("add address", a, err)
		}
	}
	if !d.Up {
		return nil
	}
	if err := k.setUp(l.Index, true); err != nil {
		return fail("bring up", l.Name, err)
	}
	return nil
}

func (k *Links) setUp(index int, up bool) error {
	m := rtnetlink.LinkMessage{Index: uint32(index), Change: unix.IFF_UP}
	if up {
		m.Flags = unix.IFF_UP
	}
	return k.conn.Link.Set(&m)
}

// carrierPause is how long a carrier stays away. The kernel reports carrier changes about once a second
// (net/core/link_watch.c): somebody would not see a shorter loss.
const carrierPause = 1500 * time.Millisecond

// Flap brings veths down and up again, together, and all ports of bridges: the other ends lose their carrier for a moment.
func (k *Links) Flap(flapping []network.Link) error {
	links, err := k.handle.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	indexes := map[int]bool{}
	for _, l := range flapping {
		indexes[l.Index] = true
	}
	links = slices.DeleteFunc(links, func(other netlink.Link) bool {
		a := other.Attrs()
		return !indexes[a.Index] && !indexes[a.MasterIndex] || other.Type() != "veth"
	})
	var problems []error
	for _, up := range []bool{false, true} {
		for _, link := range links {
			if err := k.setUp(link.Attrs().Index, up); err != nil {
				problems = append(problems, fail("take the carrier away from", link.Attrs().Name, err))
			}
		}
		if !up && len(links) > 0 {
			time.Sleep(carrierPause)
		}
	}
	return errors.Join(problems...)
}

// fail names the step and the object of an error.
func fail(step string, object any, err error) error {
	if errors.Is(err, unix.ENODEV) {
		err = network.ErrNoLink
	}
	return fmt.Errorf("%s %v: %w", step, object, err)
}
