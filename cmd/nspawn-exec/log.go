package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"nspawnkit/container"
	"nspawnkit/settings"
	"nspawnkit/terminal"
)

// logger prints messages, with systemd's priority prefixes (sd-daemon(3)) when the journal reads them.
type logger struct {
	out    io.Writer
	prefix bool
	quiet  bool
	log    logOptions
}

// newLogger follows the environment, and returns warnings of what it cannot follow.
func newLogger() (l *logger, warnings []string) {
	options, warnings := parseLogOptions(os.Getenv, terminal.IsJournal(os.Stderr, os.Getenv("JOURNAL_STREAM")))
	l = &logger{out: os.Stderr, prefix: options.target == "journal" || options.prefixed, log: options}
	switch options.target {
	case "null":
		l.out = io.Discard
	case "kmsg":
		if kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil { // closed by the end of the program
			l.out, l.prefix = kmsg, true
			l.log.name = fmt.Sprintf("nspawn-exec[%d]: ", os.Getpid())
		} else {
			warnings = append(warnings, fmt.Sprintf("$SYSTEMD_LOG_TARGET=kmsg: %v, ignoring", err))
		}
	}
	return l, warnings
}

// print prints one message of a syslog(3) priority. --quiet leaves warnings, errors and what one looks for by a level of debug.
func (l *logger) print(priority int, text string) {
	isInfo := priority == container.Notice || priority == container.Info
	if priority > l.log.level || l.quiet && isInfo && !l.prefix {
		return
	}
	end := ""
	if before, raw := strings.CutSuffix(text, "\r"); raw { // a terminal in raw mode needs one in each line
		text, end = before, "\r"
	}
	for _, line := range strings.Split(text, "\n") {
		l.printLine(priority, visible(line)+end)
	}
}

// visible replaces control characters: some names come from images, and are neither to control a terminal nor to look like a message of
// their own.
func visible(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, line)
}

func (l *logger) printLine(priority int, text string) {
	switch {
	case l.prefix:
		fmt.Fprintf(l.out, "<%d>%s%s\n", priority, l.log.name, text)
	default:
		if l.log.time {
			text = time.Now().Format("Mon 2006-01-02 15:04:05 MST ") + text
		}
		if l.log.color {
			text = colored(priority, text)
		}
		fmt.Fprintln(l.out, text)
	}
}

// colored is how systemd's programs show a priority on a terminal.
func colored(priority int, text string) string {
	const bold, red, yellow, grey, normal = "\x1b[0;1;39m", "\x1b[0;1;31m", "\x1b[0;1;38:5:185m", "\x1b[0;38:5:245m", "\x1b[0m"
	switch {
	case priority <= container.Error:
		return red + text + normal
	case priority == container.Warning:
		return yellow + text + normal
	case priority == container.Notice:
		return bold + text + normal
	case priority >= container.Debug:
		return grey + text + normal
	}
	return text
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
