package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"nspawnkit/container"
	"nspawnkit/settings"
)

// logger prints messages, with systemd's priority prefixes (sd-daemon(3)) when the journal reads them.
type logger struct {
	out    io.Writer
	prefix bool
	quiet  bool
}

func newLogger() *logger {
	return &logger{out: os.Stderr, prefix: os.Getenv("JOURNAL_STREAM") != ""}
}

// print prints one message of a syslog(3) priority. --quiet leaves warnings and errors.
func (l *logger) print(priority int, text string) {
	switch {
	case l.quiet && priority > container.Warning && !l.prefix, priority >= container.Debug && !l.prefix:
	case l.prefix:
		fmt.Fprintf(l.out, "<%d>%s\n", priority, text)
	default:
		fmt.Fprintln(l.out, text)
	}
}

// problems prints the warnings and all errors but the last, which is returned.
func (l *logger) problems(problems []settings.Problem) error {
	var last *settings.Problem
	for i := range problems {
		if problems[i].Severity == settings.Error {
			if last != nil {
				l.print(container.Error, last.String())
			}
			last = &problems[i]
			continue
		}
		l.print(container.Warning, problems[i].String())
	}
	if last != nil {
		return errors.New(last.String())
	}
	return nil
}
