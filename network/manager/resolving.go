package manager

import (
	"cmp"
	"slices"

	"nspawnkit/network"
)

// resolving says what the files of links that are looked after say of whom the host asks.
func (m *Manager) resolving() {
	if m.Resolve == nil {
		return
	}
	var list []network.LinkResolving
	for _, l := range m.links {
		if l.file != nil && !l.file.Config.Resolving.Empty() {
			list = append(list, network.LinkResolving{Index: l.Index, Name: l.Name, Resolving: l.file.Config.Resolving})
		}
	}
	slices.SortFunc(list, func(a, b network.LinkResolving) int { return cmp.Compare(a.Index, b.Index) })
	m.Resolve(list)
}
