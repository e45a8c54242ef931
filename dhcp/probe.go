package dhcp

import (
	"fmt"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// maxProbes bounds the probes that run at a time. A request beyond is not answered: its client asks again.
	maxProbes = 64

	// maxRounds bounds the addresses that are probed for one request.
	maxRounds = 4
)

// toProbe says whether a new address must be probed before this client hears of it (RFC 2131, section 3.1): a host that never asked the
// server may use it. What the client had before and what an administrator gave it is its own; and behind a relay agent ARP sees nothing.
func (e *exchange) toProbe(address netip.Addr) bool {
	s := e.server
	if s.policy.probe == nil || given(e.request.GatewayIPAddr).IsValid() {
		return false
	}
	if _, static := s.static[e.hardware]; static {
		return false
	}
	own := s.leases.at(number(address))
	if own.client == e.client && own.has(onceLeased|free) {
		return false
	}
	if own.client == e.client && own.has(probing) {
		return true // the answer is on its way
	}
	e.offer(address) // keeps it from others meanwhile
	s.leases.mark(number(address), probing, true)
	e.probe = address
	return true
}

// probed takes the outcome of a probe.
func (s *Server) probed(address netip.Addr, inUse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.leases.at(number(address))
	if !own.has(probing) {
		return // the offer is over
	}
	s.leases.mark(own.address, probing, false)
	if inUse && own.state == offered { // otherwise its client took it meanwhile, and answered
		s.leases.decline(own, s.now+declineTime)
		return
	}
	s.leases.mark(own.address, free, true)
}

// unprobed says that there will be no outcome.
func (s *Server) unprobed(address netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases.mark(number(address), probing, false)
}

// probe has an address probed while other requests are answered, and then handles the request again.
func (r *Responder) probe(request *dhcpv4.DHCPv4, address netip.Addr) {
	select {
	case r.probes <- struct{}{}:
	default:
		r.server.unprobed(address) // the client asks again
		return
	}
	r.probing.Go(func() {
		defer func() { <-r.probes }()
		for range maxRounds {
			owner, err := r.server.policy.probe(address)
			inUse := err == nil && owner != (HardwareAddr{})
			r.server.probed(address, inUse)
			switch {
			case err != nil:
				r.problems.add(fmt.Errorf("%s: probe %v: %w", r.server.policy.link, address, err))
			case inUse:
				r.problems.add(fmt.Errorf("%s: %v is in use by %v, which has no lease: not given to others for 10 minutes",
					r.server.policy.link, address, owner))
			}
			if address = r.handle(request); !address.IsValid() {
				return
			}
		}
	})
}
