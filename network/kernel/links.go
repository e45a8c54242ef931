package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Links reads and configures the links of a network namespace.
type Links struct {
	conn   *rtnetlink.Conn
	handle *netlink.Handle
}

// OpenLinks connects to the kernel. The caller closes.
func OpenLinks() (*Links, error) {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return &Links{conn, handle}, nil
}

// Close ends the connection.
func (k *Links) Close() {
	k.handle.Close()
	k.conn.Close()
}

// List returns all links with their addresses, in the order of the kernel.
//
// The links come from vishvananda/netlink, which alone decodes alternative names, the addresses from rtnetlink.
func (k *Links) List() ([]network.Link, error) {
	addresses, err := k.conn.Address.List()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	byIndex := map[int][]netip.Prefix{}
	linkLocal := map[int]netip.Addr{}
	tentative := map[int][]netip.Addr{}
	for _, m := range addresses {
		prefix, ok := addressOf(m)
		if !ok {
			continue
		}
		byIndex[int(m.Index)] = append(byIndex[int(m.Index)], prefix)
		if m.Flags&unix.IFA_F_TENTATIVE != 0 {
			tentative[int(m.Index)] = append(tentative[int(m.Index)], prefix.Addr())
		}
		if usableLinkLocal(m, prefix.Addr()) {
			linkLocal[int(m.Index)] = prefix.Addr()
		}
	}
	links, err := k.handle.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	list := make([]network.Link, 0, len(links))
	for _, l := range links {
		a := l.Attrs()
		list = append(list, network.Link{
			Index: a.Index, Name: a.Name, AltNames: a.AltNames, Kind: l.Type(),
			Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0, Addresses: byIndex[a.Index],
			Tentative: tentative[a.Index], HardwareAddr: hardwareAddr(a.HardwareAddr), MTU: a.MTU, LinkLocal: linkLocal[a.Index],
		})
	}
	return list, nil
}

// hardwareAddr returns an Ethernet address, or the zero address for one of another length.
func hardwareAddr(a net.HardwareAddr) network.HardwareAddr {
	if len(a) != len(network.HardwareAddr{}) {
		return network.HardwareAddr{}
	}
	return network.HardwareAddr(a)
}

// addressOf returns the address of the host and the length of its prefix. IFA_LOCAL is the own address where IFA_ADDRESS
// is the other end's (rtnetlink(7)).
func addressOf(m rtnetlink.AddressMessage) (netip.Prefix, bool) {
	if m.Attributes == nil {
		return netip.Prefix{}, false
	}
	ip := m.Attributes.Local
	if ip == nil {
		ip = m.Attributes.Address
	}
	addr, ok := netip.AddrFromSlice(ip)
	return netip.PrefixFrom(addr.Unmap(), int(m.PrefixLength)), ok
}

// Apply does what d says to the link, in its order, and stops at the first error. A link that has gone is
// [network.ErrNoLink].
func (k *Links) Apply(l network.Link, d network.Difference) error {
	for _, a := range d.Remove {
		if err := k.conn.Address.Delete(addressMessage(l.Index, a)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fail("remove address", a, err)
		}
	}
	for _, s := range d.Sysctl {
		if err := SetSysctl(s.Path, s.Value); err != nil {
			return err
		}
	}
	for _, a := range d.Add {
		if err := k.conn.Address.New(addressMessage(l.Index, a)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fail("add address", a, err)
		}
	}
	if d.Flap {
		if err := k.flap(l, d.Away); err != nil {
			return err
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

// flap brings a veth down and up again, or all ports of a bridge: the other ends lose their carrier for a moment, in which
// away is called.
func (k *Links) flap(l network.Link, away func()) error {
	links, err := k.handle.LinkList()
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	links = slices.DeleteFunc(links, func(other netlink.Link) bool {
		a := other.Attrs()
		return a.Index != l.Index && a.MasterIndex != l.Index || other.Type() != "veth"
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
		if !up && away != nil {
			away()
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

// addressMessage is an address with the prefix route and, for IPv4, the broadcast address that go with it.
func addressMessage(index int, a netip.Prefix) *rtnetlink.AddressMessage {
	m := &rtnetlink.AddressMessage{
		Family:       unix.AF_INET6,
		PrefixLength: uint8(a.Bits()),
		Index:        uint32(index),
		Attributes:   &rtnetlink.AddressAttributes{Address: a.Addr().AsSlice(), Local: a.Addr().AsSlice()},
	}
	if a.Addr().Is4() {
		m.Family = unix.AF_INET
		if a.Bits() < 31 { // RFC 3021: a /31 has none
			m.Attributes.Broadcast = broadcast(a)
		}
	}
	return m
}

// broadcast returns the last address of an IPv4 subnet.
func broadcast(a netip.Prefix) net.IP {
	ip := a.Masked().Addr().As4()
	mask := net.CIDRMask(a.Bits(), 32)
	for i := range ip {
		ip[i] |= ^mask[i]
	}
	return ip[:]
}
