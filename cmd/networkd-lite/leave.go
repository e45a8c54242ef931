package main

import (
	"slices"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// leave removes from the packet filters what only links of containers need, where none is left when the daemon ends.
func leave(links *kernel.Links, firewall *kernel.Firewall, foreign *foreignFilters) error {
	list, err := links.List()
	if err != nil {
		return err
	}
	needed := slices.ContainsFunc(list, network.Link.Served)
	if foreign.serves(needed); !needed {
		err = firewall.Remove()
	}
	foreign.finish()
	return err
}
