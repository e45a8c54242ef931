package container

import (
	"sync"
	"time"

	"nspawnkit/machined"
)

// A container that is to say itself when it is ready (NotifyReady=yes) has more time to start than TimeoutStartSec= as long as its
// boot makes progress: an upgrade at boot takes what it takes, and must not be killed (systemd issue 37295).
const (
	// progressInterval is how often progress is looked for.
	progressInterval = 5 * time.Second
	// progressGrace is how long the service manager waits at least from the last progress on. TimeoutStartSec= never gets shorter.
	progressGrace = time.Minute
	// progressLimit ends the patience with a container that is busy for ever.
	progressLimit = 2 * time.Hour
	// progressWork is the processor time that is work: who waits for something needs less of it in an interval.
	progressWork = progressInterval / 25
)

// bootProgress follows the boot of a container.
type bootProgress struct {
	Begun  time.Time
	Worked time.Duration // processor time that was used until the last look

	mutex sync.Mutex // of what the goroutine that hears notifications sets
	Heard bool       // since the last look
	Ready bool
}

// hear takes a notification of the container's init. A status alone is no progress, nor is a sign of life: systemd tells once a
// second how long it has been waiting for the same job.
func (p *bootProgress) hear(notification machined.Notification) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for key := range notification {
		p.Heard = p.Heard || key != "STATUS" && key != "WATCHDOG"
	}
	p.Ready = p.Ready || notification["READY"] == "1"
}

// look reports whether the boot made progress since the last look, worked being the processor time used by now, and whether it is
// over: the container is ready, or had time enough.
func (p *bootProgress) look(now time.Time, worked time.Duration) (advanced, over bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	advanced = p.Heard || worked-p.Worked >= progressWork
	p.Heard, p.Worked = false, worked
	return advanced, p.Ready || now.Sub(p.Begun) > progressLimit
}

// askForTime asks the service manager for more time if the boot makes progress. It is not over as long as it says so.
func (r *Running) askForTime() (over bool) {
	var worked time.Duration
	if r.Group != nil {
		worked, _ = r.Group.ProcessorTime()
	}
	advanced, over := r.boot.look(time.Now(), worked)
	if advanced && !over {
		r.tell(machined.ExtendTimeout(progressGrace))
	}
	return over
}
