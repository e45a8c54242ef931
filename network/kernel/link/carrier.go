package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Carrier hears whether one link has a carrier (rtnetlink(7)).
type Carrier struct {
	file  *os.File
	index int
	up    bool
}

// WatchCarrier watches the link with that index in the network namespace of the calling thread. up is what is known of it; what it is comes
// first if that is something else. The caller closes.
func WatchCarrier(index int, up bool) (*Carrier, error) {
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
	return &Carrier{os.NewFile(uintptr(fd), "link watch"), index, up}, nil
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
func (c *Carrier) Await() (up bool, err error) {
	buffer := make([]byte, 4096) // of a longer message the end is not needed
	for {
		n, err := c.file.Read(buffer)
		if errors.Is(err, unix.ENOBUFS) { // something was lost: who has heard nothing may ask once too often
			c.up = true
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("watch links: %w", err)
		}
		if up, changed := carrierIn(buffer[:n], c.index, c.up); changed {
			c.up = up
			return up, nil
		}
	}
}

// carrierIn returns whether the link has a carrier after the messages, and whether that has changed at any time.
func carrierIn(messages []byte, index int, before bool) (up, changed bool) {
	up = before
	const header, linkHeader = unix.SizeofNlMsghdr, unix.SizeofIfInfomsg
	for len(messages) >= header {
		length := int(binary.NativeEndian.Uint32(messages))
		if length < header {
			return up, changed
		}
		kind := binary.NativeEndian.Uint16(messages[4:])
		if message := messages[header:min(length, len(messages))]; kind == unix.RTM_NEWLINK && len(message) >= linkHeader &&
			message[0] == unix.AF_UNSPEC && int(int32(binary.NativeEndian.Uint32(message[4:]))) == index {
			now := binary.NativeEndian.Uint32(message[8:])&unix.IFF_LOWER_UP != 0
			up, changed = now, changed || now != up
		}
		messages = messages[min((length+3)&^3, len(messages)):]
	}
	return up, changed
}
