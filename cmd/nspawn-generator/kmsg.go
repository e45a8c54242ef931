package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"nspawnkit/settings"
)

// Priorities of syslog(3).
const (
	priorityError   = 3
	priorityWarning = 4
)

// facilityDaemon is LOG_DAEMON: the kernel would file messages without a facility under LOG_USER.
const facilityDaemon = 3 << 3

// maxMessage keeps a line below what /dev/kmsg takes at once, prefix included.
const maxMessage = 900

// kmsg logs to the kernel's log buffer, where journald picks it up: a generator runs before there is a journal to talk to
// (systemd.generator(7)). One write is one message.
type kmsg struct {
	to     io.Writer
	prefix func(priority int) string
}

// openKmsg falls back to stderr where /dev/kmsg cannot be written, as in a container.
func openKmsg() kmsg {
	file, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err == nil {
		return kmsg{file, func(priority int) string {
			return fmt.Sprintf("<%d>nspawn-generator[%d]: ", facilityDaemon|priority, os.Getpid())
		}}
	}
	return kmsg{os.Stderr, func(priority int) string {
		if os.Getenv("JOURNAL_STREAM") == "" {
			return "nspawn-generator: "
		}
		return fmt.Sprintf("<%d>", priority)
	}}
}

// maxPerFile is how many problems of one file are logged: the buffer also holds what else happened at boot.
const maxPerFile = 20

// problems logs the first of each file. nspawn-generator verify prints them all.
func (k kmsg) problems(list []settings.Problem) {
	logged := make(map[string]int)
	for _, p := range list {
		logged[p.Origin.File]++
		switch n := logged[p.Origin.File]; {
		case n <= maxPerFile:
			k.problem(p)
		case n == maxPerFile+1:
			k.print(priorityWarning, p.Origin.File+": warning: more problems, see nspawn-generator verify")
		}
	}
}

func (k kmsg) problem(p settings.Problem) {
	if p.Severity == settings.Error {
		k.print(priorityError, p.String())
	} else {
		k.print(priorityWarning, p.String())
	}
}

// error logs what errors.Join joined as a message each: the first of them, they will all be alike.
func (k kmsg) error(err error) {
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines[:min(len(lines), maxPerFile)] {
		k.print(priorityError, line)
	}
	if more := len(lines) - maxPerFile; more > 0 {
		k.print(priorityError, fmt.Sprintf("%d more errors", more))
	}
}

func (k kmsg) print(priority int, text string) {
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	// Where even this fails there is nobody left to tell.
	_, _ = io.WriteString(k.to, k.prefix(priority)+text+"\n")
}
