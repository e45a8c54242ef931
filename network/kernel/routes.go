package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

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
	var due atomic.Bool
	return follow(ctx, unix.NETLINK_ROUTE, unix.RTMGRP_IPV4_ROUTE, "routes", func() {}, func([]netlink.Message) {
		if due.CompareAndSwap(false, true) {
			time.AfterFunc(routesPause, func() {
				due.Store(false)
				changed()
			})
		}
	})
}
