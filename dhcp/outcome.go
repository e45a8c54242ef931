package dhcp

import (
	"errors"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// maxOutcomes bounds what is remembered of clients without a lease: a link may have as many as somebody cares to invent.
const maxOutcomes = 64

// Outcome is what has come of the requests of a client since the server started. The zero Outcome is that of a client that was not
// heard of.
type Outcome struct {
	Asked   bool
	Leased  bool       // it holds a lease
	Heard   bool       // it asked for the lease itself; false for one that was only read from the journal
	Offered netip.Addr // the address of the latest DHCPOFFER, when nothing came after it
	Other   netip.Addr // the server that the client chose in place of this one
	Refused error      // why the latest request got no address

	Declined netip.Addr // the address that it got last, and gave back: it found that somebody else uses it
}

// String says in words why there is no lease.
func (o Outcome) String() string {
	switch {
	case o.Refused != nil:
		return "its DHCP request was refused: " + o.Refused.Error()
	case o.Other.IsValid():
		return "it chose another DHCP server, " + o.Other.String()
	case o.Declined.IsValid():
		return "it declined " + o.Declined.String() + ", which " + ErrDeclined.Error()
	case o.Offered.IsValid():
		return "it was offered " + o.Offered.String() + " and does not ask for it"
	case o.Asked:
		return "its DHCP requests need no answer"
	}
	return "no DHCP request came"
}

// outcomes remembers those of the clients that were heard of last and have no lease.
type outcomes struct {
	byHardware map[HardwareAddr]*Outcome // pointers, as a map that is never still has many times the room that it needs
	latest     Outcome
}

// note takes down what came of a request. What a client does with a lease that it has (DHCPRELEASE, DHCPINFORM) is no request for one.
func (o *outcomes) note(e *exchange, reply *dhcpv4.DHCPv4, problem error) {
	outcome := Outcome{Asked: true, Refused: problem}
	kind := e.request.MessageType()
	declines := kind == dhcpv4.MessageTypeDecline && errors.Is(problem, ErrDeclined)
	if kind != dhcpv4.MessageTypeDiscover && kind != dhcpv4.MessageTypeRequest && !declines {
		return
	}
	before := o.byHardware[e.hardware]
	if before != nil {
		outcome.Declined = before.Declined
	}
	switch chosen := given(e.request.ServerIdentifier()); {
	case declines:
		outcome.Declined, outcome.Refused = e.wanted, nil
	case reply != nil && reply.MessageType() == dhcpv4.MessageTypeAck:
		if delete(o.byHardware, e.hardware); len(o.byHardware) == 0 {
			o.byHardware = nil // an empty map has room still
		}
		o.latest = Outcome{}
		return
	case reply != nil && reply.MessageType() == dhcpv4.MessageTypeOffer:
		outcome.Offered = given(reply.YourIPAddr)
	case chosen.IsValid() && chosen != e.server.Address():
		outcome.Other = chosen
	}
	if before == nil {
		before = o.add(e.hardware)
	}
	*before, o.latest = outcome, outcome
}

// add makes room for one more client, in the place of another where there are too many.
func (o *outcomes) add(hardware HardwareAddr) *Outcome {
	if o.byHardware == nil {
		o.byHardware = map[HardwareAddr]*Outcome{}
	}
	if len(o.byHardware) == maxOutcomes {
		for some := range o.byHardware {
			delete(o.byHardware, some)
			break
		}
	}
	added := &Outcome{}
	o.byHardware[hardware] = added
	return added
}

// Outcome returns what has come of the requests of the client with that hardware address; with the zero address, of the client that
// was heard of last, or of any that has a lease.
func (s *Server) Outcome(hardware HardwareAddr) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	anybody := hardware == HardwareAddr{}
	var outcome Outcome
	if known := s.outcomes.byHardware[hardware]; anybody {
		outcome = s.outcomes.latest
	} else if known != nil {
		outcome = *known
	}
	s.advance(s.policy.now().Unix())
	for i := range s.leases.deadlines.addresses {
		if at := s.leases.deadlines.at(i); at.state == bound && (anybody || at.hardware == hardware) {
			outcome.Leased, outcome.Heard = true, outcome.Heard || at.marks.has(heard)
		}
	}
	return outcome
}
