package terminal

import (
	"fmt"
	"os"
	"syscall"
)

// IsJournal reports whether the journal reads what is written to a file: stream is $JOURNAL_STREAM, device and inode of the socket
// (systemd.exec(5)). A program that inherits the variable may well write elsewhere, such as all in a terminal that is a service of the
// user's.
func IsJournal(file *os.File, stream string) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
