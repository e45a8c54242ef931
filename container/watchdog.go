package container

import (
	"sync"
	"time"

	"nspawnkit/machined"
)

// watchdog decides who tells the service manager that the container is alive (systemd.service(5), WatchdogSec=): the supervisor, until
// the container's init has done it once. From then on only the init does, so that one that hangs is noticed. The zero watchdog is
// that of a unit that is not watched: it tells nothing, whatever the init says.
type watchdog struct {
	Limit time.Duration // how long the service manager waits

	mutex   sync.Mutex // of what the goroutine that hears notifications sets
	over    bool       // the container has ended
	Theirs  bool       // the init does it
	Changed bool       // it has changed the time
}

// hear takes a notification of the container's init and returns the lines that go on to the service manager.
func (w *watchdog) hear(notification machined.Notification) (lines []string) {
	if w.Limit == 0 {
		return nil
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	switch {
	case w.over:
		return nil
	case notification["STOPPING"] == "1": // an init that shuts down has its hands full
		return w.takeBack()
	}
	if limit, ok := notification.WatchdogTime(); ok {
		w.Theirs, w.Changed = true, true
		lines = append(lines, machined.WatchdogTime(min(limit, w.Limit)))
	}
	switch notification["WATCHDOG"] {
	case "1":
		w.Theirs = true
		lines = append(lines, machined.Ping)
	case "trigger":
		lines = append(lines, machined.Trigger)
	}
	return lines
}

// end returns the lines that go to the service manager when the container has ended: it may be started again.
func (w *watchdog) end() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.over = true
	return w.takeBack()
}

// takeBack makes it the supervisor's again, with the mutex held.
func (w *watchdog) takeBack() (lines []string) {
	if w.Changed {
		lines = append(lines, machined.WatchdogTime(w.Limit))
	}
	if w.Theirs {
		lines = append(lines, machined.Ping)
	}
	w.Theirs, w.Changed = false, false
	return lines
}

// ours reports whether the supervisor is to say that the container is alive.
func (w *watchdog) ours() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return !w.Theirs
}
