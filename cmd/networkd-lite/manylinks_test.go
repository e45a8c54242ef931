package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// elements returns how many elements a set of ours has.
func (w *world) elements(family, set string) int {
	w.t.Helper()
	var list struct {
		Nftables []struct {
			Set *struct{ Elem []json.RawMessage }
		}
	}
	if err := json.Unmarshal([]byte(w.command("nft", "--json", "list", "set", family, kernel.TableName, set)), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, object := range list.Nftables {
		if object.Set != nil {
			return len(object.Set.Elem)
		}
	}
	w.t.Fatalf("no set %s", set)
	return 0
}

// The kernel takes a table of thousands of links, and a change of all of them, in one transaction each.
func TestManyLinksInTable(t *testing.T) {
	w := newWorld(t)
	firewall, err := kernel.NewFirewall()
	if err != nil {
		t.Fatal(err)
	}
	const count = 2000
	links := func(prefix string) (f network.Firewall) {
		f.Guard.Links, f.Guard.Sole, f.Guard.Senders = network.Set[string]{}, network.Set[string]{}, network.Set[network.Sender]{}
		f.Guard.Bridge.Senders = network.Set[network.Sender]{}
		for i := range count {
			name := fmt.Sprintf("%s%d", prefix, i)
			sender := network.Sender{Link: name, MAC: network.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}}
			f.Add(name, network.Families{IPv4: true, IPv6: true})
			f.Guard.Links.Add(name)
			f.Guard.Sole.Add(name)
			f.Guard.Senders.Add(sender)
			f.Guard.Bridge.Senders.Add(sender)
		}
		return f
	}
	check := func(when string) {
		t.Helper()
		for _, set := range []string{"masquerade4", "masquerade6", "guarded", "sole", "senders"} {
			if got := w.elements("inet", set); got != count {
				t.Errorf("%s: %d elements in %s, want %d", when, got, set, count)
			}
		}
	}
	if err := firewall.Replace(links("ve-")); err != nil {
		t.Fatal(err)
	}
	check("replace")
	if err := firewall.Update(links("ve-x"), links("ve-")); err != nil {
		t.Fatal(err)
	}
	check("update")
	if err := firewall.ReplaceBridge(links("vb-").Guard.Bridge); err != nil {
		t.Fatal(err)
	}
	if got := w.elements("bridge", "senders"); got != count {
		t.Errorf("%d senders of bridges, want %d", got, count)
	}
}
