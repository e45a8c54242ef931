package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Watch calls changed whenever a link or an address appears, changes or goes, until ctx ends. ready is called once
// when nothing can be missed any more.
//
// What has changed is for the caller to find out with [Links.List]: messages get lost when many come at once (ENOBUFS),
// and a list never lies.
func Watch(ctx context.Context, ready, changed func()) error {
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR
	return follow(ctx, unix.NETLINK_ROUTE, groups, "links", ready, func([]netlink.Message) { changed() })
}

// follow calls received with what the groups of a netlink protocol tell, until ctx ends; without messages where some were lost, as they
// are when many come at once (ENOBUFS). ready is called once when nothing can be missed any more. what is for errors.
func follow(ctx context.Context, protocol int, groups uint32, what string, ready func(), received func([]netlink.Message)) error {
	conn, err := netlink.Dial(protocol, &netlink.Config{Groups: groups})
	if err != nil {
		return fmt.Errorf("watch %s: %w", what, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	ready()
	for {
		messages, err := conn.Receive()
		var socket *netlink.OpError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &socket) && !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("watch %s: %w", what, err)
		}
		received(messages)
	}
}
