package kernel

import (
	"runtime/debug"

	"nspawnkit/container/kernel/resident"
)

// restLimit is how much memory a supervisor that rests may take before it collects garbage, in bytes, the runtime's own and what is
// mapped and not used included.
const restLimit = 8 << 20

// Rest makes a program small that has done its work and waits from now on. The pages of the executable that are mapped are given back:
// what went before needed most of them, and what waits needs few. Garbage is collected from now on when there is much, not every two
// minutes, as is the rule of Go: who waits uses no processor time. It is not collected here either: that takes more memory than it
// gives back, and so does asking the runtime how much it has.
func Rest() error {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(restLimit)
	return resident.DropExecutable()
}
