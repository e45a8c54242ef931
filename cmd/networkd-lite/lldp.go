package main

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/lldp"
	"nspawnkit/network/manager"
)

// startLLDP gives the manager what sends LLDP frames, until ctx ends, and says what of the host below root.
func startLLDP(ctx context.Context, m *manager.Manager, root fs.FS) error {
	frames, err := kernel.OpenFrames()
	if err != nil {
		return err
	}
	sender := lldp.NewSender(frames.Send, func(n time.Duration) time.Duration { return rand.N(n) })
	m.LLDP, m.Station = sender, func() lldp.Station { return network.ReadStation(root) }
	go func() {
		defer frames.Close()
		sender.Run(ctx)
	}()
	return nil
}
