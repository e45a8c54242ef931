package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Random returns n random bytes, at most 256. The kernel does not fail in this; if it did, nothing could be made up for it. Package
// crypto/rand would bring much with it that has to be set up in every process.
func Random(n int) []byte {
	data := make([]byte, n)
	for {
		switch got, err := unix.Getrandom(data, 0); {
		case err == unix.EINTR: // when the machine has just been started
		case err != nil || got < n:
			panic(fmt.Sprintf("getrandom: %d bytes, %v", got, err))
		default:
			return data
		}
	}
}
