package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
)

// End says how a container ended.
type End struct {
	Reboot bool // the payload asked for a reboot
	Status int  // exit status of nspawn-exec, if not
}

// RebootStatus is the exit status that makes the unit start the container again (RestartForceExitStatus=).
const RebootStatus = 133

// settleTime is how long a payload must live to count as started. What dies at once, such as an init that the host cannot run, was
// never ready.
const settleTime = 50 * time.Millisecond

// restTime is when the supervisor hands over to a fresh process: what ends soon need not pay for that.
const restTime = 2 * settleTime

// watch is the state of [Running.Watch].
type watch struct {
	*Running
	signals *kernel.Signals
	console *consoleForwarder
	ended   chan error
	halting bool
	// what happens in time
	settled, look, rest <-chan time.Time
	patience            time.Duration // until the next rest
}

// Watch keeps the container company until it ends: it forwards console, notifications and signals, and tells the service
// manager that it is alive. Signals are SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT and SIGWINCH. It must run on the main thread.
func (r *Running) Watch(signals *kernel.Signals) (End, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &watch{Running: r, signals: signals, ended: make(chan error, 1), rest: time.After(restTime), patience: restTime}
	w.greet()
	go func() { w.ended <- r.child.Await() }()
	go r.forwardNotifications()
	w.console = r.forwardConsole(ctx)
	defer w.console.stop()
	var ping <-chan time.Time
	if interval := r.watchdog.Limit / 2; interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		ping = ticker.C
	}
	for {
		select {
		case <-w.rest:
			w.onRest()
		case err := <-w.ended:
			return w.onEnd(err)
		case <-w.settled:
			w.settled = nil
			r.tell(machined.Ready, machined.Status("Container running."))
		case <-w.look:
			if w.look = nil; !r.askForTime() {
				w.look = time.After(progressInterval)
			}
		case <-ping:
			r.sayAlive()
		case request := <-w.console.requests:
			r.onRequest(request)
		case signal := <-signals.C:
			w.onSignal(signal)
		case <-w.lease.due():
			w.onLease(r.leaseDue())
		case message := <-w.lease.messages():
			w.onLease(r.leaseMessage(message))
		case carrier := <-w.lease.carriers():
			w.lease.setCarrier(carrier)
		}
	}
}

// greet says what the service manager hears first, unless the program before has said it.
func (w *watch) greet() {
	if w.fresh {
		newHalt()("watch", takeStep)
		w.sayAlive()
	} else {
		w.boot.Begun = time.Now()
	}
	leader := machined.LeaderPID(w.child.PID)
	switch {
	case !w.fresh && w.watching.NotifyReady:
		w.tell(machined.Status("Container started, waiting until it is ready."), leader)
	case !w.fresh:
		w.tell(leader)
		w.settled = time.After(settleTime)
	}
	if w.starting {
		w.look = time.After(progressInterval)
	}
}

// sayAlive tells the service manager that the container is alive, if nobody else does.
func (r *Running) sayAlive() {
	if r.watchdog.Limit > 0 && r.watchdog.ours() {
		r.tell(machined.Ping)
	}
}

// onRest makes the supervisor small. Who is busy with something that has come from the container is given more time each time.
func (w *watch) onRest() {
	w.rest = nil
	if w.halting {
		return
	}
	err := errBusy
	if w.settled == nil { // or READY=1 would still have to be said
		err = w.handOver(w.signals)
	}
	if errors.Is(err, errBusy) {
		w.patience *= 2
		w.rest = time.After(w.patience)
		return
	}
	if err = errors.Join(err, kernel.Rest()); err != nil { // it goes on, larger
		w.log(Debug, err.Error())
	}
}

func (w *watch) onEnd(err error) (End, error) {
	w.tell(w.watchdog.end()...)
	w.console.drain()
	w.console.stop()
	var status syscall.WaitStatus
	if err == nil {
		status, err = w.child.Wait()
	}
	result, err := w.classify(status, err)
	if w.settled != nil && err == nil && (result.Reboot || result.Status == 0) {
		w.tell(machined.Ready) // it was quick, but did what it was to do
	}
	return result, err
}

func (w *watch) onSignal(signal os.Signal) {
	switch signal {
	case syscall.SIGWINCH:
		w.resizeConsole()
		return
	case syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT: // there is no time, or (WatchdogSec=) there was enough
		w.halting = true
	}
	w.settled, w.look = nil, nil // what is asked to stop is not ready, nor needs longer for it
	w.onStop(&w.halting)
}

// tell sends lines to the service manager.
func (r *Running) tell(lines ...string) {
	if err := r.notifier.Notify(lines...); err != nil {
		r.log(Warning, err.Error())
	}
}

// onStop asks the payload to shut down in order at first and ends it the second time, or at once if it does not know how.
func (r *Running) onStop(halting *bool) {
	signal := r.watching.KillSignal
	if signal == 0 || *halting {
		r.killed = true
		_ = r.child.Signal(kernel.Kill)
		return
	}
	*halting = true
	r.log(Info, "Trying to halt container. Send SIGTERM again to trigger immediate termination.")
	r.tell(machined.Stopping, machined.Status("Container is shutting down."))
	if err := r.child.Signal(signal); err != nil {
		r.log(Warning, err.Error())
	}
}

// onRequest carries out a hotkey of the console.
func (r *Running) onRequest(request hotkey) {
	if err := r.child.Signal(request.signal); err != nil {
		r.log(Warning, err.Error())
	} else if request.text != "" {
		r.log(Info, request.text)
	}
}

// forwardNotifications believes the container's init and the payload only.
func (r *Running) forwardNotifications() {
	for r.notify.Await() == nil {
		r.handling.RLock()
		err := r.forwardNotification()
		r.handling.RUnlock()
		if err != nil {
			return // closed
		}
	}
}

func (r *Running) forwardNotification() error {
	message, descriptors, sender, err := r.notify.Receive()
	if err != nil {
		return err
	}
	defer descriptors.Close()
	if sender == r.child.PID || sender == r.payload().PID {
		r.starting = r.forward(message, descriptors, r.starting) && r.starting
	}
	return nil
}

// forward tells the service manager what it may know of a message, and reports whether the container is still starting after it.
func (r *Running) forward(message []byte, descriptors kernel.Descriptors, starting bool) bool {
	notification, err := machined.ParseNotification(message)
	if err != nil {
		r.log(Debug, err.Error())
		return true
	}
	r.boot.hear(notification)
	lines := notification.Forward(r.watching.NotifyReady)
	ready := slices.Contains(lines, machined.Ready)
	if by, ok := notification.Extension(); ok && starting && !ready {
		lines = append(lines, machined.ExtendTimeout(by))
	}
	lines = append(lines, r.watchdog.hear(notification)...)
	if len(lines) > 0 {
		r.tell(lines...)
	}
	if lines := notification.Store(len(descriptors)); len(lines) > 0 {
		if err := r.notifier.NotifyWith(descriptors, lines...); err != nil {
			r.log(Warning, err.Error())
		}
	}
	return !ready
}

// classify follows "EXIT STATUS" of systemd-nspawn(1): the kernel reports reboot(2) inside a PID namespace as the end of its
// init by SIGHUP for a reboot and SIGINT for the rest (pid_namespaces(7)).
func (r *Running) classify(status syscall.WaitStatus, err error) (End, error) {
	machine := r.machine
	switch {
	case err != nil:
		return End{Status: 1}, err
	case status.Exited() && status.ExitStatus() == RebootStatus:
		return End{Status: 1}, fmt.Errorf("container %s ended with status %d, which stands for a reboot here", machine, RebootStatus)
	case status.Exited() && status.ExitStatus() != 0:
		text := fmt.Sprintf("Container %s failed with exit status %d.", machine, status.ExitStatus())
		r.log(Info, text)
		r.tell(machined.Status(text))
		return End{Status: status.ExitStatus()}, nil
	case status.Exited():
		return End{}, nil
	case status.Signaled() && status.Signal() == syscall.SIGINT:
		r.log(Info, fmt.Sprintf("Container %s has been shut down.", machine))
		return End{}, nil
	case status.Signaled() && status.Signal() == syscall.SIGHUP:
		r.log(Info, fmt.Sprintf("Container %s is being rebooted.", machine))
		return End{Reboot: true, Status: RebootStatus}, nil
	}
	return End{Status: 1}, fmt.Errorf("container %s terminated by signal %s%s", machine, kernel.SignalName(status.Signal()), r.lackOfMemory())
}

// lackOfMemory says that the kernel killed processes of the container and why, for the end of an error; nothing if it did not, or if that
// is not what ended the container.
func (r *Running) lackOfMemory() string {
	if r.Group == nil || r.killed {
		return ""
	}
	inside, err := r.Group.MemoryEvents()
	if err != nil || inside.Killed == 0 {
		return ""
	}
	reason := "the host ran out of memory"
	unit, _ := r.Group.Parent().MemoryEvents()
	if inside.Limited > 0 || unit.Limited > 0 {
		reason = "it has reached its limit of memory (MemoryMax= of its unit)"
	}
	return fmt.Sprintf(": %s, the kernel has killed %d of its processes", reason, inside.Killed)
}
