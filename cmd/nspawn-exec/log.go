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

// problems prints the warnings and, if there are several, all errors. The error returned, which the caller prints and which
// "systemctl status" shows, is the first of them, with the number of the others.
func (l *logger) problems(problems []settings.Problem) error {
	var errs []string
	for _, p := range problems {
		if p.Severity == settings.Error {
			errs = append(errs, p.String())
		} else {
			l.print(container.Warning, p.String())
		}
	}
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errors.New(errs[0])
	}
	for _, text := range errs {
		l.print(container.Error, text)
	}
	more := "and 1 more error"
	if len(errs) > 2 {
		more = fmt.Sprintf("and %d more errors", len(errs)-1)
	}
	return fmt.Errorf("%s (%s)", errs[0], more)
}
