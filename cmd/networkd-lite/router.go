package main

import (
	"context"
	"math/rand/v2"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel/icmp6"
	"nspawnkit/network/ra"
)

// openRouter opens the sender of router advertisements on a link, as a [nspawnkit/network/manager.Manager] wants it.
func openRouter(l network.Link, a *ra.Advertisement) (func(context.Context) error, error) {
	if _, err := a.Marshal(); err != nil {
		return nil, err // now, and not when the first one is to be sent
	}
	conn, err := icmp6.Listen(l.Index, l.LinkLocal)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer conn.Close()
		return ra.Serve(ctx, conn, a, func(n time.Duration) time.Duration { return rand.N(n) })
	}, nil
}
