package dissect

import (
	"cmp"
	"strings"
)

// compareVersions orders version strings as the Version Format Specification
// (https://uapi-group.org/specifications/specs/version_format_specification) does.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, isSeparator), strings.TrimLeftFunc(b, isSeparator)
		if result, done := comparePunctuation(&a, &b, '~'); done {
			return result
		}
		if a == "" || b == "" {
			return cmp.Compare(min(len(a), 1), min(len(b), 1))
		}
		for _, mark := range []byte("-^.") {
			if result, done := comparePunctuation(&a, &b, mark); done {
				return result
			}
		}
		result := 0
		if isDigit(first(a)) || isDigit(first(b)) {
			result = compareNumbers(take(&a, isDigit), take(&b, isDigit))
		} else {
			result = cmp.Compare(take(&a, isLetter), take(&b, isLetter))
		}
		if result != 0 {
			return result
		}
	}
}

// comparePunctuation takes a mark away if both begin with it; if one does, that is the lesser.
func comparePunctuation(a, b *string, mark byte) (result int, done bool) {
	inA, inB := strings.HasPrefix(*a, string(mark)), strings.HasPrefix(*b, string(mark))
	switch {
	case inA && inB:
		*a, *b = (*a)[1:], (*b)[1:]
	case inA:
		return -1, true
	case inB:
		return 1, true
	}
	return 0, false
}

// compareNumbers compares numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return cmp.Compare(a, b)
}

func first(text string) rune {
	for _, r := range text {
		return r
	}
	return 0
}

func take(text *string, is func(rune) bool) string {
	rest := strings.TrimLeftFunc(*text, is)
	taken := (*text)[:len(*text)-len(rest)]
	*text = rest
	return taken
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func isSeparator(r rune) bool { return !isDigit(r) && !isLetter(r) && !strings.ContainsRune("~-^.", r) }
