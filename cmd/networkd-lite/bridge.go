package main

import (
	"os"
	"strings"

	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/firewall"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/probe"
)

// readBridge finds out whether packet filters see the frames between the ports of the bridge, and who drops them for certain.
func (e *examination) readBridge() error {
	name := e.facts.Server.Name
	if name == e.facts.Link.Name {
		return nil
	}
	b := &e.facts.Bridge
	global, _ := kernel.GetSysctl("net/bridge/bridge-nf-call-iptables") // without br_netfilter there are no such files
	own, _ := os.ReadFile("/sys/class/net/" + name + "/bridge/nf_call_iptables")
	b.Filtered = strings.TrimSpace(global) == "1" || strings.TrimSpace(string(own)) == "1"
	data, err := kernel.XTables{}.Ruleset()
	if !b.Filtered || network.ValidInterfaceName(name) != nil || err != nil || len(data) == 0 {
		return err
	}
	findings, err := firewall.InspectBridge(data, name, passedOver)
	for _, f := range findings {
		b.Drops = append(b.Drops, doctor.Foreign{Chain: "nft chain " + f.Chain, Rule: f.Rule, Allow: f.Command, Certain: true})
	}
	return err
}

// passedOver are the tables that nobody else is told about: firewalld's is what its zones say; ours is ours.
func passedOver(_, table string) bool { return table == "firewalld" || table == kernel.TableName }

// maxPeers bounds how many other containers are tried.
const maxPeers = 3

// tryPeers pings other containers on the bridge from inside, until one answers.
func (e *examination) tryPeers() {
	if e.facts.Server.Name == e.facts.Link.Name {
		return
	}
	for _, lease := range e.activeLeases() {
		name, _, _ := strings.Cut(lease.Container(), "/")
		if name == "" || e.isOwn(lease) || len(e.facts.Bridge.Peers) == maxPeers {
			continue
		}
		peer := doctor.Peer{Container: name, Path: doctor.Path{Target: lease.Address.String()}}
		peer.Inside = e.fromInside(func() error { return probe.Ping(lease.Address) })
		if e.facts.Bridge.Peers = append(e.facts.Bridge.Peers, peer); peer.Inside == doctor.Answer {
			return
		}
	}
}
