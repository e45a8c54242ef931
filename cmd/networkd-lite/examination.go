package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/doctor"
	"nspawnkit/network/firewall"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/probe"
	"nspawnkit/network/networkd"
)

// examination gathers the facts about a container's network.
type examination struct {
	paths
	facts    *doctor.Facts
	status   status
	links    []network.Link
	machine  *network.Machine
	machines network.Machines
	hardware dhcp.HardwareAddr // of the container's side
	inside   *probe.Namespace  // nil: not found
}

// probeLink is the link of the namespace that stands for a container where none is named. "+" is in no name of a container.
const probeLink = network.VethPrefix + "doctor+"

// How long things may take that are done within milliseconds.
const (
	probeTime    = 5 * time.Second
	discoverTime = 5 * time.Second
)

// gather finds out what there is, step by step: what needs something that is not there stays unknown.
func (e *examination) gather() error {
	var err error
	if e.facts.Running, err = kernel.Locked(e.lock()); err != nil {
		return err
	}
	if err := e.look(); err != nil {
		return err
	}
	if e.facts.Container == "" && e.facts.Running {
		if err := e.makeProbe(); err != nil {
			return err
		}
		defer e.inside.Close()
	}
	e.findLink()
	if !e.facts.Link.Exists {
		return nil
	}
	if err := e.readHost(); err != nil {
		return err
	}
	e.readHost6()
	e.facts.Fixed = e.machines.HasFixed(e.facts.Link.Name, netip.Addr.Is4)
	if e.inside == nil {
		var err error
		e.inside, err = probe.Find(e.facts.Link.Name)
		if errors.Is(err, probe.ErrNoNamespace) {
			return nil
		}
		if err != nil {
			return err
		}
		defer e.inside.Close()
	}
	return e.probeFromInside()
}

// look reads what is there: the status of the daemon, links, machines.
func (e *examination) look() (err error) {
	if e.facts.Running {
		if e.status, err = loadStatus(e.paths); err != nil {
			return err
		}
	}
	links, err := kernel.OpenLinks()
	if err != nil {
		return err
	}
	defer links.Close()
	if e.links, err = links.List(); err != nil {
		return err
	}
	e.machines, _ = (&network.MachineFiles{Root: os.DirFS(e.root)}).Read() // the daemon reports what is wrong with them
	for i := range e.machines {
		if e.machines[i].Name == e.facts.Container {
			e.machine = &e.machines[i]
		}
	}
	return nil
}

// makeProbe makes a link to a namespace without a container, and waits until the daemon looks after it.
func (e *examination) makeProbe() (err error) {
	if e.inside, err = probe.New(probeLink); err != nil {
		return err
	}
	for end := time.Now().Add(probeTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := e.look(); err != nil {
			return errors.Join(err, e.inside.Close())
		}
		if s := e.statusOf(probeLink); s != nil && (s.DHCPServer || s.Failed) {
			break
		}
	}
	return nil
}

// findLink finds the host side of the container's link, and the link that has the addresses.
func (e *examination) findLink() {
	name := e.facts.Container
	wanted := []string{network.VethPrefix + name, network.BridgePrefix + name}
	if name == "" {
		wanted = []string{probeLink}
	} else if e.machine != nil && len(e.machine.Links) > 0 {
		wanted = []string{e.machine.Links[0].Host}
	}
	for _, l := range e.links {
		if slices.Contains(wanted, l.Name) || slices.ContainsFunc(l.AltNames, func(a string) bool { return slices.Contains(wanted, a) }) {
			e.facts.Link = e.describe(l.Name)
			e.facts.Server = e.facts.Link
			if strings.HasPrefix(l.Name, network.BridgePrefix) {
				e.facts.Server = e.describe(probe.Master(l.Name))
			}
			return
		}
	}
}

// describe returns what is known of a link.
func (e *examination) describe(name string) doctor.Link {
	link := doctor.Link{Name: name, Status: e.statusOf(name)}
	for _, l := range e.links {
		if l.Name == name {
			link.Exists, link.Up, link.Carrier, link.Addresses = true, l.Up, l.Carrier, l.Addresses
		}
	}
	return link
}

// statusOf returns what the daemon says of a link; nil if nothing. What it says of an earlier link of the name does not count.
func (e *examination) statusOf(name string) *doctor.Status {
	index := 0
	for _, l := range e.links {
		if l.Name == name {
			index = l.Index
		}
	}
	for _, l := range e.status.Links {
		if l.Name == name && l.Index == index {
			status := &doctor.Status{
				Owner: l.Owner, File: l.File, Text: l.Text, Failed: l.Failed, DHCPServer: l.DHCPServer, DNSServer: l.DNSServer,
				Masquerade: slices.Contains(l.Masquerade, "ipv4"), Masquerade6: slices.Contains(l.Masquerade, "ipv6"), Problems: l.Problems,
				Declined: l.Declined,
			}
			if l.Owner == "systemd-networkd" {
				state := networkd.ReadState(os.DirFS(e.root), index)
				status.Failed = status.Failed || state.Failed
				if strings.Trim(state.File, word+"/") == "" {
					status.File = state.File
				}
			}
			return status
		}
	}
	return nil
}

// readHost reads the settings of the kernel and its packet filters.
func (e *examination) readHost() error {
	server := e.facts.Server.Name
	for _, path := range slices.Concat(doctor.Sysctls(server), doctor.Sysctls6()) {
		if value, err := kernel.GetSysctl(path); err == nil {
			e.facts.Sysctls[path] = strings.TrimSpace(value)
		}
	}
	if err := e.readBridge(); err != nil {
		return err
	}
	e.askNetworkManager()
	e.findListeners()
	e.askResolvers()
	filter, err := kernel.NewFirewall()
	if err != nil {
		return err
	}
	table := &e.facts.Table
	exists, families, err := filter.Masquerades(server)
	if err != nil {
		return err
	}
	*table = doctor.Table{Known: true, Exists: exists, Masquerades: families.IPv4, Masquerades6: families.IPv6}
	certain, err := certainDrops()
	if err != nil {
		return err
	}
	droppers, err := filter.Droppers()
	for _, d := range droppers {
		f := foreign(d, server)
		if finding, ok := certain[f.Chain]; ok && !d.Input {
			f.Rule, f.Allow, f.Certain = finding.Rule, finding.Command, true
		}
		if d.Family != "ip6" {
			e.facts.Foreign = append(e.facts.Foreign, f)
		}
		if d.Family != "ip" {
			e.facts.IPv6.Foreign = append(e.facts.IPv6.Foreign, foreign6(f, d, server))
		}
	}
	return err
}

// certainDrops returns which chains of others drop packets of containers for certain, by name.
func certainDrops() (map[string]firewall.Finding, error) {
	data, err := kernel.XTables{}.Ruleset()
	if err != nil || len(data) == 0 {
		return nil, err
	}
	findings, err := firewall.Inspect(data, passedOver)
	byChain := map[string]firewall.Finding{}
	for _, f := range findings {
		name := "nft chain " + f.Chain
		if earlier, ok := byChain[name]; ok {
			f.Command = earlier.Command + " && " + f.Command
		}
		byChain[name] = f
	}
	return byChain, err
}

// identifier is what the names of nft(8) consist of, and the spaces between them.
const identifier = " -_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// foreign puts a chain of somebody else into words, and into the command that would let packets of the link through.
func foreign(d kernel.Dropper, link string) doctor.Foreign {
	place := fmt.Sprintf("%s %s %s", d.Family, d.Table, d.Chain)
	f := doctor.Foreign{Chain: "nft chain " + strings.Trim(strconv.Quote(place), `"`), Rule: "a rule that may drop", Input: d.Input}
	if d.Policy {
		f.Rule = "policy drop"
	}
	if strings.Trim(place, identifier) != "" {
		f.Allow = "nft list ruleset" // nft(8) does not read every name that the kernel takes
		f.AllowBridge = f.Allow
		return f
	}
	if d.Input {
		f.Allow = fmt.Sprintf("nft 'insert rule %s iifname %q udp dport { 53, 67 } accept'", place, link)
		return f
	}
	f.AllowBridge = fmt.Sprintf("nft 'insert rule %s iifname %q oifname %[2]q accept'", place, link)
	f.Allow = fmt.Sprintf("nft 'insert rule %s iifname %q accept; insert rule %s oifname %q ct state established,related accept'", place, link, place, link)
	return f
}

// probeFromInside looks at the container's side, and sends packets from there.
func (e *examination) probeFromInside() error {
	in, err := e.inside.Inside()
	if err != nil {
		return err
	}
	e.facts.Inside = doctor.Inside{Found: true, Interface: printable(in.Interface), Up: in.Up, Addresses: in.Addresses, Router: in.Router}
	copy(e.hardware[:], in.Hardware)
	if !in.Up || !e.facts.Link.Up {
		return nil
	}
	if err := e.discover(); err != nil {
		return err
	}
	if err := e.readDecline(); err != nil {
		return err
	}
	if err := e.probe4(); err != nil {
		return err
	}
	return e.probe6()
}

// printable is the name of an interface of the container, which may call it anything that the kernel takes.
func printable(name string) string {
	if network.ValidInterfaceName(name) != nil {
		return strconv.Quote(name)
	}
	return name
}

// probe4 sends IPv4 packets from inside.
func (e *examination) probe4() error {
	if len(e.facts.Inside.Addresses) == 0 {
		return nil
	}
	var err error
	if e.facts.Rivals, err = e.rivals(e.facts.Inside.Addresses[0].Addr()); err != nil {
		return err
	}
	e.tryPeers()
	e.facts.ReverseLink = probe.LinkTo(e.facts.Inside.Addresses[0].Addr())
	if err := e.pingHost(); err != nil {
		return err
	}
	if err := e.probeOutside(); err != nil {
		return err
	}
	e.facts.Ports = e.tryPorts(e.facts.Inside.Addresses[0].Addr(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	return nil
}

// discover asks for a DHCP server. The probe takes what it is offered.
func (e *examination) discover() error {
	ctx, cancel := context.WithTimeout(context.Background(), discoverTime)
	defer cancel()
	e.facts.DHCP.Tried = true
	if file, _ := e.fileOf(e.facts.Server); file != nil {
		e.facts.DHCP.Relayed = file.Config.Server.RelayTarget.IsValid()
	}
	offer, err := e.inside.Discover(ctx)
	if err == nil && offer == nil {
		e.readPool()
	}
	if err != nil || offer == nil {
		return err
	}
	told := &e.facts.DHCP
	told.Offered, _ = netip.AddrFromSlice(offer.YourIPAddr.To4())
	told.Server, _ = netip.AddrFromSlice(offer.ServerIdentifier().To4())
	told.ServerIsHost = e.ours(told.Server)
	for _, server := range offer.DNS() {
		if address, ok := netip.AddrFromSlice(server.To4()); ok {
			told.DNS = append(told.DNS, address)
		}
	}
	if e.facts.Container != "" {
		return nil
	}
	bits, _ := offer.SubnetMask().Size()
	inside := &e.facts.Inside
	inside.Addresses = []netip.Prefix{netip.PrefixFrom(told.Offered, bits)}
	if routers := offer.Router(); len(routers) > 0 {
		inside.Router, _ = netip.AddrFromSlice(routers[0].To4())
	}
	return e.inside.Configure(inside.Addresses[0], inside.Router)
}
