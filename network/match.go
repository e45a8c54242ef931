package network

import (
	"errors"
	"path"
	"strings"

	"nspawnkit/settings"
)

// Match is the [Match] section of a .network file. The zero Match matches every link.
type Match struct {
	Name, Kind, Driver, Type Patterns

	// unsupported is the first condition that cannot be tested here. A file with one matches no link: ignoring a
	// condition would configure links that it was to keep out.
	unsupported *settings.Problem
}

// Patterns is a list of shell globs. Those with a leading "!" must not match; if there are others, one of them must.
type Patterns []string

// parsePatterns adds the white-space separated globs of value to list, as [Match] keys do: an empty value resets, a
// leading "!" inverts all of value.
func parsePatterns(list *Patterns, value string) error {
	if value == "" {
		*list = nil
		return nil
	}
	invert := ""
	if rest, found := strings.CutPrefix(value, "!"); found {
		invert, value = "!", rest
	}
	var added Patterns
	for glob := range strings.FieldsSeq(value) {
		glob = strings.ReplaceAll(glob, "[!", "[^") // fnmatch(3) writes what path.Match writes
		if _, err := path.Match(glob, ""); err != nil {
			return errors.New("not a shell glob")
		}
		added = append(added, invert+glob)
	}
	*list = append(*list, added...)
	return nil
}

// match reports whether text fits the patterns. No patterns fit everything.
func (p Patterns) match(text string) bool {
	positive, matched := false, false
	for _, glob := range p {
		glob, inverted := strings.CutPrefix(glob, "!")
		hit, _ := path.Match(glob, text) // checked in parsePatterns
		switch {
		case inverted && hit:
			return false
		case !inverted:
			positive = true
			matched = matched || hit
		}
	}
	return matched || !positive
}

// matches reports whether all conditions hold for the link, as far as they can be tested here.
func (m *Match) matches(l Link) bool {
	return m.matchesName(l) && m.Kind.match(l.Kind) && m.Driver.match(l.driver()) && m.Type.match(l.deviceType())
}

func (m *Match) matchesName(l Link) bool {
	if m.Name.match(l.Name) {
		return true
	}
	for _, name := range l.AltNames {
		if m.Name.match(name) {
			return true
		}
	}
	return false
}
