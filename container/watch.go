package container

import (
	"context"
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

// settleTime is how long a payload must live to count as started. What dies at once, such as an init that the host cannot run, was
// never ready.
const settleTime = 50 * time.Millisecond

// RebootStatus is the exit status that makes the unit start the container again (RestartForceExitStatus=).
const RebootStatus = 133

// Watch keeps the container company until it ends: it forwards console, notifications and signals, and tells the service
// manager that it is alive. signals carries SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT,
// SIGWINCH.
func (s *Supervisor) Watch(signals <-chan os.Signal) (End, error) {
	var settled, look <-chan time.Time
	s.boot.begun = time.Now()
	if s.plan.Settings.Exec.NotifyReady {
		s.tell(machined.Status("Container started, waiting until it is ready."), machined.LeaderPID(s.child.PID))
		look = time.After(progressInterval)
	} else {
		s.tell(machined.LeaderPID(s.child.PID))
		settled = time.After(settleTime)
	}
	ended := make(chan waited, 1)
	go func() {
		status, err := s.child.Wait()
		ended <- waited{status, err}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.forwardNotifications()
	console := s.forwardConsole(ctx)
	defer console.stop()

	var ping <-chan time.Time
	if interval := s.watchdog.limit / 2; interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		ping = ticker.C
	}
	halting := false
	rest := time.After(settleTime)
	for {
		select {
		case <-rest:
			if err := kernel.Rest(); err != nil { // it goes on, larger
				s.log(Debug, err.Error())
			}
		case end := <-ended:
			s.tell(s.watchdog.end()...)
			console.drain()
			console.stop()
			result, err := s.classify(end)
			if settled != nil && err == nil && (result.Reboot || result.Status == 0) {
				s.tell(machined.Ready) // it was quick, but did what it was to do
			}
			return result, err
		case <-settled:
			settled = nil
			s.tell(machined.Ready, machined.Status("Container running."))
		case <-look:
			if look = nil; !s.askForTime() {
				look = time.After(progressInterval)
			}
		case <-ping:
			if s.watchdog.ours() {
				s.tell(machined.Ping)
			}
		case request := <-console.requests:
			s.onRequest(request)
		case signal := <-signals:
			switch signal {
			case syscall.SIGWINCH:
				s.resizeConsole()
				continue
			case syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT: // there is no time, or (WatchdogSec=) there was enough
				halting = true
			}
			settled, look = nil, nil // what is asked to stop is not ready, nor needs longer for it
			s.onStop(&halting)
		}
	}
}

type waited struct {
	status syscall.WaitStatus
	err    error
}

// tell sends lines to the service manager.
func (s *Supervisor) tell(lines ...string) {
	if err := s.notifier.Notify(lines...); err != nil {
		s.log(Warning, err.Error())
	}
}

// onStop asks the payload to shut down in order at first and ends it the second time, or at once if it does not know how.
func (s *Supervisor) onStop(halting *bool) {
	signal := s.plan.Settings.Exec.KillSignal
	if signal == 0 || *halting {
		_ = s.child.Signal(kernel.Kill)
		return
	}
	*halting = true
	s.log(Info, "Trying to halt container. Send SIGTERM again to trigger immediate termination.")
	s.tell(machined.Stopping, machined.Status("Container is shutting down."))
	if err := s.child.Signal(signal); err != nil {
		s.log(Warning, err.Error())
	}
}

// onRequest carries out a hotkey of the console.
func (s *Supervisor) onRequest(request hotkey) {
	if err := s.child.Signal(request.signal); err != nil {
		s.log(Warning, err.Error())
	} else if request.text != "" {
		s.log(Info, request.text)
	}
}

// forwardNotifications believes the container's init and the payload only.
func (s *Supervisor) forwardNotifications() {
	starting := s.plan.Settings.Exec.NotifyReady
	for {
		message, descriptors, sender, err := s.notify.Receive()
		if err != nil {
			return // closed
		}
		if sender == s.child.PID || sender == s.payload().PID {
			starting = s.forward(message, descriptors, starting) && starting
		}
		descriptors.Close()
	}
}

// forward tells the service manager what it may know of a message, and reports whether the container is still starting after it.
func (s *Supervisor) forward(message []byte, descriptors kernel.Descriptors, starting bool) bool {
	notification, err := machined.ParseNotification(message)
	if err != nil {
		s.log(Debug, err.Error())
		return true
	}
	s.boot.hear(notification)
	lines := notification.Forward(s.plan.Settings.Exec.NotifyReady)
	ready := slices.Contains(lines, machined.Ready)
	if by, ok := notification.Extension(); ok && starting && !ready {
		lines = append(lines, machined.ExtendTimeout(by))
	}
	lines = append(lines, s.watchdog.hear(notification)...)
	if len(lines) > 0 {
		s.tell(lines...)
	}
	if lines := notification.Store(len(descriptors)); len(lines) > 0 {
		if err := s.notifier.NotifyWith(descriptors, lines...); err != nil {
			s.log(Warning, err.Error())
		}
	}
	return !ready
}

// classify follows "EXIT STATUS" of systemd-nspawn(1): the kernel reports reboot(2) inside a PID namespace as the end of its
// init by SIGHUP for a reboot and SIGINT for the rest (pid_namespaces(7)).
func (s *Supervisor) classify(end waited) (End, error) {
	machine := s.plan.Settings.Machine
	switch status := end.status; {
	case end.err != nil:
		return End{Status: 1}, end.err
	case status.Exited() && status.ExitStatus() == RebootStatus:
		return End{Status: 1}, fmt.Errorf("container %s ended with status %d, which stands for a reboot here", machine, RebootStatus)
	case status.Exited() && status.ExitStatus() != 0:
		text := fmt.Sprintf("Container %s failed with exit status %d.", machine, status.ExitStatus())
		s.log(Info, text)
		s.tell(machined.Status(text))
		return End{Status: status.ExitStatus()}, nil
	case status.Exited():
		return End{}, nil
	case status.Signaled() && status.Signal() == syscall.SIGINT:
		s.log(Info, fmt.Sprintf("Container %s has been shut down.", machine))
		return End{}, nil
	case status.Signaled() && status.Signal() == syscall.SIGHUP:
		s.log(Info, fmt.Sprintf("Container %s is being rebooted.", machine))
		return End{Reboot: true, Status: RebootStatus}, nil
	}
	return End{Status: 1}, fmt.Errorf("container %s terminated by signal %d%s", machine, end.status.Signal(), s.lackOfMemory())
}

// lackOfMemory says that the kernel killed processes of the container and why, for the end of an error; nothing if it did not.
func (s *Supervisor) lackOfMemory() string {
	if s.group == nil {
		return ""
	}
	inside, err := s.group.MemoryEvents()
	if err != nil || inside.Killed == 0 {
		return ""
	}
	reason := "the host ran out of memory"
	unit, _ := s.group.Parent().MemoryEvents()
	if inside.Limited > 0 || unit.Limited > 0 {
		reason = "it has reached its limit of memory (MemoryMax= of its unit)"
	}
	return fmt.Sprintf(": %s, the kernel has killed %d of its processes", reason, inside.Killed)
}
