package main

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel/icmp6"
	"nspawnkit/network/ra"
)

// routers advertises on links.
type routers struct{ sockets *icmp6.Sockets }

// open begins to advertise on a link, as a [nspawnkit/network/manager.Manager] wants it.
func (r routers) open(l network.Link, a *ra.Advertisement, failed func(error)) (stop func(cause error), err error) {
	conn, err := r.sockets.Listen(l.Index, l.LinkLocal)
	if err != nil {
		return nil, err
	}
	router, err := ra.Start(conn, a, func(n time.Duration) time.Duration { return rand.N(n) }, failed)
	if err == nil {
		err = conn.Receive(func(message []byte, source netip.Addr) { router.Solicited(message, source) }, failed)
		if err != nil {
			router.Stop(nil)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return func(cause error) {
		conn.Stop()
		router.Stop(cause)
		conn.Close()
	}, nil
}
