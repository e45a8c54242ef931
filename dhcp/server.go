package dhcp

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// offerTime is how long an offered address waits for its DHCPREQUEST. RFC 2131, section 4.4.1, has clients give up
	// the selection within seconds.
	offerTime = 30 // seconds

	// declineTime is how long an address that a client found in use is set aside.
	declineTime = 10 * 60 // seconds

	// minLeaseTime keeps clients from asking for a renewal, and so for a write to disk, every second.
	minLeaseTime = time.Minute

	// clockSlack is how far time may run backward, between the processors of a host say, before it counts as a set clock.
	clockSlack = 5 // seconds
)

// Why a client gets no address although nothing is wrong with its request; and why it gave one back (DHCPDECLINE).
var (
	ErrNoAddress = errors.New("no free address in the pool")
	ErrMaxLeases = errors.New("all leases that the link may have are given out")
	ErrDeclined  = errors.New("is in use by somebody else")
)

// Server holds the leases of one link. Its methods may be called from several goroutines.
type Server struct {
	policy  policy
	options []option // the same in each OFFER and ACK
	static  map[HardwareAddr]StaticLease

	mu      sync.Mutex
	leases  *table
	now     int64 // latest time seen
	starved bool  // a client got no address, and none was free since

	outcomes outcomes
}

// New returns a server without leases. Its errors name the setting that is wrong.
func New(config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("DHCP server of %s: %w", config.Link, err)
	}
	options, err := config.replyOptions()
	if err != nil {
		return nil, fmt.Errorf("DHCP server of %s: %w", config.Link, err)
	}
	s := &Server{policy: config.policy(), options: listed(options)}
	s.leases = newTable(number(config.ServerAddress.Masked().Addr())+config.PoolOffset, config.PoolSize)
	s.leases.reserve(number(config.ServerAddress.Addr()))
	if config.Router.IsValid() {
		s.leases.reserve(number(config.Router))
	}
	if len(config.StaticLeases) > 0 {
		s.static = map[HardwareAddr]StaticLease{}
	}
	for _, lease := range config.StaticLeases {
		s.static[lease.MACAddress] = lease
		s.leases.reserve(number(lease.Address))
	}
	return s, nil
}

// Reply answers one request as RFC 2131, section 4.3, has it; nil means no answer. The request may come from anybody: nothing in it
// is trusted. An error says why a request that looked sane got no answer or a DHCPNAK; it concerns the client, not the server.
func (s *Server) Reply(request *dhcpv4.DHCPv4, now time.Time) (*dhcpv4.DHCPv4, error) {
	a, err := s.answer(request, now)
	return a.reply, err
}

// answer is what comes of a request.
type answer struct {
	reply   *dhcpv4.DHCPv4
	changed *Lease     // for the journal
	probe   netip.Addr // valid: an address to probe; the request is to be handled again then
}

// exhausted wraps why a client gets no address, and tells whether that was said already.
func (s *Server) exhausted(why error) error {
	if s.starved {
		return repeated{why}
	}
	s.starved = true
	return why
}

// repeated is a problem that was reported and did not change.
type repeated struct{ error }

// Unwrap is part of [errors.Is].
func (r repeated) Unwrap() error { return r.error }

// answer is Reply that also tells what the reply depends on.
func (s *Server) answer(request *dhcpv4.DHCPv4, now time.Time) (answer, error) {
	e := exchange{request: request, server: s}
	if err := e.identify(); err != nil {
		return answer{}, fmt.Errorf("%s: request from %v: %w", s.policy.link, request.ClientHWAddr, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now.Unix())
	e.adopt()

	var reply *dhcpv4.DHCPv4
	var err error
	switch kind := request.MessageType(); kind {
	case dhcpv4.MessageTypeDiscover:
		reply, err = e.discover()
	case dhcpv4.MessageTypeRequest:
		reply, err = e.requested()
	case dhcpv4.MessageTypeDecline:
		err = e.decline()
	case dhcpv4.MessageTypeRelease:
		e.release()
	case dhcpv4.MessageTypeInform:
		reply = e.inform()
	default:
		err = fmt.Errorf("message type %d is not a client's", kind)
	}
	s.outcomes.note(&e, reply, err)
	if err != nil {
		err = fmt.Errorf("%s: request from %v: %w", s.policy.link, e.hardware, err)
	}
	return answer{reply, e.changed, e.probe}, err
}

// advance ends what has ended by now. A clock that was set back would make leases last too long: they are cut.
func (s *Server) advance(now int64) {
	if now < s.now-clockSlack {
		s.leases.cut(now + int64(s.policy.maxLeaseTime/time.Second))
		s.now = now
	}
	s.now = max(s.now, now)
	s.leases.advance(s.now)
}

// errOutside is of an address that the server would not give out (any more): the link may have got another subnet.
var errOutside = errors.New("not in the pool")

// Restore takes over a lease from the journal; a later one wins over an earlier one with the same address or client. It fails for
// addresses that the server would not give out (any more) and for impossible clients.
func (s *Server) Restore(lease Lease, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	static, isStatic := s.static[lease.Hardware]
	switch {
	case !lease.Address.Is4() || !s.leases.dynamic(number(lease.Address)) && !(isStatic && static.Address == lease.Address):
		return fmt.Errorf("%v is %w of %s", lease.Address, errOutside, s.policy.link)
	case len(lease.Client) < minClientIdentifier || len(lease.Client) > maxClientIdentifier:
		return fmt.Errorf("client identifier of %d bytes", len(lease.Client))
	case lease.HostName != "" && !validHostName(lease.HostName):
		return fmt.Errorf("%q is not a host name", lease.HostName)
	}
	limit := now.Add(s.policy.maxLeaseTime).Unix()
	e := entry{client: lease.Client, hardware: lease.Hardware, hostName: lease.HostName, address: number(lease.Address)}
	if e = s.leases.put(e, bound, min(lease.Expires.Unix(), limit)); e.deadline <= now.Unix() {
		s.leases.end(e)
	}
	return nil
}

// Leases returns the leases, and the addresses that are only remembered (their Expires is over), sorted by address. It copies one at
// a time, so that neither memory nor clients wait for a long list; leases that change meanwhile may be the former or the new ones.
func (s *Server) Leases() iter.Seq[Lease] {
	return func(yield func(Lease) bool) {
		s.mu.Lock()
		addresses := s.leases.cells.addresses()
		s.mu.Unlock()
		for address := range addresses {
			if lease, ok := s.lease(address); ok && !yield(lease) {
				return
			}
		}
	}
}

func (s *Server) lease(address uint32) (Lease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.leases.at(address)
	if !e.has(onceLeased) {
		return Lease{}, false
	}
	return e.lease(), true
}

// count is the number of leases that Leases returns, or somewhat more.
func (s *Server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases.cells.count
}

func (e *entry) lease() Lease {
	return Lease{
		Address: address(e.address), Client: e.client, Hardware: e.hardware,
		HostName: e.hostName, Expires: time.Unix(e.deadline, 0),
	}
}

// Address returns the server's own address.
func (s *Server) Address() netip.Addr { return s.policy.serverAddress.Addr() }
