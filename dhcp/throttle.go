package dhcp

import (
	"fmt"
	"sync"
	"time"
)

// reportsPerMinute bounds the problems that [Serve] reports: any client can make them by the thousand.
const reportsPerMinute = 10

// throttle passes on a bounded number of problems and counts the rest.
type throttle struct {
	report func(error)
	now    func() time.Time

	mu       sync.Mutex
	minute   time.Time // when the present minute began
	reported int       // in it
	dropped  int
}

func (t *throttle) add(problem error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.minute).Abs() >= time.Minute {
		if t.dropped > 0 {
			t.report(fmt.Errorf("%d more problems were not reported", t.dropped))
		}
		t.minute, t.reported, t.dropped = now, 0, 0
	}
	if t.reported == reportsPerMinute {
		t.dropped++
		return
	}
	t.reported++
	t.report(problem)
}

// Throttled returns a function that passes on errors to report, at most ten a minute; nil is none.
func Throttled(report func(error), now func() time.Time) func(error) {
	t := &throttle{report: report, now: now}
	return func(err error) {
		if err != nil {
			t.add(err)
		}
	}
}
