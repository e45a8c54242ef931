package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Routes returns all IPv4 routes, of every table.
func (k *Links) Routes() ([]network.Route, error) {
	routes, err := k.conn.Route.List()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var list []network.Route
	for _, m := range routes {
		addr, ok := netip.AddrFromSlice(m.Attributes.Dst)
		if m.Family == unix.AF_INET && ok {
			list = append(list, network.Route{Destination: netip.PrefixFrom(addr.Unmap(), int(m.DstLength)), Link: int(m.Attributes.OutIface)})
		}
	}
	return list, nil
}

// routesPause is how long routes may go on changing before somebody is told: a routing daemon changes thousands at once.
const routesPause = time.Second

// WatchRoutes calls changed when IPv4 routes have changed, at most once in each routesPause, until ctx ends.
func WatchRoutes(ctx context.Context, changed func()) error {
	conn, err := rtnetlink.Dial(&netlink.Config{Groups: unix.RTMGRP_IPV4_ROUTE})
	if err != nil {
		return fmt.Errorf("watch routes: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for due := false; ; {
		_, _, err := conn.Receive()
		var socket *netlink.OpError
		timeout := errors.As(err, &socket) && socket.Timeout()
		switch {
		case ctx.Err() != nil:
			return nil
		case timeout && due:
			due = false
			conn.SetReadDeadline(time.Time{})
			changed()
		case errors.As(err, &socket) && !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("watch routes: %w", err)
		case !due:
			due = true
			conn.SetReadDeadline(time.Now().Add(routesPause))
		}
		if ctx.Err() != nil {
			return nil // the deadline that ended it may have been set anew
		}
	}
}
