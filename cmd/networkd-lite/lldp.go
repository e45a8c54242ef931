package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/lldpsocket"
	"nspawnkit/network/lldp"
	"nspawnkit/network/manager"
)

// lldpFile holds the neighbours that the running daemon has heard of.
const lldpFile = "lldp.json"

// startLLDP gives the manager what sends LLDP frames and hears those of neighbours, until ctx ends, and says what of the host below root.
func startLLDP(ctx context.Context, m *manager.Manager, root fs.FS, socket *lldpsocket.Socket) error {
	frames, err := kernel.OpenFrames()
	if err != nil {
		return err
	}
	sender := lldp.NewSender(frames.Send, func(n time.Duration) time.Duration { return rand.N(n) })
	m.LLDP, m.Station = sender, func() lldp.Station { return network.ReadStation(root) }
	go func() {
		defer frames.Close()
		sender.Run(ctx)
	}()
	neighbours := lldp.NewNeighbours(func(list []lldp.Neighbour) {
		data, err := json.MarshalIndent(list, "", "\t")
		if err == nil {
			err = m.Runtime.Save(lldpFile, data)
		}
		if err != nil {
			m.Report(manager.Warning, fmt.Sprintf("save %s: %v", lldpFile, err))
		}
	})
	m.ListenLLDP = neighbours.Listen
	go neighbours.Run(ctx)
	return socket.Receive(neighbours.Receive)
}

// lldpNeighbours are the neighbours of all links.
type lldpNeighbours []lldp.Neighbour

// readLLDP reads what the running daemon has heard.
func readLLDP(p paths) (table, error) {
	if err := mustRun(p); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(p.runtime, lldpFile))
	if err != nil {
		return nil, err
	}
	var list lldpNeighbours
	err = json.Unmarshal(data, &list)
	return list, err
}

func (n lldpNeighbours) rows() [][]string {
	rows := [][]string{{"LINK", "SYSTEM-NAME", "SYSTEM-DESCRIPTION", "CHASSIS-ID", "PORT-ID", "PORT-DESCRIPTION", "CAPS"}}
	said := func(text string) string {
		if text == "" {
			return "-"
		}
		return text
	}
	for _, one := range n {
		rows = append(rows, []string{
			one.Link, said(one.SystemName), said(one.SystemDescription), one.ChassisID, one.PortID, said(one.PortDescription), one.Capabilities.String(),
		})
	}
	return rows
}
