package settings

import (
	"errors"
	"strings"
)

// wordRule says what means something in a list of words. systemd's keys differ in it.
type wordRule struct {
	separators string
	quotes     bool // " and ' hold words together
	escapes    bool // a backslash takes the next character as it is
}

// The rules of the keys: words as of Capability=, arguments as of Parameters=, and with both as of CPUAffinity=.
var (
	plainWords    = wordRule{separators: blank, escapes: true}
	argumentWords = wordRule{separators: blank, quotes: true}
	quotedWords   = wordRule{separators: blank, quotes: true, escapes: true}
	cpuWords      = wordRule{separators: blank + ",", quotes: true, escapes: true}
)

// split takes text apart. Quotes and backslashes that mean something do not get into the words.
func (r wordRule) split(text string) ([]string, error) {
	if !strings.ContainsAny(text, `"'\`) {
		return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(r.separators, c) }), nil
	}
	var (
		words   []string
		word    strings.Builder
		inWord  bool
		quote   byte
		escaped bool
	)
	for i := range len(text) {
		c := text[i]
		switch {
		case escaped:
			word.WriteByte(c)
			escaped = false
		case r.escapes && c == '\\':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && r.quotes && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && strings.IndexByte(r.separators, c) >= 0:
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	switch {
	case escaped:
		return nil, errEscape
	case quote != 0:
		return nil, errors.New("missing closing quote")
	case inWord:
		words = append(words, word.String())
	}
	return words, nil
}

// errEscape is the error of a backslash with nothing behind it.
var errEscape = errors.New("backslash at the end")

// cutEscaped cuts text at the first colon that no backslash escapes and takes the escapes out of the left part, as the
// paths of --bind= and --tmpfs= are written.
func cutEscaped(text string) (before, after string, found bool, err error) {
	if strings.IndexByte(text, '\\') < 0 {
		before, after, found = strings.Cut(text, ":")
		return before, after, found, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == ':':
			return b.String(), text[i+1:], true, nil
		case text[i] == '\\' && i+1 == len(text):
			return "", "", false, errEscape
		case text[i] == '\\':
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), "", false, nil
}
