package dhcp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// Bounds of a client identifier: RFC 2132, section 9.14, and one option.
const (
	minClientIdentifier = 2
	maxClientIdentifier = 255
	maxRelayInformation = 255
)

// exchange is one request on its way to a reply; its methods hold the server's lock, but for identify.
type exchange struct {
	server  *Server
	request *dhcpv4.DHCPv4

	hardware HardwareAddr
	client   string // see Lease.Client
	former   string // of a container: what it would be without Config.Containers
	hostName string
	ciaddr   netip.Addr // the zero netip.Addr where the request has none
	wanted   netip.Addr // requested IP address, option 50

	changed *Lease
	probe   netip.Addr // an address to probe, see Config.Probe
}

// identify reads from the request what it says of its sender.
func (e *exchange) identify() error {
	r := e.request
	switch {
	case r.OpCode != dhcpv4.OpcodeBootRequest:
		return fmt.Errorf("operation %d is not a request", r.OpCode)
	case r.HWType != iana.HWTypeEthernet || len(r.ClientHWAddr) != len(e.hardware):
		return errors.New("not an Ethernet client")
	case r.ClientHWAddr[0]&1 != 0:
		return fmt.Errorf("%v is a group address", r.ClientHWAddr)
	}
	copy(e.hardware[:], r.ClientHWAddr)
	e.client = clientOf(e.hardware)
	if identifier := r.GetOneOption(dhcpv4.OptionClientIdentifier); len(identifier) > maxClientIdentifier {
		return fmt.Errorf("client identifier of %d bytes", len(identifier))
	} else if len(identifier) >= minClientIdentifier && !strings.HasPrefix(string(identifier), containerPrefix) {
		e.client = string(identifier)
	}
	if name := e.server.policy.containers.name(e.hardware); name != "" {
		e.client, e.former = containerPrefix+name, e.client
	}
	if n := len(r.GetOneOption(dhcpv4.OptionRelayAgentInformation)); n > maxRelayInformation {
		return fmt.Errorf("relay agent information of %d bytes", n)
	}
	if name := r.HostName(); validHostName(name) {
		e.hostName = name
	}
	e.ciaddr = given(r.ClientIPAddr)
	e.wanted = given(r.RequestedIPAddress())
	if relay := given(r.GatewayIPAddr); relay.IsValid() && !e.server.policy.assignable(relay) {
		return fmt.Errorf("relay agent %v is not in %v", relay, e.server.policy.serverAddress.Masked())
	}
	return nil
}

// given returns ip, or the zero netip.Addr where ip is missing or 0.0.0.0.
func given(ip net.IP) netip.Addr {
	address, ok := netip.AddrFromSlice(ip.To4())
	if !ok || address.IsUnspecified() {
		return netip.Addr{}
	}
	return address
}

// discover answers DHCPDISCOVER (section 4.3.1).
func (e *exchange) discover() (*dhcpv4.DHCPv4, error) {
	address, err := e.choose()
	if err != nil {
		return nil, err
	}
	if e.toProbe(address) {
		return nil, nil
	}
	if e.server.policy.rapidCommit && e.request.Options.Has(dhcpv4.OptionRapidCommit) {
		reply := e.acknowledge(address)
		reply.Options[dhcpv4.OptionRapidCommit.Code()] = nil
		return reply, nil
	}
	e.offer(address)
	return e.configured(dhcpv4.MessageTypeOffer, address), nil
}

// choose picks the address to offer: the static one, the client's present or former one, the one it asks for, or a free one.
func (e *exchange) choose() (netip.Addr, error) {
	s := e.server
	if static, ok := s.static[e.hardware]; ok {
		return static.Address, nil
	}
	own := s.leases.of(e.client)
	if own.state == bound {
		return address(own.address), nil
	}
	if heir := e.heirOf(); heir.state != none {
		return address(heir.address), nil
	}
	if s.policy.maxLeases > 0 && s.leases.leases >= s.policy.maxLeases {
		return netip.Addr{}, s.exhausted(fmt.Errorf("%w; PoolSize= allows more", ErrMaxLeases))
	}
	if own.state != none && s.leases.dynamic(own.address) {
		return address(own.address), nil
	}
	if e.wanted.IsValid() && s.leases.vacant(number(e.wanted)) {
		return e.wanted, nil
	}
	free, ok := s.leases.free(clientHash(e.client))
	if !ok {
		return netip.Addr{}, s.exhausted(fmt.Errorf("%w of %d; a larger subnet or PoolSize= has more", ErrNoAddress, s.policy.poolSize))
	}
	s.starved = false
	return address(free), nil
}

// heirOf returns the lease that this client takes over because it is the only one of a point-to-point link, see Config.MaxLeases; an
// entry in state none without one.
func (e *exchange) heirOf() entry {
	s := e.server
	if s.policy.maxLeases != 1 || s.leases.leases == 0 {
		return entry{}
	}
	if holder := s.leases.holder(); holder.hardware == e.hardware || !holder.has(heard) {
		return holder
	}
	return entry{}
}

// offer keeps address for the client for a while. What the client already has needs no keeping.
func (e *exchange) offer(address netip.Addr) {
	t := e.server.leases
	if t.at(number(address)).state == bound {
		return
	}
	t.put(e.entry(address), offered, e.server.now+offerTime)
}

// entry returns the entry of address for this client: the present one if it has it.
func (e *exchange) entry(address netip.Addr) entry {
	own := e.server.leases.of(e.client)
	if own.address != number(address) {
		own = entry{client: e.client, address: number(address)}
	}
	own.hardware = e.hardware
	own.marks |= heard
	if e.hostName != "" {
		own.hostName = e.hostName
	}
	return own
}

// requested answers DHCPREQUEST (section 4.3.2), which means one of four things.
func (e *exchange) requested() (*dhcpv4.DHCPv4, error) {
	s := e.server
	own := s.leases.of(e.client)
	_, static := s.static[e.hardware]
	chosen := given(e.request.ServerIdentifier())
	switch {
	case chosen.IsValid() && chosen != s.Address(): // SELECTING, and the client selected another server
		if own.state == offered {
			s.leases.end(own)
		}
		return nil, nil
	case chosen.IsValid() && e.wanted.IsValid() && !e.ciaddr.IsValid(): // SELECTING
		return e.grant(e.wanted)
	case !chosen.IsValid() && e.wanted.IsValid() && !e.ciaddr.IsValid(): // INIT-REBOOT
		if s.policy.assignable(e.wanted) && own.state == none && !static && e.heirOf().state == none {
			return nil, nil // no record of this client: MUST remain silent
		}
		return e.grant(e.wanted)
	case e.ciaddr.IsValid(): // RENEWING, REBINDING. No record of the client: the journal was lost; this server is the only authority.
		return e.grant(e.ciaddr)
	}
	return nil, errors.New("DHCPREQUEST without an address")
}

// grant leases address to the client, or refuses with a DHCPNAK.
func (e *exchange) grant(address netip.Addr) (*dhcpv4.DHCPv4, error) {
	if err := e.mayHave(address); err != nil {
		return e.nak(err.Error()), fmt.Errorf("asked for %v: %w", address, err)
	}
	return e.acknowledge(address), nil
}

// mayHave says why the client cannot have address.
func (e *exchange) mayHave(address netip.Addr) error {
	s := e.server
	if !s.policy.assignable(address) {
		return errors.New("address is not on this network")
	}
	if static, ok := s.static[e.hardware]; ok {
		if static.Address != address {
			return errors.New("client has a static lease of another address")
		}
		return nil
	}
	own := s.leases.of(e.client)
	if own.state == bound {
		if own.address != number(address) {
			return errors.New("client has a lease of another address")
		}
		return nil
	}
	if heir := e.heirOf(); heir.address == number(address) {
		return nil
	}
	if s.policy.maxLeases > 0 && s.leases.leases >= s.policy.maxLeases {
		return s.exhausted(ErrMaxLeases)
	}
	mine := own.address == number(address) && s.leases.dynamic(own.address)
	if !mine && !s.leases.vacant(number(address)) {
		return errors.New("address is not available")
	}
	return nil
}

// acknowledge leases address to the client.
func (e *exchange) acknowledge(address netip.Addr) *dhcpv4.DHCPv4 {
	s := e.server
	e.change(s.leases.put(e.entry(address), bound, s.now+int64(e.leaseTime()/time.Second)))
	return e.configured(dhcpv4.MessageTypeAck, address)
}

func (e *exchange) change(changed entry) {
	lease := changed.lease()
	e.changed = &lease
}

// leaseTime follows section 4.3.1: what the client asks for, within bounds.
func (e *exchange) leaseTime() time.Duration {
	policy := &e.server.policy
	wanted := e.request.IPAddressLeaseTime(0)
	if wanted <= 0 {
		return policy.defaultLeaseTime
	}
	return min(max(wanted, min(minLeaseTime, policy.defaultLeaseTime)), policy.maxLeaseTime).Truncate(time.Second)
}

// decline sets an address aside that the client found in use (section 4.3.3). Only its own: nobody declines for others.
func (e *exchange) decline() error {
	s := e.server
	own := s.leases.of(e.client)
	if own.state == none || own.hardware != e.hardware || address(own.address) != e.wanted {
		return nil
	}
	s.leases.decline(own, s.now+declineTime)
	if own.has(onceLeased) {
		own.deadline = s.now
		e.change(own)
	}
	return fmt.Errorf("%v %w", e.wanted, ErrDeclined)
}

// release ends the client's lease (section 4.3.4); the address is remembered for it.
func (e *exchange) release() {
	s := e.server
	own := s.leases.of(e.client)
	if own.state != bound || own.hardware != e.hardware || address(own.address) != e.ciaddr {
		return
	}
	own.deadline = s.now
	s.leases.end(own)
	e.change(own)
}

// inform answers DHCPINFORM (section 4.3.5): a configuration without an address.
func (e *exchange) inform() *dhcpv4.DHCPv4 {
	if !e.ciaddr.IsValid() || !e.server.policy.assignable(e.ciaddr) {
		return nil
	}
	return e.configured(dhcpv4.MessageTypeAck, netip.Addr{})
}
