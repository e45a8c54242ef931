package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"nspawnkit/network/manager"
)

// logger writes messages to a file, one line each.
type logger struct {
	file   *os.File
	prefix bool // with the priority, as sd-daemon(3) has it
}

// newLogger finds out whether the file goes to the journal: stream is $JOURNAL_STREAM, device and inode of the socket
// (systemd.exec(5)).
func newLogger(file *os.File, stream string) *logger {
	l := &logger{file: file}
	if info, err := file.Stat(); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			l.prefix = stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
		}
	}
	return l
}

// report writes one message. A line break in it would begin a message of its own.
func (l *logger) report(p manager.Priority, text string) {
	text = strings.ReplaceAll(text, "\n", " ") + "\n"
	if l.prefix {
		text = fmt.Sprintf("<%d>%s", p, text)
	}
	l.file.WriteString(text)
}
