package main

import (
	"fmt"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/kernel/packet"
	"nspawnkit/network/manager"
)

// dhcpRelay is the [manager.Server] of a link whose clients a server elsewhere answers.
type dhcpRelay struct {
	dhcp.Relay
	link     *packet.Conn
	upstream *packet.Upstream
}

// openRelay opens the relay agent of a link.
func (d dhcpServers) openRelay(l network.Link, config dhcp.Config, failed func(error)) (manager.Server, error) {
	r := &dhcpRelay{Relay: dhcp.Relay{Address: config.ServerAddress.Addr(), CircuitID: config.RelayAgentCircuitID, RemoteID: config.RelayAgentRemoteID}}
	var err error
	if r.link, err = d.sockets.Listen(l.Index, l.Name, r.Address); err != nil {
		return nil, err
	}
	if r.upstream, err = d.sockets.Upstream(r.Address, config.RelayTarget); err != nil {
		r.link.Close()
		return nil, err
	}
	report := dhcp.Throttled(func(err error) { d.report(manager.Warning, fmt.Sprintf("%s: DHCP relay: %v", l.Name, err)) }, time.Now)
	err = r.upstream.Receive(func(packet []byte) { report(r.reply(packet)) })
	if err == nil {
		if err = r.link.Receive(func(packet []byte) { report(r.request(packet)) }, failed); err != nil {
			r.upstream.Stop()
		}
	}
	if err != nil {
		r.upstream.Close()
		r.link.Close()
		return nil, err
	}
	return r, nil
}

func (r *dhcpRelay) request(packet []byte) error {
	request, err := r.Request(packet)
	if err != nil {
		return err
	}
	if err := r.upstream.Send(request); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

func (r *dhcpRelay) reply(packet []byte) error {
	reply, to, err := r.Reply(packet)
	if err != nil {
		return err
	}
	if err := r.link.Send(reply, to); err != nil {
		return fmt.Errorf("send reply to %v: %w", to.Address, err)
	}
	return nil
}

// Outcome is part of [manager.Server]. The server knows it, not the relay agent.
func (r *dhcpRelay) Outcome(dhcp.HardwareAddr) dhcp.Outcome { return dhcp.Outcome{} }

// Close is part of [manager.Server].
func (r *dhcpRelay) Close() {
	r.link.Stop()
	r.upstream.Stop()
	r.upstream.Close()
	r.link.Close()
}
