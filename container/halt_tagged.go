//go:build halt

package container

import (
	"fmt"
	"os"
	"time"
)

// haltFile says, as "LIST STEP", after which step to stop, say so on standard output, and wait for being killed.
const haltFile = "/run/halt-after"

func newHalt() func(list, step string) {
	where, _ := os.ReadFile(haltFile) // before the host's files are out of sight
	return func(list, step string) {
		if string(where) == list+" "+step {
			fmt.Println("halted")
			time.Sleep(time.Hour)
		}
	}
}
