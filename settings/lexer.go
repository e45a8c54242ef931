package settings

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line, continuations included, that systemd reads; a longer one refuses the file.
const maxLine = 1 << 20

// maxStatements and maxProblems bound the time and memory that one file can take. No file of settings comes near them; one that is
// something else altogether does.
const (
	maxStatements = 1 << 14
	maxProblems   = 1000
)

// maxReserved is how many statements memory is reserved for before they are read.
const maxReserved = 64

// blank is the white space that systemd strips from lines, keys and values. Vertical tab, form feed and no-break space
// stay.
const blank = " \t\n\r"

// lineEnds are the characters that end a line.
const lineEnds = "\n\r\x00"

// Statement is one KEY=VALUE line of a file in the format of systemd.syntax(7), of which .nspawn files are one kind and
// .network files (package network) another. Its Origin names the last physical line.
type Statement struct {
	Origin              Origin
	Section, Key, Value string
	SectionLine         int // of the "[SECTION]" header: tells sections of one name apart
}

// lexer splits a file into statements as systemd.syntax(7) has it.
type lexer struct {
	file        string
	section     string // "" before the first section header
	sectionLine int    // its line
	statements  []Statement
	problems    []Problem
}

// Statements reads a file in the format of systemd.syntax(7) as systemd's own programs do: order kept, continuations
// joined, values verbatim. The problems are warnings about lines that were left out; the error is why the file as a whole
// must not be used.
func Statements(file string, data []byte) ([]Statement, []Problem, error) {
	l := lexer{file: file}
	var joined strings.Builder // continuation lines so far
	line := 0
	rest := string(data)
	l.statements = make([]Statement, 0, min(strings.Count(rest, "="), maxReserved))
	for rest != "" {
		var text string
		text, rest = nextLine(rest)
		line++
		if line == 1 {
			text = strings.TrimPrefix(text, "\uFEFF")
		}
		if start := strings.TrimLeft(text, blank); start != "" && (start[0] == '#' || start[0] == ';') {
			continue // also in the middle of a continuation
		}
		if len(text)+joined.Len() > maxLine {
			return nil, nil, l.refuse(line, "line longer than 1 MiB")
		}
		if endsInBackslash(text) {
			joined.WriteString(text[:len(text)-1])
			joined.WriteByte(' ')
			continue
		}
		if joined.Len() > 0 {
			joined.WriteString(text)
			text = joined.String()
			joined.Reset()
		}
		if err := l.statement(text, line); err != nil {
			return nil, nil, err
		}
		if len(l.problems) > maxProblems || len(l.statements) > maxStatements {
			return nil, nil, l.refuse(line, "no file of settings, too many lines")
		}
	}
	if joined.Len() > 0 {
		line++ // where the line would end that the last backslash asks for
	}
	if err := l.statement(joined.String(), line); err != nil {
		return nil, nil, err
	}
	return l.statements, l.problems, nil
}

// nextLine cuts the first line off text. Line feed, carriage return and NUL end a line; different ones in a row end it
// once ("\r\n", "\n\r"), and nothing after a NUL belongs to it.
func nextLine(text string) (line, rest string) {
	end := strings.IndexAny(text, lineEnds)
	if end < 0 {
		return text, ""
	}
	next := end + 1
	for next < len(text) && strings.IndexByte(lineEnds, text[next]) >= 0 &&
		text[next-1] != 0 && strings.IndexByte(text[end:next], text[next]) < 0 {
		next++
	}
	return text[:end], text[next:]
}

// endsInBackslash reports whether the last character is a backslash that is not itself escaped.
func endsInBackslash(text string) bool {
	trimmed := strings.TrimRight(text, `\`)
	return (len(text)-len(trimmed))%2 == 1
}

// statement takes one line without its continuations.
func (l *lexer) statement(text string, line int) error {
	text = strings.Trim(text, blank)
	switch {
	case text == "":
		return nil
	case !utf8.ValidString(text):
		return l.refuse(line, "not valid UTF-8")
	case text[0] == '[':
		return l.header(text, line)
	}
	key, value, found := strings.Cut(text, "=")
	key = strings.TrimRight(key, blank)
	switch {
	case l.section == "":
		l.warn(line, "assignment outside of a section, ignored")
	case strings.HasPrefix(l.section, "X-") && (!found || key == ""):
		// A section of another program is none of our business.
	case !found:
		l.warn(line, "missing '=', line ignored")
	case key == "":
		l.warn(line, "missing key name before '=', line ignored")
	default:
		l.statements = append(l.statements, Statement{
			Origin{File: l.file, Line: line}, l.section, key, strings.TrimLeft(value, blank), l.sectionLine,
		})
	}
	return nil
}

// header takes a "[SECTION]" line.
func (l *lexer) header(text string, line int) error {
	name := strings.TrimSuffix(text[1:], "]")
	if len(name) == len(text)-1 {
		return l.refuse(line, "text after the section name")
	}
	if name == "" || hasControl(name) || strings.ContainsAny(name, `"'\`) {
		return l.refuse(line, "bad characters in section name")
	}
	l.section, l.sectionLine = name, line
	return nil
}

func (l *lexer) warn(line int, text string) {
	l.problems = append(l.problems, Problem{Origin{File: l.file, Line: line}, Warning, text})
}

func (l *lexer) refuse(line int, text string) error {
	return &refusal{Origin{File: l.file, Line: line}, text}
}

// refusal is why a file is not read at all.
type refusal struct {
	origin Origin
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.origin, r.text) }

// problem returns the refusal as a [Problem]: nothing of the file is in effect, so the container must not start.
func (r *refusal) problem() Problem { return Problem{r.origin, Error, r.text + ", file not read"} }

// hasControl reports whether s has a control character, which must never reach a unit file, a path or a log.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
