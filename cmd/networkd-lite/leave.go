package main

import (
	"slices"

	"nspawnkit/network"
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
