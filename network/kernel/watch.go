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
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR})
	if err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	ready()
	for {
		_, err := conn.Receive()
		var socket *netlink.OpError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &socket) && !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("watch links: %w", err)
		}
		changed() // also when a message was lost
	}
}
