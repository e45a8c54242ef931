package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"nspawnkit/container/kernel/resident"
)

const (
	// collectAt is how much garbage there may be before it is collected, in percent of what is in use: little is made, and what a look
	// at hundreds of links leaves need not stay for long.
	collectAt = 40

	// tidyAfter is how long nothing must have changed before memory goes back to the kernel.
	tidyAfter = 3 * time.Second
)

// limitMemory keeps memory small. The function that it returns says that there was work; once there is no more, the memory that it took
// goes back to the kernel, once. A program that idles has no timer.
func limitMemory(report func(error)) (worked func()) {
	debug.SetGCPercent(collectAt)
	timer := time.AfterFunc(tidyAfter, func() {
		runtime.GC() // what pools hold is garbage to the second collection only
		debug.FreeOSMemory()
		if err := resident.DropExecutable(); err != nil {
			report(err)
		}
	})
	return func() { timer.Reset(tidyAfter) }
}
