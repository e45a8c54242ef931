package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/manager"
)

// ports are those that are published.
type ports []portRow

type portRow struct {
	manager.PortStatus
	// Connections is how many connections came in since the port leads where it does; missing where the packet filter cannot be read.
	Connections *uint64 `json:"connections,omitempty"`
}

func readPorts(p paths) (table, error) {
	if err := mustRun(p); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(p.runtime, manager.PortsFile))
	if err != nil {
		return nil, err
	}
	var status manager.PortsStatus
	if err := json.Unmarshal(data, &status); err != nil {
		return nil, err
	}
	counters, _ := readCounters() // who is not root sees the rest
	list := ports{}
	for _, port := range status.Ports {
		row := portRow{PortStatus: port}
		if counters != nil && port.Owner == "" {
			count := uint64(0)
			for _, key := range port.Keys() {
				count += counters[key]
			}
			row.Connections = &count
		}
		list = append(list, row)
	}
	return list, nil
}

func readCounters() (map[network.PortKey]uint64, error) {
	firewall, err := kernel.NewFirewall()
	if err != nil {
		return nil, err
	}
	return firewall.PortCounters()
}

func (p ports) rows() [][]string {
	rows := [][]string{{"PORT", "MACHINE", "TARGET", "CONNECTIONS"}}
	for _, r := range p {
		connections := "-"
		if r.Connections != nil {
			connections = fmt.Sprint(*r.Connections)
		}
		rows = append(rows, []string{r.String(), r.Machine, r.target(), connections})
	}
	return rows
}

// target says where the port leads.
func (r portRow) target() string {
	if r.Owner != "" {
		return "published by container " + r.Owner
	}
	if len(r.Targets) == 0 {
		return "no address yet"
	}
	last := ""
	if r.Count > 1 {
		last = fmt.Sprintf("-%d", r.Container+r.Count-1)
	}
	var list []string
	for _, a := range r.Targets {
		list = append(list, netip.AddrPortFrom(a, r.Container).String()+last)
	}
	return strings.Join(list, ", ")
}
