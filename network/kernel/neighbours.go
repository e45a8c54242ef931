package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Neighbours returns the neighbour table: what has answered for an address on a link, in all families.
func (k *Links) Neighbours() ([]network.Neighbour, error) {
	entries, err := k.conn.Neigh.List()
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	var list []network.Neighbour
	for i := range entries {
		if n, ok := neighbourOf(&entries[i]); ok {
			list = append(list, n)
		}
	}
	return list, nil
}

// Neighbours returns the entries of the neighbour table, with a connection of its own. It may be called from any goroutine.
func Neighbours() ([]network.Neighbour, error) {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	defer conn.Close()
	return (&Links{conn: conn}).Neighbours()
}

func neighbourOf(m *rtnetlink.NeighMessage) (n network.Neighbour, ok bool) {
	const unanswered = unix.NUD_INCOMPLETE | unix.NUD_FAILED | unix.NUD_NOARP
	if m.Attributes == nil || m.State&unanswered != 0 || len(m.Attributes.LLAddress) != len(n.Hardware) {
		return n, false
	}
	address, ok := netip.AddrFromSlice(m.Attributes.Address)
	n = network.Neighbour{Index: int(m.Index), Address: address.Unmap(), Hardware: network.HardwareAddr(m.Attributes.LLAddress)}
	if c := m.Attributes.CacheInfo; c != nil {
		n.Confirmed = time.Duration(c.Confirmed) * time.Second / 100 // USER_HZ, time(7)
	}
	return n, ok
}

// maxNeighbours bounds what WatchNeighbours remembers.
const maxNeighbours = 4096

// WatchNeighbours calls changed when a hardware address answers for an address that it did not answer for before, until ctx ends. An
// entry that comes and goes, or is confirmed, is nothing new.
func WatchNeighbours(ctx context.Context, changed func()) error {
	type key struct {
		index   int
		address netip.Addr
	}
	known := map[key]network.HardwareAddr{}
	return follow(ctx, unix.NETLINK_ROUTE, unix.RTMGRP_NEIGH, "neighbours", func() {}, func(messages []netlink.Message) {
		if len(messages) == 0 {
			changed() // something was lost
		}
		for _, message := range messages {
			var m rtnetlink.NeighMessage
			if message.Header.Type != unix.RTM_NEWNEIGH || m.UnmarshalBinary(message.Data) != nil {
				continue
			}
			n, ok := neighbourOf(&m)
			if k := (key{n.Index, n.Address}); ok && known[k] != n.Hardware {
				if len(known) >= maxNeighbours {
					clear(known)
				}
				known[k] = n.Hardware
				changed()
			}
		}
	})
}
