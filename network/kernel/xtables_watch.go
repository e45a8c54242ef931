package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// WatchFirewall calls changed whenever somebody else has changed something in nf_tables, until ctx ends. ready is called once when
// nothing can be missed any more.
func WatchFirewall(ctx context.Context, ready, changed func()) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)})
	if err != nil {
		return fmt.Errorf("watch nf_tables: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	ready()
	for {
		messages, err := conn.Receive()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("watch nf_tables: %w", err)
		}
		lost := err != nil
		for _, m := range messages {
			lost = lost || isOthers(m)
		}
		if lost {
			changed()
		}
	}
}

// isOthers reports whether a message is about a table that is not ours. Attribute 1 of every message names the table, but for
// NFT_MSG_NEWGEN, which ends a transaction.
func isOthers(m netlink.Message) bool {
	const header = 4 // struct nfgenmsg
	if m.Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN || len(m.Data) < header {
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

// WatchFile calls changed whenever somebody closes the file, until ctx ends (inotify(7)).
func WatchFile(ctx context.Context, path string, changed func()) error {
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
	for buffer := make([]byte, 64*unix.SizeofInotifyEvent); ; changed() {
		if _, err := events.Read(buffer); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch %s: %w", path, err)
		}
	}
}
