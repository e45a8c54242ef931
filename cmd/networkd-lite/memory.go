package main

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"nspawnkit/container/kernel/resident"
)

const (
	// collectAt is how much garbage there may be before it is collected, in percent of what is in use: little is made, and what a look
	// at hundreds of links leaves need not stay for long.
	collectAt = 20

	// processors run Go code at a time. Each has memory of its own for every size of object, and a host may have hundreds; what takes
	// long here are disks and the kernel, which other threads wait for.
	processors = 1

	// tidyServing is how often memory goes back to the kernel while requests come, with or without changes.
	tidyServing = 20 * time.Second
)

// tidyAfter are how long nothing must have changed before memory goes back to the kernel: once the work is done, and once a new link has
// sent its first router advertisements, three within 32 seconds (RFC 4861, section 6.2.4).
var tidyAfter = [...]time.Duration{3 * time.Second, 40 * time.Second}

// memory is what gives memory back to the kernel. A program that idles has no timer.
type memory struct {
	tidy    func()
	looked  [len(tidyAfter)]*time.Timer
	serving atomic.Bool // a timer runs that served started
}

// limitMemory keeps memory small.
func limitMemory(report func(error)) *memory {
	debug.SetGCPercent(collectAt)
	runtime.GOMAXPROCS(processors)
	return newMemory(func() {
		runtime.GC() // what pools hold is garbage to the second collection only
		debug.FreeOSMemory()
		if err := resident.DropExecutable(); err != nil {
			report(err)
		}
	})
}

// newMemory has tidy give memory back when it is time, for the first time after the start.
func newMemory(tidy func()) *memory {
	m := &memory{tidy: tidy}
	for i, after := range tidyAfter {
		m.looked[i] = time.AfterFunc(after, tidy)
	}
	return m
}

// changed says that there was work: once there is no more, the memory that it took goes back.
func (m *memory) changed() {
	for i, after := range tidyAfter {
		m.looked[i].Reset(after)
	}
}

// served says that a request came. It may be called for each of thousands a second.
func (m *memory) served() {
	if m.serving.CompareAndSwap(false, true) {
		time.AfterFunc(tidyServing, func() {
			m.serving.Store(false)
			m.tidy()
		})
	}
}
