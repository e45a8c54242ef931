package image

import (
	"cmp"
	"strings"
)

// CompareVersions compares two versions as UAPI.10, the version format specification of systemd.v(7), does: negative if the
// first is older, positive if it is newer.
func CompareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, isSeparator), strings.TrimLeftFunc(b, isSeparator)
		if order := cutMark(&a, &b, '~'); order != 0 { // before a pre-release: "1~rc1" is older than "1"
			return order
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		for _, mark := range []byte("-^.") { // before a release, a patch, a point release
			if order := cutMark(&a, &b, mark); order != 0 {
				return order
			}
		}
		if order := compareSegments(&a, &b); order != 0 {
			return order
		}
	}
}

// cutMark takes a mark off both versions. One that has it alone is older.
func cutMark(a, b *string, mark byte) int {
	restA, hasA := strings.CutPrefix(*a, string(mark))
	restB, hasB := strings.CutPrefix(*b, string(mark))
	*a, *b = restA, restB
	switch {
	case hasA && !hasB:
		return -1
	case hasB && !hasA:
		return 1
	}
	return 0
}

// compareSegments takes a number or a word off both versions. A number is newer than a word, a longer word newer than its
// beginning.
func compareSegments(a, b *string) int {
	if numberA, numberB := cutSet(a, isDigit), cutSet(b, isDigit); numberA != "" || numberB != "" {
		if numberA == "" || numberB == "" {
			return cmp.Compare(len(numberA), len(numberB))
		}
		numberA, numberB = strings.TrimLeft(numberA, "0"), strings.TrimLeft(numberB, "0")
		return cmp.Or(cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB))
	}
	return cmp.Compare(cutSet(a, isLetter), cutSet(b, isLetter))
}

// cutSet takes the characters of a set off the beginning of a text.
func cutSet(text *string, in func(rune) bool) (head string) {
	end := strings.IndexFunc(*text, func(r rune) bool { return !in(r) })
	if end < 0 {
		end = len(*text)
	}
	head, *text = (*text)[:end], (*text)[end:]
	return head
}

func isDigit(r rune) bool  { return '0' <= r && r <= '9' }
func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// isSeparator reports whether a character has no meaning but to separate.
func isSeparator(r rune) bool {
	return !isDigit(r) && !isLetter(r) && !strings.ContainsRune("~-^.", r)
}
