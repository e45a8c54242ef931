package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// CarrierState is what is known of a link's carrier.
type CarrierState struct {
	Up     bool
	Losses uint32 // how often it has gone (IFLA_CARRIER_DOWN_COUNT): it may have come back before anybody looked
}

// Carrier hears of the carrier of one link (rtnetlink(7)).
type Carrier struct {
	file  *os.File
	index int
	state CarrierState
}

// WatchCarrier watches the link with that index in the network namespace of the calling thread. What differs from the state that is known
// comes first. The caller closes.
func WatchCarrier(index int, known CarrierState) (*Carrier, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("watch links: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK})
	if err == nil {
		err = unix.Sendto(fd, getLink(index), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch links: %w", err)
	}
	return &Carrier{os.NewFile(uintptr(fd), "link watch"), index, known}, nil
}

// getLink is the message that asks for a link.
func getLink(index int) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(index))
	return b
}

// Close ends the watch; [Carrier.Await] then returns [os.ErrClosed].
func (c *Carrier) Close() error { return c.file.Close() }

// Await waits until the carrier comes or goes.
func (c *Carrier) Await() (CarrierState, error) {
	buffer := make([]byte, 8192) // the kernel makes no longer message of one link without virtual functions
	for {
		n, err := c.file.Read(buffer)
		if errors.Is(err, unix.ENOBUFS) { // something was lost: who has heard nothing may ask once too often
			c.state.Up = true
			c.state.Losses++
			return c.state, nil
		}
		if err != nil {
			return c.state, fmt.Errorf("watch links: %w", err)
		}
		if state := carrierIn(buffer[:n], c.index, c.state); state != c.state {
			c.state = state
			return state, nil
		}
	}
}

// carrierIn returns the carrier of the link after the messages.
func carrierIn(messages []byte, index int, before CarrierState) CarrierState {
	const header, linkHeader = unix.SizeofNlMsghdr, unix.SizeofIfInfomsg
	for len(messages) >= header {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < header {
			return before
		}
		kind := binary.NativeEndian.Uint16(messages[4:])
		if message := messages[header:min(length, len(messages))]; kind == unix.RTM_NEWLINK && len(message) >= linkHeader &&
			message[0] == unix.AF_UNSPEC && int(int32(binary.NativeEndian.Uint32(message[4:]))) == index {
			before.Up = binary.NativeEndian.Uint32(message[8:])&unix.IFF_LOWER_UP != 0
			before.Losses = losses(message[linkHeader:], before.Losses)
		}
		messages = messages[min((length+3)&^3, len(messages)):]
	}
	return before
}

// losses returns IFLA_CARRIER_DOWN_COUNT (Linux 4.16) of the attributes of a link, or what was known if they do not have it.
func losses(attributes []byte, known uint32) uint32 {
	const header = unix.SizeofRtAttr
	for len(attributes) >= header {
		length := int(binary.NativeEndian.Uint16(attributes))
		if length < header || length > len(attributes) {
			break
		}
		if binary.NativeEndian.Uint16(attributes[2:]) == unix.IFLA_CARRIER_DOWN_COUNT && length >= header+4 {
			return binary.NativeEndian.Uint32(attributes[header:])
		}
		attributes = attributes[min((length+3)&^3, len(attributes)):]
	}
	return known
}
