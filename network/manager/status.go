package manager

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"nspawnkit/network"
)

// The files of a [Store].
const (
	SubnetsFile  = "subnets.json"
	PrefixesFile = "prefixes.json"
	StatusFile   = "status.json"
)

// Status is what networkd-lite does at the moment, as status.json has it.
type Status struct {
	Version int          `json:"version"` // 1
	Links   []LinkStatus `json:"links"`   // by name
}

// LinkStatus is what networkd-lite does with one link.
type LinkStatus struct {
	Index                int                                      `json:"index"`
	Name                 string                                   `json:"name"`
	Owner                string                                   `json:"owner,omitempty"`           // "networkd-lite" or "systemd-networkd", which looks after it; empty: nobody
	File                 string                                   `json:"file,omitempty"`            // the .network file; empty: the link is left alone
	Addresses            []netip.Prefix                           `json:"addresses,omitempty"`       // set by networkd-lite
	Routes               []network.StaticRoute                    `json:"routes,omitempty"`          // the same
	NextHops             []network.NextHop                        `json:"nextHops,omitempty"`        // the same
	AddressSettings      map[netip.Prefix]network.AddressSettings `json:"addressSettings,omitempty"` // of some of them
	DHCPServer           bool                                     `json:"dhcpServer"`
	DNSServer            []netip.Addr                             `json:"dnsServer,omitempty"` // addresses at which names are served
	RouterAdvertisements bool                                     `json:"routerAdvertisements"`
	Masquerade           []string                                 `json:"masquerade,omitempty"` // "ipv4", "ipv6"
	Text                 string                                   `json:"text"`                 // the last message about the link
	Failed               bool                                     `json:"failed"`
	Subnet               string                                   `json:"subnet,omitempty"`   // chosen for Address=0.0.0.0/N
	Prefix               string                                   `json:"prefix,omitempty"`   // chosen for Address=::/N
	Declined             netip.Addr                               `json:"declined,omitzero"`  // the address that the container's DHCP client declined last, having got none since
	Problems             []string                                 `json:"problems,omitempty"` // what goes wrong although the link is as it is to be
}

// addressesOf returns the addresses that were set, if the entry is about the link of that name.
func (s LinkStatus) addressesOf(name string) []netip.Prefix {
	if s.Name != name {
		return nil
	}
	return s.Addresses
}

// Status returns the state of all links that are served, by name.
func (m *Manager) Status() Status {
	status := Status{Version: 1, Links: []LinkStatus{}}
	for _, l := range m.links {
		s := LinkStatus{
			Index: l.Index, Name: l.Name, Addresses: l.ours, AddressSettings: l.settings, Routes: l.routes, NextHops: l.nextHops, DHCPServer: l.server != nil, RouterAdvertisements: l.router != nil,
			Masquerade: familyNames(l.state.Masquerade), Text: l.note, Failed: l.err != nil,
			Problems: l.problems(), Declined: l.declined, DNSServer: l.nameAddresses(),
		}
		if l.subnet.IsValid() {
			s.Subnet = l.subnet.String()
		}
		if l.prefix.IsValid() {
			s.Prefix = l.prefix.String()
		}
		if l.file != nil {
			s.Owner, s.File = "networkd-lite", l.file.Path
		} else if m.Owner.Manages(l.Index) {
			s.Owner = "systemd-networkd"
		}
		status.Links = append(status.Links, s)
	}
	slices.SortFunc(status.Links, func(a, b LinkStatus) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return status
}

func familyNames(f network.Families) []string {
	var names []string
	if f.IPv4 {
		names = append(names, "ipv4")
	}
	if f.IPv6 {
		names = append(names, "ipv6")
	}
	return names
}

// saveStatus writes status.json when it says something new.
func (m *Manager) saveStatus() {
	data, err := json.MarshalIndent(m.Status(), "", "\t")
	sum := sha256.Sum256(data)
	if err == nil && sum == m.saved {
		return
	}
	if err == nil {
		err = m.Runtime.Save(StatusFile, data)
	}
	if err != nil {
		m.Report(Warning, fmt.Sprintf("save %s: %v", StatusFile, err))
		return
	}
	m.saved = sum
}

// loadStatus reads what an earlier process had set, so that it can be taken back. Losing it only means that addresses
// stay on links that are not configured any more.
func (m *Manager) loadStatus() {
	var status Status
	data, err := m.Runtime.Load(StatusFile)
	if err == nil && data != nil {
		err = json.Unmarshal(data, &status)
	}
	if err != nil {
		m.Report(Warning, fmt.Sprintf("read %s: %v", StatusFile, err))
	}
	m.previous = map[int]LinkStatus{}
	for _, l := range status.Links {
		m.previous[l.Index] = l
	}
}

// loadSubnets reads the subnets that were chosen earlier. A file that cannot be read is kept under another name; links
// that are up keep their subnet even so.
func (m *Manager) loadSubnets() {
	data, err := m.State.Load(SubnetsFile)
	if err == nil && data != nil {
		if err = json.Unmarshal(data, &m.subnets); err != nil {
			err = fmt.Errorf("%w, kept as %s.bad", err, SubnetsFile)
			m.State.Save(SubnetsFile+".bad", data)
		}
	}
	if err != nil {
		m.Report(Error, fmt.Sprintf("read %s: %v", SubnetsFile, err))
	}
}

// saveSubnets writes the chosen subnets. A container gets its address even if they cannot be kept.
func (m *Manager) saveSubnets() {
	data, err := json.MarshalIndent(&m.subnets, "", "\t")
	if err == nil {
		err = m.State.Save(SubnetsFile, data)
	}
	if err != nil {
		m.Report(Error, fmt.Sprintf("save %s: %v", SubnetsFile, err))
	}
}
