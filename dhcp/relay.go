package dhcp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Relay passes the requests of the clients on one link on to a server elsewhere, and its replies back (RFC 1542, section 4): RelayTarget=
// of systemd.network(5).
type Relay struct {
	Address   netip.Addr // of the host on the link: giaddr
	CircuitID string     // RFC 3046, section 3.1; empty: not said
	RemoteID  string     // section 3.2
}

// maxHops is how many relay agents a request may have passed (RFC 1542, section 4.1.1).
const maxHops = 16

// Request returns what the server gets. An error says why a request goes no further.
func (r *Relay) Request(packet []byte) ([]byte, error) {
	m, err := dhcpv4.FromBytes(packet)
	if err != nil {
		return nil, fmt.Errorf("request of %d bytes: %w", len(packet), err)
	}
	relayed := given(m.GatewayIPAddr)
	switch {
	case m.OpCode != dhcpv4.OpcodeBootRequest:
		return nil, errors.New("request is none")
	case m.HopCount >= maxHops:
		return nil, fmt.Errorf("request passed %d relay agents", m.HopCount)
	case relayed == r.Address, !relayed.IsValid() && m.Options.Has(dhcpv4.OptionRelayAgentInformation):
		return nil, errors.New("request of a client that speaks for the relay agent") // RFC 3046, sections 2.1 and 2.1.1
	}
	m.HopCount++
	if !relayed.IsValid() {
		m.GatewayIPAddr = r.Address.AsSlice()
		if information := r.information(); information != nil {
			m.Options[dhcpv4.OptionRelayAgentInformation.Code()] = information
		}
	}
	return m.ToBytes(), nil
}

// information is option 82; nil: there is nothing to say.
func (r *Relay) information() (option []byte) {
	const circuitID, remoteID = 1, 2
	if r.CircuitID != "" {
		option = append(append(option, circuitID, byte(len(r.CircuitID))), r.CircuitID...)
	}
	if r.RemoteID != "" {
		option = append(append(option, remoteID, byte(len(r.RemoteID))), r.RemoteID...)
	}
	return option
}

// Reply returns what a client gets, and where that is. An error says why a reply goes no further.
func (r *Relay) Reply(packet []byte) ([]byte, Destination, error) {
	m, err := dhcpv4.FromBytes(packet)
	switch {
	case err != nil:
		return nil, Destination{}, fmt.Errorf("reply of %d bytes: %w", len(packet), err)
	case m.OpCode != dhcpv4.OpcodeBootReply || given(m.GatewayIPAddr) != r.Address:
		return nil, Destination{}, errors.New("reply is for another relay agent")
	}
	delete(m.Options, dhcpv4.OptionRelayAgentInformation.Code())
	reply := m.ToBytes()
	m.GatewayIPAddr = net.IPv4zero
	return reply, ReplyTo(m), nil
}
