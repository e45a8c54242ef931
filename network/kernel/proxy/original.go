package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes of the connection tracking of the kernel (linux/netfilter/nfnetlink_conntrack.h).
const (
	getConntrack = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET

	tupleOriginal, tupleReply             = 1, 2    // CTA_TUPLE_ORIG, CTA_TUPLE_REPLY
	tupleAddresses, tuplePorts            = 1, 2    // CTA_TUPLE_IP, CTA_TUPLE_PROTO
	source4, destination4                 = 1, 2    // CTA_IP_V4_SRC, CTA_IP_V4_DST
	source6, destination6                 = 3, 4    // CTA_IP_V6_SRC, CTA_IP_V6_DST
	protocol, sourcePort, destinationPort = 1, 2, 3 // CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT
	headerLength                          = 4       // of struct nfgenmsg
)

// originalDestination returns where a client sent its first packet before the packet filter led it to the listener. A client that
// connected to the listener itself gets the listener.
func originalDestination(number uint8, listener, client netip.AddrPort) (netip.AddrPort, error) {
	listener, client = unmap(listener), unmap(client)
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(time.Second)) // the kernel answers at once, or not at all
	request, err := replyTuple(number, listener, client)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// The answer says that others follow, and none does; the acknowledgement ends it.
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: getConntrack, Flags: netlink.Request | netlink.Acknowledge}, Data: request,
	})
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("look up the connection of %v: %w", client, err)
	}
	for _, answer := range answers {
		if to, err := parseOriginal(answer.Data); err == nil {
			return to, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("look up the connection of %v: no destination in the answer", client)
}

// unmap returns the IPv4 address of one that is mapped to IPv6.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// replyTuple asks for the connection whose answers go from listener to client.
func replyTuple(number uint8, listener, client netip.AddrPort) ([]byte, error) {
	family, from, to := byte(unix.AF_INET), uint16(source4), uint16(destination4)
	if listener.Addr().Is6() {
		family, from, to = unix.AF_INET6, source6, destination6
	}
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	e.Nested(tupleReply, func(tuple *netlink.AttributeEncoder) error {
		tuple.Nested(tupleAddresses, func(e *netlink.AttributeEncoder) error {
			e.Bytes(from, listener.Addr().AsSlice())
			e.Bytes(to, client.Addr().AsSlice())
			return nil
		})
		tuple.Nested(tuplePorts, func(e *netlink.AttributeEncoder) error {
			e.Uint8(protocol, number)
			e.Uint16(sourcePort, listener.Port())
			e.Uint16(destinationPort, client.Port())
			return nil
		})
		return nil
	})
	attributes, err := e.Encode()
	return append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attributes...), err
}

// parseOriginal reads the destination of the first packet from a connection.
func parseOriginal(message []byte) (netip.AddrPort, error) {
	if len(message) < headerLength {
		return netip.AddrPort{}, errors.New("short message")
	}
	d, err := netlink.NewAttributeDecoder(message[headerLength:])
	if err != nil {
		return netip.AddrPort{}, err
	}
	d.ByteOrder = binary.BigEndian
	var address netip.Addr
	var port uint16
	for d.Next() {
		if d.Type() != tupleOriginal {
			continue
		}
		d.Nested(func(tuple *netlink.AttributeDecoder) error {
			for tuple.Next() {
				switch tuple.Type() {
				case tupleAddresses:
					tuple.Nested(func(d *netlink.AttributeDecoder) error {
						for d.Next() {
							if d.Type() == destination4 || d.Type() == destination6 {
								address, _ = netip.AddrFromSlice(d.Bytes())
							}
						}
						return d.Err()
					})
				case tuplePorts:
					tuple.Nested(func(d *netlink.AttributeDecoder) error {
						for d.Next() {
							if d.Type() == destinationPort {
								port = d.Uint16()
							}
						}
						return d.Err()
					})
				}
			}
			return tuple.Err()
		})
	}
	if err := d.Err(); err != nil || !address.IsValid() || port == 0 {
		return netip.AddrPort{}, errors.Join(err, errors.New("no destination"))
	}
	return netip.AddrPortFrom(address, port), nil
}
