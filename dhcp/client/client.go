package client

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// State is one of figure 5 of RFC 2131. There are no INIT and INIT-REBOOT, which are left at once.
type State string

// The states.
const (
	Selecting  State = "selecting"
	Requesting State = "requesting"
	Rebooting  State = "rebooting" // with a lease, after the link was without a carrier
	Bound      State = "bound"
	Renewing   State = "renewing"
	Rebinding  State = "rebinding"
)

// Identity is what servers know a client by.
type Identity struct {
	Hardware   [6]byte // address of the link
	Identifier []byte  // option 61; empty: the hardware address is
	HostName   string  // option 12; empty: none
	Broadcast  bool    // replies must be broadcast: the link receives none for an address that it does not have yet
}

// Client is the state of a client. The zero Client with an Identity, and Selecting as its State, begins at once.
type Client struct {
	Identity
	State       State
	Transaction uint32
	Sent        time.Duration // the last message, of which there were Attempt in this state
	Attempt     int
	Began       time.Duration // to look for what it does not have
	Due         time.Duration // when Act has something to do
	Failures    int           // offers in turn that came to nothing
	Offer       *Lease        // while Requesting
	Lease       *Lease        // nil: there is none
}

// Message is one to be sent, from port 68 to port 67.
type Message struct {
	Payload  []byte
	From, To netip.Addr // From is 0.0.0.0 and To 255.255.255.255, or they are those of a lease
}

// Change is what has become of the lease: Old has ended, New has begun or goes on. Nil: nothing of the kind.
type Change struct{ Old, New *Lease }

const (
	// firstRetry is when a message is sent again for the first time. RFC 2131, section 4.1, has 4 s for Ethernets of 1997, and leaves it
	// to what is known of the network: here the server is mostly on the same machine.
	firstRetry = 100 * time.Millisecond
	maxRetry   = 64 * time.Second // of the same section

	// minRenewalRetry is of section 4.4.5.
	minRenewalRetry = 60 * time.Second

	// maxRequests is how often an offer is asked for. Then another server may have a better one.
	maxRequests = 5
)

// Act returns the message that is due, nil if there is none, and what has become of a lease that has ended. Then Due says when it is to be called
// again. random is used for once: it makes up a transaction, or spreads clients that start together.
func (c *Client) Act(now time.Duration, random uint32) (*Message, Change) {
	var change Change
	if now < c.Due {
		return nil, change
	}
	switch {
	case c.Lease != nil && now >= c.Lease.Ends:
		change.Old = c.Lease
		c.restart(now)
	case c.Lease != nil && now >= c.Lease.Rebind:
		c.enter(Rebinding)
	case c.State == Rebooting && c.Attempt < maxRequests:
	case c.Lease != nil: // also if nobody has answered: servers without a record of the client must not
		c.enter(Renewing)
	case c.State == Requesting && c.Attempt >= maxRequests:
		c.fail(now)
		return nil, change
	}
	if c.Attempt == 0 && c.State != Requesting { // which is the transaction of the offer
		c.Transaction = random
	}
	message := c.message(now)
	c.Attempt++
	c.Sent = now
	c.Due = now + c.wait(now, random)
	return message, change
}

// enter changes the state, unless it is that already.
func (c *Client) enter(state State) {
	if c.State != state {
		c.State, c.Attempt = state, 0
	}
}

// restart begins again from the start.
func (c *Client) restart(now time.Duration) {
	c.State, c.Attempt, c.Offer, c.Lease, c.Began, c.Due = Selecting, 0, nil, nil, now, now
}

// Reconnect takes note that the link has its carrier again. It may lead to another network now: the client asks whether its lease is good
// there (section 3.7), or for one at once. Due says that Act is to be called.
func (c *Client) Reconnect(now time.Duration) {
	switch {
	case c.State == Requesting:
		c.restart(now)
		return
	case c.Lease == nil:
		c.Attempt, c.Due = min(c.Attempt, 1), now
		return
	}
	c.State, c.Attempt, c.Began, c.Due = Rebooting, 0, now, now
}

// fail begins again after an offer that came to nothing, and the later the more of these there were.
func (c *Client) fail(now time.Duration) {
	c.restart(now)
	c.Failures++
	c.Due = now + retry(c.Failures)
}

// retry is how long to wait for the attempt after this one: twice as long each time.
func retry(attempt int) time.Duration { return min(firstRetry<<min(attempt-1, 10), maxRetry) }

// wait returns how long the client waits for an answer to what it sends now, give or take a tenth.
func (c *Client) wait(now time.Duration, random uint32) time.Duration {
	switch c.State {
	case Renewing:
		return renewalRetry(c.Lease.Rebind - now)
	case Rebinding:
		return renewalRetry(c.Lease.Ends - now)
	}
	retry := retry(c.Attempt)
	return retry*9/10 + retry/5*time.Duration(random%1024)/1024
}

// renewalRetry is half of the time that is left, but not less than a minute, nor beyond what is left.
func renewalRetry(left time.Duration) time.Duration {
	return max(min(max(left/2, minRenewalRetry), left), 0)
}

// message is the one of this state: table 4 of RFC 2131, section 4.3.6.
func (c *Client) message(now time.Duration) *Message {
	m := &Message{From: netip.IPv4Unspecified(), To: netip.AddrFrom4([4]byte{255, 255, 255, 255})}
	seconds := uint16(min((now-c.Began)/time.Second, 1<<16-1))
	var b builder
	switch c.State {
	case Selecting:
		b = c.newMessage(discover, seconds, netip.Addr{})
		b.add(optionRapidCommit)
	case Requesting:
		b = c.newMessage(request, seconds, netip.Addr{})
		b.addAddress(optionRequested, c.Offer.Address.Addr())
		b.addAddress(optionServer, c.Offer.Server)
	case Rebooting:
		b = c.newMessage(request, seconds, netip.Addr{})
		b.addAddress(optionRequested, c.Lease.Address.Addr())
	default:
		m.From = c.Lease.Address.Addr()
		if c.State == Renewing {
			m.To = c.Lease.Server
		}
		b = c.newMessage(request, seconds, m.From)
	}
	m.Payload = b.message()
	return m
}

// errNotOurs is of a message that is for another client, or for an earlier question.
var errNotOurs = errors.New("not an answer to this client")

// Receive takes a message that has come for port 68. What is no answer, or not one that can be used, is an error, and changes nothing.
func (c *Client) Receive(payload []byte, now time.Duration) (Change, error) {
	r, err := parseReply(payload)
	if err != nil {
		return Change{}, err
	}
	if r.xid != c.Transaction || r.chaddr != c.Hardware || c.Attempt == 0 {
		return Change{}, errNotOurs
	}
	if r.kind == nak {
		return c.refused(r, now)
	}
	if _, rapid := r.options[optionRapidCommit]; c.State == Selecting && r.kind != offer && !(r.kind == ack && rapid) ||
		c.State != Selecting && r.kind != ack {
		return Change{}, errNotOurs
	}
	lease, err := newLease(r, c.Sent)
	if err != nil {
		return Change{}, fmt.Errorf("what DHCP server %v offers cannot be used: %w", r.options.addresses(optionServer), err)
	}
	if r.kind == offer {
		c.State, c.Attempt, c.Offer, c.Due = Requesting, 0, lease, now
		return Change{}, nil
	}
	change := Change{Old: c.Lease, New: lease}
	c.State, c.Attempt, c.Failures, c.Offer, c.Lease = Bound, 0, 0, nil, lease
	c.Began, c.Due = lease.Renew, lease.Renew
	return change, nil
}

// refused takes a DHCPNAK: the client begins again (section 3.1, step 4). Only the server that was asked may refuse what it was asked for.
func (c *Client) refused(r reply, now time.Duration) (Change, error) {
	asked := netip.Addr{}
	switch c.State {
	case Requesting:
		asked = c.Offer.Server
	case Renewing:
		asked = c.Lease.Server
	case Rebinding, Rebooting:
	default:
		return Change{}, errNotOurs
	}
	if from := r.options.addresses(optionServer); asked.IsValid() && (len(from) != 1 || from[0] != asked) {
		return Change{}, errNotOurs
	}
	change := Change{Old: c.Lease}
	c.fail(now)
	return change, nil
}
