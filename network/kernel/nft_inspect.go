package kernel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// Masquerades reports whether the nft table of ours exists, and of which families packets from the link are masqueraded.
func (f *Firewall) Masquerades(link string) (exists bool, families network.Families, err error) {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	wanted := elements([]string{link})[0].Key
	for _, set := range []struct {
		name  string
		holds *bool
	}{{masquerade4, &families.IPv4}, {masquerade6, &families.IPv6}} {
		found, err := f.conn.GetSetByName(table, set.name)
		if errors.Is(err, unix.ENOENT) {
			return false, network.Families{}, nil
		}
		var list []nftables.SetElement
		if err == nil {
			list, err = f.conn.GetSetElements(found)
		}
		if err != nil {
			return false, network.Families{}, fmt.Errorf("list nft set %s: %w", set.name, err)
		}
		*set.holds = slices.ContainsFunc(list, func(e nftables.SetElement) bool { return slices.Equal(e.Key, wanted) })
	}
	return true, families, nil
}

// Dropper is a base chain of somebody else that may drop packets.
type Dropper struct {
	Family, Table, Chain string // Family: "ip", "ip6", or "inet", which is both
	Input                bool   // of what comes in to the host; otherwise, of what is forwarded
	Policy               bool   // it drops what no rule accepts; otherwise it has a rule that drops
}

// Droppers returns the nft base chains of others that may drop IP packets that come in or are forwarded.
func (f *Firewall) Droppers() ([]Dropper, error) {
	chains, err := f.conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nft chains: %w", err)
	}
	families := map[nftables.TableFamily]string{nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet"}
	var list []Dropper
	for _, c := range chains {
		family, ip := families[c.Table.Family]
		if c.Hooknum == nil || !ip || c.Table.Name == TableName || *c.Hooknum != *nftables.ChainHookInput && *c.Hooknum != *nftables.ChainHookForward {
			continue
		}
		d := Dropper{Family: family, Table: c.Table.Name, Chain: c.Name, Input: *c.Hooknum == *nftables.ChainHookInput}
		d.Policy = c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		rules, err := f.conn.GetRules(c.Table, c)
		if err != nil {
			return nil, fmt.Errorf("list nft rules of %s: %w", c.Name, err)
		}
		if d.Policy || slices.ContainsFunc(rules, drops) {
			list = append(list, d)
		}
	}
	return list, nil
}

// drops reports whether a rule drops or rejects, or leads to a chain that may.
func drops(r *nftables.Rule) bool {
	return slices.ContainsFunc(r.Exprs, func(e expr.Any) bool {
		if _, rejects := e.(*expr.Reject); rejects {
			return true
		}
		verdict, ok := e.(*expr.Verdict)
		return ok && (verdict.Kind == expr.VerdictDrop || verdict.Kind == expr.VerdictJump || verdict.Kind == expr.VerdictGoto)
	})
}
