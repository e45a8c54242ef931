// Package terminal marks text for people as systemd's programs do: on a terminal that shows it, and whose user likes it.
package terminal

import (
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"nspawnkit/settings"
)

// Style tells whether escape sequences are written.
type Style bool

// StyleOf returns the style of what is written to w, by $SYSTEMD_COLORS, else $NO_COLOR, else whether w is a terminal and $TERM, as
// "ENVIRONMENT" in systemd(1) has it. lookup is os.LookupEnv.
func StyleOf(w io.Writer, lookup func(string) (string, bool)) Style {
	file, isFile := w.(*os.File)
	return styleOf(isFile && isTerminal(file), lookup)
}

func styleOf(isTerminal bool, lookup func(string) (string, bool)) Style {
	colors, _ := lookup("SYSTEMD_COLORS")
	if slices.Contains([]string{"16", "256", "24bit"}, colors) {
		return true
	}
	if on, err := settings.ParseBool(colors); err == nil {
		return Style(on)
	}
	if _, none := lookup("NO_COLOR"); none {
		return false
	}
	kind, _ := lookup("TERM")
	return Style(isTerminal && kind != "" && kind != "dumb")
}

// isTerminal reports whether the file has the attributes of a terminal. That of golang.org/x/sys would be all that nspawn-generator
// links of it.
func isTerminal(file *os.File) bool {
	var attributes syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&attributes)))
	return errno == 0
}

// Heading marks the heading of a table or a list.
func (s Style) Heading(text string) string { return s.mark("4", text) }

// Good marks what is well.
func (s Style) Good(text string) string { return s.mark("1;32", text) }

// Bad marks what is not, and errors.
func (s Style) Bad(text string) string { return s.mark("1;31", text) }

// Warning marks warnings.
func (s Style) Warning(text string) string { return s.mark("1;38:5:185", text) }

// Help marks the headings of a help text: lines that begin at the margin and end in a colon.
func (s Style) Help(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if heading, found := strings.CutSuffix(line, ":"); found && line[0] != ' ' {
			lines[i] = s.Heading(heading) + ":"
		}
	}
	return strings.Join(lines, "\n")
}

// mark writes text with parameters of SGR (ECMA-48, 8.3.117).
func (s Style) mark(parameters, text string) string {
	if !s || text == "" {
		return text
	}
	return "\x1b[0;" + parameters + "m" + text + "\x1b[0m"
}
