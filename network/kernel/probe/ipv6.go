package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"nspawnkit/network/ra"
)

// Inside6 is how the other end of a link is configured for IPv6.
type Inside6 struct {
	Off       bool           // it has none, by sysctl disable_ipv6
	AcceptRA  bool           // the kernel takes router advertisements
	Tentative bool           // the kernel still looks for duplicates of an address (RFC 4862, section 5.4)
	Addresses []netip.Prefix // without link-local ones, tentative ones and duplicates
	Duplicate []netip.Addr
	Router    netip.Addr // of the default route; zero: none
}

// Inside6 reads how the other end is configured for IPv6.
func (n *Namespace) Inside6() (in Inside6, err error) {
	err = n.Do(func() error {
		link, err := netlink.LinkByIndex(n.peer)
		if err != nil {
			return fmt.Errorf("find the other end: %w", err)
		}
		folder := "/proc/sys/net/ipv6/conf/" + link.Attrs().Name + "/"
		off, err := os.ReadFile(folder + "disable_ipv6")
		if in.Off = err != nil || strings.TrimSpace(string(off)) != "0"; in.Off {
			return nil // a kernel without IPv6 has no such file
		}
		accept, err := os.ReadFile(folder + "accept_ra")
		in.AcceptRA = err == nil && strings.TrimSpace(string(accept)) != "0"
		addresses, err := netlink.AddrList(link, netlink.FAMILY_V6)
		if err != nil {
			return fmt.Errorf("list IPv6 addresses of the other end: %w", err)
		}
		for _, a := range addresses {
			in.add(a)
		}
		in.Router, _, err = Router6()
		return err
	})
	return in, err
}

// add adds an address that the kernel lists.
func (in *Inside6) add(a netlink.Addr) {
	address, ok := netip.AddrFromSlice(a.IP)
	if bits, _ := a.Mask.Size(); ok && a.Flags&unix.IFA_F_DADFAILED != 0 {
		in.Duplicate = append(in.Duplicate, address)
	} else if ok && a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_OPTIMISTIC) == unix.IFA_F_TENTATIVE {
		in.Tentative = true
	} else if ok && !address.IsLinkLocalUnicast() {
		in.Addresses = append(in.Addresses, netip.PrefixFrom(address, bits))
	}
}

// Scoped returns a link-local address with the scope of the other end, by number: names are cached whatever namespace they are from.
func (n *Namespace) Scoped(address netip.Addr) netip.Addr {
	if address.Is6() && address.IsLinkLocalUnicast() {
		return address.WithZone(strconv.Itoa(n.peer))
	}
	return address
}

// solicitInterval is shorter than that of RFC 4861, section 6.3.7: the other end is the host.
const solicitInterval = 500 * time.Millisecond

// Solicit asks for a router from the other end (RFC 4861, section 6.3.7), again and again until ctx ends. It returns what one says for whose
// address wanted says yes, or else another one; nil: nobody answered. The container hears the answer, too, if it takes any.
func (n *Namespace) Solicit(ctx context.Context, wanted func(router netip.Addr) bool) (says *ra.Advertisement, router netip.Addr, err error) {
	err = n.Do(func() error {
		link, err := net.InterfaceByIndex(n.peer)
		if err != nil {
			return fmt.Errorf("find the other end: %w", err)
		}
		conn, err := openSolicitor(link)
		if err != nil {
			return fmt.Errorf("socket for router solicitations: %w", err)
		}
		defer conn.Close()
		for (says == nil || !wanted(router)) && ctx.Err() == nil {
			message := []byte{routerSolicitation, 0, 0, 0, 0, 0, 0, 0}
			// It has no address to come from as long as that of the link is tentative.
			conn.WriteTo(message, nil, &net.IPAddr{IP: net.IPv6linklocalallrouters})
			end := time.Now().Add(solicitInterval)
			if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
				end = deadline
			}
			if heard, source, err := hear(conn, link.Index, end); err != nil {
				return err
			} else if heard != nil {
				says, router = heard, source
			}
		}
		return nil
	})
	return says, router, err
}

const routerSolicitation, hopLimit = 133, ra.HopLimit

// openSolicitor opens a socket that hears router advertisements only.
func openSolicitor(link *net.Interface) (*ipv6.PacketConn, error) {
	socket, err := net.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, err
	}
	conn := ipv6.NewPacketConn(socket)
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	err = errors.Join(conn.SetICMPFilter(&filter), conn.SetMulticastHopLimit(hopLimit), conn.SetMulticastInterface(link),
		conn.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true))
	if err != nil {
		socket.Close()
		return nil, err
	}
	return conn, nil
}

// hear waits until end for an advertisement that has come over the link, from no further than the link; nil: none came.
func hear(conn *ipv6.PacketConn, ifindex int, end time.Time) (*ra.Advertisement, netip.Addr, error) {
	conn.SetReadDeadline(end)
	buffer := make([]byte, 1<<16)
	for {
		length, control, from, err := conn.ReadFrom(buffer)
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return nil, netip.Addr{}, nil
		}
		if err != nil {
			return nil, netip.Addr{}, fmt.Errorf("receive router advertisements: %w", err)
		}
		source, isIP := from.(*net.IPAddr)
		if !isIP || control == nil || control.HopLimit != hopLimit || control.IfIndex != ifindex {
			continue
		}
		router, _ := netip.AddrFromSlice(source.IP)
		if heard, err := ra.ParseAdvertisement(buffer[:length], router); err == nil {
			return heard, router, nil
		}
	}
}
