package main

import (
	"fmt"
	"os"
	"strings"

	"nspawnkit/network/manager"
	"nspawnkit/terminal"
)

// logger writes messages to a file, one line each.
type logger struct {
	file   *os.File
	prefix bool // with the priority, as sd-daemon(3) has it
	style  terminal.Style
}

// newLogger finds out whether the file goes to the journal, by $JOURNAL_STREAM.
func newLogger(file *os.File, stream string) *logger {
	return &logger{file, terminal.IsJournal(file, stream), terminal.StyleOf(file, os.LookupEnv)}
}

// report writes one message. A line break in it would begin a message of its own.
func (l *logger) report(p manager.Priority, text string) {
	text = strings.ReplaceAll(text, "\n", " ")
	switch {
	case l.prefix:
		text = fmt.Sprintf("<%d>%s", p, text)
	case p <= manager.Error:
		text = l.style.Bad(text)
	case p == manager.Warning:
		text = l.style.Warning(text)
	}
	l.file.WriteString(text + "\n")
}
