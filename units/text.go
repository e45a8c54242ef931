package units

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"nspawnkit/settings"
)

// maxLine is the longest line systemd reads (LONG_LINE_MAX); one longer line and it refuses the whole file.
const maxLine = 1 << 20

// section collects the lines of one section of a unit file.
type section struct {
	name  string
	lines []settings.Statement
}

// add appends KEY=VALUE, which a line of the .nspawn file asks for, unless the same line is there already. A line that
// systemd would read as anything but this one assignment is a mistake of the caller and never written.
func (s *section) add(origin settings.Origin, key, value string) {
	if lineError(key, value) != nil {
		return
	}
	for i := range s.lines {
		if s.lines[i].Key == key && s.lines[i].Value == value {
			return
		}
	}
	s.append(origin, key, value)
}

// append appends KEY=VALUE, which was checked, also if it is there already: the user's own order counts.
func (s *section) append(origin settings.Origin, key, value string) {
	s.lines = append(s.lines, settings.Statement{Origin: origin, Section: s.name, Key: key, Value: value})
}

func (s *section) writeTo(b *strings.Builder) {
	if len(s.lines) == 0 {
		return
	}
	b.WriteString("\n[" + s.name + "]\n")
	for i := range s.lines {
		b.WriteString(s.lines[i].Key)
		b.WriteByte('=')
		b.WriteString(s.lines[i].Value)
		b.WriteByte('\n')
	}
}

// lineError says why KEY=VALUE would not be read as exactly one assignment (systemd.syntax(7)).
func lineError(key, value string) error {
	if !validKey(key) {
		return fmt.Errorf("%q is not the name of a setting", key)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s= is not valid UTF-8", key)
	}
	for _, r := range value {
		if isControl(r) {
			return fmt.Errorf("%s= contains the control character %q", key, r)
		}
	}
	if (len(value)-len(strings.TrimRight(value, `\`)))%2 == 1 {
		return fmt.Errorf("%s= ends in a backslash, which would join the next line to it", key)
	}
	if len(key)+len("=")+len(value) >= maxLine {
		return fmt.Errorf("%s= is longer than 1 MiB", key)
	}
	return nil
}

// isControl is true for every character that could end a line or hide text in a terminal, but not for a tab.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// validKey is true for what systemd calls its settings: letters and digits, and "X-" before private ones.
func validKey(key string) bool {
	if key == "" || key[0] == '-' {
		return false
	}
	for i := range len(key) {
		if c := key[i]; !isAlphanumeric(c) && c != '-' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// escapeSpecifiers makes systemd take every "%" of s literally.
func escapeSpecifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// quotePath writes a path as one word of a list that systemd splits at spaces (systemd.syntax(7), "Quoting").
func quotePath(path string) string {
	path = escapeSpecifiers(path)
	if !strings.ContainsAny(path, " \t\"'\\") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

// comment makes a path safe to stand in a comment line.
func comment(path string) string {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) || strings.HasSuffix(path, `\`) {
		return strconv.Quote(path)
	}
	return path
}
