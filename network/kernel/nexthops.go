package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// NextHops returns the next hop objects of the host. A kernel without them, before 5.3, has none.
func (k *Links) NextHops() ([]network.NextHop, error) {
	messages, err := k.dump(unix.RTM_GETNEXTHOP, make([]byte, unix.SizeofNhmsg))
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list next hops: %w", err)
	}
	var list []network.NextHop
	for _, m := range messages {
		if n, ok := decodeNextHop(m.Data); ok {
			list = append(list, n)
		}
	}
	return list, nil
}

// ApplyNextHops removes, replaces and adds next hops. It goes on after an error: each is a thing of its own.
func (k *Links) ApplyNextHops(d network.NextHopDifference) error {
	var problems []error
	for _, n := range d.Remove {
		if err := deleteNextHop(n); err != nil && !errors.Is(err, unix.ENOENT) {
			problems = append(problems, fail("remove next hop", n, err))
		}
	}
	for _, n := range d.Replace {
		if err := newNextHop(n, unix.NLM_F_REPLACE); err != nil {
			problems = append(problems, fail("replace next hop", n, explainNextHop(err, n)))
		}
	}
	for _, n := range d.Add {
		if err := newNextHop(n, unix.NLM_F_EXCL); err != nil {
			problems = append(problems, fail("add next hop", n, explainNextHop(err, n)))
		}
	}
	return errors.Join(problems...)
}

// explainNextHop says what to do about an error of the kernel.
func explainNextHop(err error, n network.NextHop) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("Id=%d is taken: %w", n.ID, err)
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return fmt.Errorf("the gateway is in no subnet of the link, and OnLink= is off: %w", err)
	case errors.Is(err, unix.EINVAL) && len(n.Group) > 0:
		return fmt.Errorf("no group can be made of these next hops: %w", err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("the kernel has no next hops before 5.3: %w", err)
	}
	return err
}

// Of linux/nexthop.h: the size of struct nexthop_grp, and NHA_FDB.
const (
	sizeofMember       = 8
	forwardingDatabase = 11
)

// decodeNextHop reads an RTM_NEWNEXTHOP message: a struct nhmsg and attributes (linux/nexthop.h).
func decodeNextHop(b []byte) (n network.NextHop, ok bool) {
	if len(b) < unix.SizeofNhmsg {
		return n, false
	}
	n.IPv6, n.Protocol = b[0] == unix.AF_INET6, b[2]
	n.OnLink = binary.NativeEndian.Uint32(b[4:])&unix.RTNH_F_ONLINK != 0
	for kind, value := range attributes(b[unix.SizeofNhmsg:]) {
		switch {
		case kind == unix.NHA_GATEWAY:
			n.Gateway, _ = netip.AddrFromSlice(value)
		case kind == unix.NHA_BLACKHOLE:
			n.Blackhole = true
		case kind == unix.NHA_ENCAP_TYPE, kind == forwardingDatabase, kind == unix.NHA_GROUP_TYPE && len(value) == 2 && binary.NativeEndian.Uint16(value) != 0:
			n.Special = true
		case kind == unix.NHA_GROUP:
			for len(value) >= sizeofMember {
				n.Group = append(n.Group, network.Member{ID: binary.NativeEndian.Uint32(value), Weight: int(value[4]) + int(value[5])<<8 + 1})
				value = value[sizeofMember:]
			}
			network.SortMembers(n.Group)
		case len(value) != 4:
		case kind == unix.NHA_ID:
			n.ID = binary.NativeEndian.Uint32(value)
		case kind == unix.NHA_OIF:
			n.Link = int(int32(binary.NativeEndian.Uint32(value)))
		}
	}
	return n, n.ID != 0
}

// newNextHop makes a next hop.
func newNextHop(n network.NextHop, flags int) error {
	request := nl.NewNetlinkRequest(unix.RTM_NEWNEXTHOP, flags|unix.NLM_F_CREATE|unix.NLM_F_ACK)
	message := &nextHopMessage{Protocol: n.Protocol}
	request.AddData(message)
	request.AddData(nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(n.ID)))
	if len(n.Group) > 0 {
		var group []byte
		for _, m := range n.Group {
			group = append(binary.NativeEndian.AppendUint32(group, m.ID), byte(m.Weight-1), 0, 0, 0)
		}
		request.AddData(nl.NewRtAttr(unix.NHA_GROUP, group))
		_, err := request.Execute(unix.NETLINK_ROUTE, 0)
		return err
	}
	if message.Family = unix.AF_INET; n.IPv6 {
		message.Family = unix.AF_INET6
	}
	if n.OnLink {
		message.Flags = unix.RTNH_F_ONLINK
	}
	if n.Blackhole {
		request.AddData(nl.NewRtAttr(unix.NHA_BLACKHOLE, nil))
	} else {
		request.AddData(nl.NewRtAttr(unix.NHA_OIF, nl.Uint32Attr(uint32(n.Link))))
	}
	if n.Gateway.IsValid() {
		request.AddData(nl.NewRtAttr(unix.NHA_GATEWAY, n.Gateway.AsSlice()))
	}
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func deleteNextHop(n network.NextHop) error {
	request := nl.NewNetlinkRequest(unix.RTM_DELNEXTHOP, unix.NLM_F_ACK)
	request.AddData(&nextHopMessage{})
	request.AddData(nl.NewRtAttr(unix.NHA_ID, nl.Uint32Attr(n.ID)))
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// nextHopMessage is struct nhmsg as a part of a request.
type nextHopMessage unix.Nhmsg

// Len is the size in bytes.
func (*nextHopMessage) Len() int { return unix.SizeofNhmsg }

// Serialize returns the bytes.
func (m *nextHopMessage) Serialize() []byte {
	return binary.NativeEndian.AppendUint32([]byte{m.Family, m.Scope, m.Protocol, 0}, m.Flags)
}
