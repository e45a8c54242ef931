package container

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/dhcp/client"
	"nspawnkit/network/kernel/dhcpsocket"
	"nspawnkit/network/kernel/link"
)

// lease is the DHCP client of a link of the container. Between its messages, which may be hours apart, it is a timer and a watch on the
// carrier: the socket is open only while an answer may come. As JSON it goes to the program that takes the container over.
type lease struct {
	Client      client.Client
	Link        string // for people: the container may rename it
	Index       int
	Namespace   kernel.File       // of the link
	Server      [6]byte           // hardware address that the lease has come from
	Root        uint32            // the container's
	NameServers bool              // go to resolv.conf
	KeepNames   bool              // unless there are others
	Written     string            // resolv.conf(5), as it was written last
	Carrier     link.CarrierState // as far as was heard

	turns   int // of this program, in which it has not heard of a server
	timer   <-chan time.Time
	socket  *dhcpsocket.Socket // nil: nothing is asked
	asked   uint32             // its transaction
	until   time.Duration      // when nobody listens to it any more
	arrived chan leaseMessage
	watch   *link.Carrier
	carrier chan link.CarrierState // what it hears
}

// leaseMessage is what has come for the client. Without payload the socket has failed, as it does when the link goes down.
type leaseMessage struct {
	payload  []byte
	hardware [6]byte // of the sender
}

// listenTime is how long an answer is waited for.
const listenTime = 5 * time.Second

// now is the time since the host was started.
func now() time.Duration { return time.Duration(kernel.SinceBoot()) }

// due is heard of when [lease.act] has something to do.
func (l *lease) due() <-chan time.Time {
	if l == nil {
		return nil
	}
	return l.timer
}

func (l *lease) messages() <-chan leaseMessage {
	if l == nil {
		return nil
	}
	return l.arrived
}

func (l *lease) carriers() <-chan link.CarrierState {
	if l == nil {
		return nil
	}
	return l.carrier
}

// begin has a program look after the lease: it sets the timer, and watches whether the link has a carrier. Who takes it away for a moment
// wants clients to ask again (networkd-lite(8), renumber).
func (l *lease) begin() error {
	l.await(now())
	err := kernel.InNetwork(l.Namespace.File, func() (err error) {
		l.watch, err = link.WatchCarrier(l.Index, l.Carrier)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.Link, err)
	}
	l.carrier = make(chan link.CarrierState, 4)
	go hearCarrier(l.watch, l.carrier)
	return nil
}

func hearCarrier(watch *link.Carrier, heard chan<- link.CarrierState) {
	for {
		state, err := watch.Await()
		if err != nil {
			return
		}
		heard <- state
	}
}

// setCarrier takes note of the carrier, which may have gone and come while this program took over.
func (l *lease) setCarrier(state link.CarrierState) {
	if state.Up && state != l.Carrier {
		l.Client.Reconnect(now())
	}
	l.Carrier = state
	l.await(now())
}

// busy reports whether an answer may come.
func (l *lease) busy() bool { return l != nil && l.socket != nil }

// await sets the timer.
func (l *lease) await(now time.Duration) {
	next := l.Client.Due
	if l.socket != nil {
		next = min(next, l.until)
	}
	if l.timer = nil; next != client.Never {
		l.timer = time.After(max(next-now, 0))
	}
}

// act does what it is time for.
func (l *lease) act(now time.Duration) (client.Change, error) {
	defer func() { l.await(now) }()
	if l.socket != nil && now >= l.until {
		l.hangUp()
	}
	message, change := l.Client.Act(now, binary.NativeEndian.Uint32(kernel.Random(4)))
	if message == nil {
		return change, nil
	}
	if err := l.ask(message, now); err != nil {
		l.hangUp()
		return change, fmt.Errorf("%s: %w", l.Link, err)
	}
	return change, nil
}

// ask sends a message and listens for what comes.
func (l *lease) ask(message *client.Message, now time.Duration) (err error) {
	if l.socket != nil && l.asked != l.Client.Transaction {
		l.hangUp()
	}
	if l.socket == nil {
		err = kernel.InNetwork(l.Namespace.File, func() error {
			l.socket, err = dhcpsocket.Open(l.Index, l.Client.Transaction)
			return err
		})
		if err != nil {
			return err
		}
		l.arrived = make(chan leaseMessage, 4) // more at once are as lost ones
		go listen(l.socket, l.arrived)
	}
	l.asked, l.until = l.Client.Transaction, now+listenTime
	hardware := [6]byte{255, 255, 255, 255, 255, 255}
	if l.Client.State == client.Renewing {
		hardware = l.Server
	}
	_ = l.socket.Send(message.Payload, message.From, message.To, hardware) // the other side may not be up yet: as if it were lost
	return nil
}

// listen passes on what comes until the socket is closed or fails.
func listen(socket *dhcpsocket.Socket, arrived chan<- leaseMessage) {
	for {
		payload, hardware, err := socket.Receive()
		select {
		case arrived <- leaseMessage{payload, hardware}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// hangUp listens no more.
func (l *lease) hangUp() {
	if l.socket != nil {
		l.socket.Close()
		l.socket, l.arrived = nil, nil
	}
}

// receive takes a message. One that is none of the client's, or cannot be used, is left out: its server may send a better one.
func (l *lease) receive(message leaseMessage, now time.Duration) client.Change {
	defer func() { l.await(now) }()
	change, err := l.Client.Receive(message.payload, now)
	if err == nil && change.New != nil {
		l.Server = message.hardware
	}
	if message.payload == nil || change.New != nil {
		l.hangUp()
	}
	return change
}

// kernelGrace is how much longer the kernel keeps an address than the lease is: it counts in seconds, and is not to take the address
// away before the client does.
const kernelGrace = 2 * time.Second

// apply has the link follow the lease.
func (l *lease) apply(change client.Change) error {
	if change == (client.Change{}) {
		return nil
	}
	inside, err := link.OpenAt(l.Namespace.File)
	if err != nil {
		return err
	}
	defer inside.Close()
	var problems []error
	if old := change.Old; old != nil {
		gone := leasedOf(old)
		moved := change.New == nil || change.New.Address != old.Address
		if !moved {
			gone.Routes = slices.DeleteFunc(gone.Routes, func(r link.LeasedRoute) bool { return slices.Contains(change.New.Routes, client.Route(r)) })
		}
		problems = append(problems, inside.DropLeased(l.Index, gone, moved))
	}
	if change.New != nil {
		given := leasedOf(change.New)
		if left := change.New.Left(now()); left > 0 {
			given.Lifetime = left + kernelGrace
		}
		problems = append(problems, inside.SetLeased(l.Index, given))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: %w", l.Link, err)
	}
	return nil
}

func leasedOf(lease *client.Lease) link.Leased {
	l := link.Leased{Address: lease.Address}
	for _, route := range lease.Routes {
		l.Routes = append(l.Routes, link.LeasedRoute(route))
	}
	return l
}

// given reports whether the container still has the address that it was given.
func (l *lease) given() bool {
	inside, err := link.OpenAt(l.Namespace.File)
	if err != nil {
		return true
	}
	defer inside.Close()
	there, err := inside.HasAddress(l.Index, l.Client.Lease.Address)
	return err != nil && !errors.Is(err, link.ErrNoDevice) || there
}

// resolvConf is what the lease has for resolv.conf(5).
func (l *lease) resolvConf() string { return resolvConf(l.Client.Lease.DNS, l.Client.Lease.Search...) }

// manyTurns is after how many turns without an answer the program has grown by some tens of kilobytes.
const manyTurns = 16

// leaseDue is the turn of the DHCP client while the container runs. A container that has taken its address away looks after its network
// itself, and is left alone.
func (r *Running) leaseDue() error {
	l := r.lease
	if lease := l.Client.Lease; lease != nil && now() >= l.Client.Due && now() < lease.Ends && !l.given() {
		r.log(Info, fmt.Sprintf("%s: the container has taken away its address %s, so no DHCP server is asked for it any more", l.Link, l.Client.Lease.Address.Addr()))
		return r.endLease()
	}
	change, err := l.act(now())
	l.turns++
	r.grown = r.grown || l.turns >= manyTurns
	return errors.Join(err, r.follow(change))
}

func (r *Running) leaseMessage(message leaseMessage) error {
	return r.follow(r.lease.receive(message, now()))
}

// follow has the container follow a change of its lease.
func (r *Running) follow(change client.Change) error {
	l := r.lease
	switch {
	case change.Old != nil && change.New == nil:
		r.log(Warning, fmt.Sprintf("%s: the lease of %s from DHCP server %s has ended: asking for another", l.Link, change.Old.Address.Addr(), change.Old.Server))
	case change.New != nil && (change.Old == nil || change.Old.Address != change.New.Address):
		r.log(Info, fmt.Sprintf("%s: %s from DHCP server %s", l.Link, change.New.Address, change.New.Server))
	}
	err := l.apply(change)
	r.grown = r.grown || change != (client.Change{})
	if change.New != nil && l.NameServers && l.resolvConf() != l.Written {
		l.Written = l.resolvConf()
		err = errors.Join(err, r.updateNameServers())
	}
	return err
}

// updateNameServers writes resolv.conf of a container that runs, through the root directory of its first process. What the container has
// made of the path is not to be trusted: it is written as the container's root would, and nobody waits for a file system that hangs.
func (r *Running) updateNameServers() error {
	root, err := kernel.OpenRoot(fmt.Sprintf("/proc/%d/root", r.child.PID))
	if err != nil {
		return err
	}
	text, user, keep := r.lease.Written, r.lease.Root, r.lease.KeepNames
	r.handling.RLock() // nobody hands over meanwhile
	go func() {
		defer r.handling.RUnlock()
		defer root.Close()
		if err := kernel.WithFilesOf(user, user, func() error { return writeResolvConf(root, text, keep) }); err != nil {
			r.log(Warning, fmt.Sprintf("cannot set name servers, ignoring: %v", err))
		}
	}()
	return nil
}

// onLease ends a turn of the DHCP client: what cannot be done now is tried again with the next message, unless the link is gone.
func (w *watch) onLease(err error) {
	if errors.Is(err, link.ErrNoDevice) {
		w.log(Info, fmt.Sprintf("%s: the container has removed the link, so no DHCP server is asked any more", w.lease.Link))
		err = w.endLease()
	}
	if err != nil {
		w.log(Warning, err.Error())
	}
	switch {
	case w.lease.busy():
	case w.grown || !w.fresh: // a collector of garbage would take more memory than there is garbage
		w.patience = restTime
		w.rest = time.After(w.patience)
	default:
		if err := kernel.Rest(); err != nil {
			w.log(Debug, err.Error())
		}
	}
}

// endLease lets go of the network namespace.
func (r *Running) endLease() error {
	if r.lease == nil {
		return nil
	}
	r.lease.hangUp()
	if r.lease.watch != nil {
		r.lease.watch.Close()
	}
	namespace := r.lease.Namespace
	r.lease = nil
	return namespace.Close()
}
