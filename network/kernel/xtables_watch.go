package kernel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// WatchFirewall calls changed whenever somebody else has changed something in nf_tables, until ctx ends. ready is called once when
// nothing can be missed any more.
func WatchFirewall(ctx context.Context, ready, changed func()) error {
	const groups = 1 << (unix.NFNLGRP_NFTABLES - 1)
	return follow(ctx, unix.NETLINK_NETFILTER, groups, "nf_tables", ready, func(messages []netlink.Message) {
		if len(messages) == 0 || slices.ContainsFunc(messages, isOthers) {
			changed()
		}
	})
}

// isOthers reports whether a message is about a table, chain or rule that is not ours. Attribute 1 of these names the table. Elements of
// sets come and go all day (fail2ban, kube-proxy) and say nothing of what we ask for.
func isOthers(m netlink.Message) bool {
	const header = 4 // struct nfgenmsg
	switch m.Header.Type & 0xff {
	case unix.NFT_MSG_NEWTABLE, unix.NFT_MSG_DELTABLE, unix.NFT_MSG_NEWCHAIN, unix.NFT_MSG_DELCHAIN, unix.NFT_MSG_NEWRULE, unix.NFT_MSG_DELRULE:
	default:
		return false
	}
	if len(m.Data) < header {
		return false
	}
	attributes, err := netlink.UnmarshalAttributes(m.Data[header:])
	if err != nil {
		return true
	}
	for _, a := range attributes {
		if a.Type == unix.NFTA_TABLE_NAME {
			return !bytes.Equal(bytes.TrimRight(a.Data, "\x00"), []byte(TableName))
		}
	}
	return true
}

// XTablesLock is the file that iptables-legacy(8) locks while it changes rules; nf_tables has messages for that.
const XTablesLock = "/run/xtables.lock"

// WatchFile waits for a file and calls changed when it is there, and whenever somebody closes it, until ctx ends (inotify(7)).
func WatchFile(ctx context.Context, path string, changed func()) error {
	if err := AwaitFile(ctx, path); err != nil || ctx.Err() != nil {
		return err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	changed()
	for buffer := make([]byte, 64*unix.SizeofInotifyEvent); ; changed() {
		if _, err := events.Read(buffer); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch %s: %w", path, err)
		}
	}
}
