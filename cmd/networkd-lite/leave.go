package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// leave stops what runs beside the manager, which has ended, and removes from the packet filters what only links of containers need where
// none is left. Who manages these links does not matter: ports, names and what containers reach are ours even so.
func leave(stop func(), open sockets, foreign *foreignFilters) error {
	stop()
	list, err := open.links.List()
	if err != nil {
		return err // there may be links, so all stays
	}
	needed := slices.ContainsFunc(list, network.Link.Served)
	if foreign.serves(needed); !needed {
		err = open.firewall.Remove()
	}
	foreign.finish()
	return err
}

// cleanUp removes what a daemon has left in the packet filters that was killed, or that ended while there were links of containers, for a
// host that will not start it again.
func cleanUp(p paths, log *logger) error {
	unlock, err := kernel.Lock(p.lock())
	if errors.Is(err, kernel.ErrLocked) {
		return errors.New("networkd-lite runs; when it ends it removes by itself what no link of a container needs: systemctl stop networkd-lite")
	} else if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	defer unlock()
	firewall, err := kernel.NewFirewall()
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	foreign := newForeignFilters(os.DirFS(p.root), log.report)
	foreign.serves(false)
	foreign.finish()
	return firewall.Remove()
}
