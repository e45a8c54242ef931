package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
)

// A program that has started a container has in memory what the start needed, a little of it in every page. So once the container has
// settled, the supervisor replaces itself with a fresh process of itself, which gets what watching takes, and reads the rest when
// there is something to remove.

// handOverState is what goes to the fresh process at once.
type handOverState struct {
	Machine               string
	Child, Second         *kernel.Child
	Notify, Console, Peer *kernel.File
	Receiver              *receiver
	Lease                 *lease
	Group                 *kernel.ControlGroup
	Boot                  *bootProgress
	Watchdog              *watchdog
	Watching              *watching
	Starting              bool
	Left                  *kernel.File // the remains, as JSON
}

// The steps of it.
const (
	leaveStep = "leave state to a fresh process"
	takeStep  = "take over"
)

func (p *Plan) handOverSteps() []string {
	if (&watching{Mode: p.Options.Console, Display: p.Display}).mayHandOver() {
		return []string{leaveStep, takeStep}
	}
	return nil
}

// errBusy says that somebody handles what has come from the container.
var errBusy = errors.New("busy with the container")

// mayHandOver reports whether a fresh process could go on: what is in the middle of a conversation with a terminal could not.
func (w *watching) mayHandOver() bool {
	return w.Mode != "interactive" && !w.Display.Terminal
}

// handOver replaces this program, and returns only if it did not. Nobody reads meanwhile what comes from the container: what was
// read has been handled, and the rest waits, as do signals.
func (r *Running) handOver(signals *kernel.Signals) error {
	if r.fresh && !r.grown || !r.watching.mayHandOver() {
		return nil
	}
	if r.lease.busy() || !r.handling.TryLock() {
		return errBusy
	}
	defer r.handling.Unlock()
	if err := signals.Hold(); err != nil {
		return err
	}
	defer signals.Take()
	return r.replace(signals)
}

func (r *Running) replace(signals *kernel.Signals) error {
	defer kernel.KeepNothing()
	if err := r.takeRemains(); err != nil { // a fresh program that is replaced in turn: their files must be kept open again
		return err
	}
	left, err := newStateFile("remains", &r.remains)
	if err != nil {
		return err
	}
	defer left.Close()
	state, err := newStateFile("state", handOverState{
		Machine: r.machine, Child: r.child, Second: r.second, Notify: handed(r.notify.File()), Console: handed(r.console), Peer: handed(r.peer),
		Receiver: r.receiver, Lease: r.lease, Group: r.Group, Boot: &r.boot, Watchdog: &r.watchdog, Watching: &r.watching, Starting: r.starting,
		Left: handed(left),
	})
	if err != nil {
		return err
	}
	defer state.Close()
	if err := kernel.KeepSockets(r.Again.Sockets); err != nil {
		return err
	}
	newHalt()("watch", leaveStep)
	return kernel.HandOver(signals, state)
}

func newStateFile(name string, content any) (*os.File, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("hand over: %w", err)
	}
	return kernel.NewSealedFile(name, data)
}

// handed is a file of the state; nil: there is none.
func handed(file *os.File) *kernel.File {
	if file == nil {
		return nil
	}
	return &kernel.File{File: file}
}

// TakeOver goes on with the container that the program before has left in the state.
func TakeOver(state *os.File, notifier machined.Notifier, log func(priority int, text string)) (*Running, error) {
	r := &Running{fresh: true}
	r.begin(notifier, log)
	s := handOverState{Boot: &r.boot, Watchdog: &r.watchdog, Watching: &r.watching}
	err := readState(state, &s)
	if err != nil {
		return nil, err
	}
	if r.notify, err = kernel.NotifySocketFrom(s.Notify.File); err != nil {
		return nil, err
	}
	r.machine, r.child, r.second, r.Group, r.starting, r.left = s.Machine, s.Child, s.Second, s.Group, s.Starting, s.Left
	if r.lease = s.Lease; r.lease != nil {
		if err := r.lease.begin(); err != nil {
			r.log(Warning, err.Error())
		}
	}
	if s.Console != nil {
		r.console = s.Console.File
	}
	if s.Peer != nil {
		r.peer = s.Peer.File
	}
	if r.receiver = s.Receiver; r.receiver != nil {
		r.receiver.await()
		go r.receiver.watch(r.log)
	}
	return r, nil
}

func readState(file *os.File, state any) error {
	defer file.Close()
	if err := json.NewDecoder(file).Decode(state); err != nil {
		return fmt.Errorf("take over %s: %w", file.Name(), err)
	}
	return nil
}

// takeRemains reads what there is to remove, if it was left.
func (r *Running) takeRemains() error {
	if r.left == nil {
		return nil
	}
	err := readState(r.left.File, &r.remains)
	r.left = nil
	return err
}
