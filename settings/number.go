package settings

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

var errTooLarge = errors.New("number out of range")

// unit is a suffix of a number and what it multiplies by.
type unit struct {
	suffix string
	factor uint64
}

// binary and decimal are the suffixes of sizes to base 1024 and 1000, largest first.
var (
	binary  = [...]unit{{"E", 1 << 60}, {"P", 1 << 50}, {"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}, {"", 1}}
	decimal = [...]unit{{"E", 1e18}, {"P", 1e15}, {"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"K", 1e3}, {"B", 1}, {"", 1}}
)

// parseSize takes a number of bytes: "1G", "1.5M", "1G 500M".
func parseSize(text string, units [8]unit) (uint64, error) {
	return parseSum(text, sizeSyntax, func(suffix string, next int) (uint64, int, bool) {
		for i := next; i < len(units); i++ {
			if units[i].suffix == suffix {
				return units[i].factor, i + 1, true // descending order only
			}
		}
		return 0, 0, false
	})
}

// timeUnits are the units of time of systemd.time(7) in microseconds.
var timeUnits = [...]struct {
	names  string
	factor uint64
}{
	{"us usec µs μs", 1},
	{"ms msec", 1000},
	{"s sec second seconds", 1e6},
	{"m min minute minutes", 60e6},
	{"h hr hour hours", 3600e6},
	{"d day days", 86400e6},
	{"w week weeks", 7 * 86400e6},
	{"M month months", 2629800e6},
	{"y year years", 31557600e6},
}

// parseTimeSpan takes a time span of systemd.time(7), in microseconds; plain is what a number without unit counts in.
// "infinity" is [Infinity].
func parseTimeSpan(text string, plain uint64) (uint64, error) {
	if text == "infinity" {
		return Infinity, nil
	}
	return parseSum(text, timeSyntax, func(suffix string, next int) (uint64, int, bool) {
		if suffix == "" {
			return plain, 0, true
		}
		for _, u := range timeUnits {
			for name := range strings.FieldsSeq(u.names) {
				if name == suffix {
					return u.factor, 0, true
				}
			}
		}
		return 0, 0, false
	})
}

// sumSyntax is how the terms of a size or a time span are written; systemd reads the two a little differently.
type sumSyntax struct {
	bad         error // of malformed text
	maxWhole    uint64
	maxFraction uint64 // 0: of any length
	bareDot     string // what may be missing beside the point: "whole" or "fraction"
	trailing    string // white space that may follow
}

var (
	sizeSyntax = sumSyntax{bad: errors.New("not a size"), maxWhole: math.MaxUint64, maxFraction: math.MaxUint64, bareDot: "fraction"}
	timeSyntax = sumSyntax{bad: errors.New("not a time span"), maxWhole: math.MaxInt64, bareDot: "whole", trailing: blank}
)

// parseSum adds up the terms of text, each a decimal number, possibly with a fraction, and a suffix. The factor of a
// suffix comes from lookup, which also gets and returns a state of its own.
func parseSum(text string, syntax sumSyntax, lookup func(suffix string, state int) (factor uint64, next int, ok bool)) (uint64, error) {
	var sum uint64
	state := 0
	rest := strings.TrimRight(strings.TrimLeft(text, blank), syntax.trailing)
	if rest == "" || strings.TrimRight(rest, blank) != rest {
		return 0, syntax.bad
	}
	for rest != "" {
		whole, fraction, after, err := syntax.number(rest)
		if err != nil {
			return 0, err
		}
		rest = strings.TrimLeft(after, blank)
		end := strings.IndexAny(rest, "0123456789. \t+-")
		if end < 0 {
			end = len(rest)
		}
		factor, next, ok := lookup(rest[:end], state)
		if !ok {
			return 0, syntax.bad
		}
		state, rest = next, strings.TrimLeft(rest[end:], blank)
		term, ok := multiply(whole, fraction, factor)
		total, carry := bits.Add64(sum, term, 0)
		if !ok || carry != 0 || total == Infinity {
			return 0, errTooLarge
		}
		sum = total
	}
	return sum, nil
}

// number cuts "12.34" off text.
func (s *sumSyntax) number(text string) (whole, fraction, rest string, err error) {
	rest = strings.TrimPrefix(text, "+")
	signed := rest != text
	whole = leading(rest, "0123456789")
	rest = rest[len(whole):]
	if strings.HasPrefix(rest, ".") {
		fraction = leading(rest[1:], "0123456789")
		rest = rest[1+len(fraction):]
		if fraction == "" && s.bareDot != "fraction" {
			return "", "", "", s.bad
		}
	}
	if rest != "" && strings.IndexByte(".+-", rest[0]) >= 0 {
		return "", "", "", s.bad
	}
	if whole == "" && (signed || fraction == "" || s.bareDot != "whole") {
		return "", "", "", s.bad
	}
	if exceeds(whole, s.maxWhole) || s.maxFraction != 0 && exceeds(fraction, s.maxFraction) {
		return "", "", "", errTooLarge
	}
	return whole, fraction, rest, nil
}

// exceeds reports whether decimal digits, possibly none, are more than limit.
func exceeds(digits string, limit uint64) bool {
	if digits == "" {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return err != nil || n > limit
}

// multiply returns whole.fraction × factor, rounded down, and whether it fits.
func multiply(whole, fraction string, factor uint64) (uint64, bool) {
	var n uint64
	if whole != "" {
		var err error
		if n, err = strconv.ParseUint(whole, 10, 64); err != nil {
			return 0, false
		}
	}
	high, product := bits.Mul64(n, factor)
	if high != 0 {
		return 0, false
	}
	if len(fraction) > 18 {
		fraction = fraction[:18] // no unit is that fine
	}
	digits, scale := uint64(0), uint64(1)
	for _, digit := range []byte(fraction) {
		digits, scale = digits*10+uint64(digit-'0'), scale*10
	}
	high, low := bits.Mul64(digits, factor)
	part, _ := bits.Div64(high, low, scale) // fits: digits < scale
	sum, carry := bits.Add64(product, part, 0)
	return sum, carry == 0
}

// leading returns the longest prefix of text that consists of the characters of set.
func leading(text, set string) string {
	return text[:len(text)-len(strings.TrimLeft(text, set))]
}

// parsePercent takes "12.34%" with at most two decimals and returns hundredths of a percent.
func parsePercent(text string) (uint64, error) {
	number, ok := strings.CutSuffix(text, "%")
	whole, fraction, hasFraction := strings.Cut(number, ".")
	if !ok || whole == "" || leading(whole, "0123456789") != whole ||
		hasFraction && (fraction == "" || len(fraction) > 2 || leading(fraction, "0123456789") != fraction) {
		return 0, errors.New("not a percentage")
	}
	n, ok := multiply(whole, fraction, 100)
	if !ok || n > math.MaxInt32 {
		return 0, errTooLarge
	}
	return n, nil
}
