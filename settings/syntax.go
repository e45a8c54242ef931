package settings

import (
	"math"
	"time"
)

// ParseBool takes the booleans of systemd.syntax(7).
func ParseBool(text string) (bool, error) { return parseBool(text) }

// ParseTimeSpan takes a time span of systemd.time(7); a number without unit counts seconds. "infinity" and whatever does
// not fit is the longest [time.Duration].
func ParseTimeSpan(text string) (time.Duration, error) {
	us, err := parseTimeSpan(text, 1e6)
	if err != nil {
		return 0, err
	}
	return time.Duration(min(us, uint64(math.MaxInt64)/1000)) * time.Microsecond, nil
}

// Unescape resolves the C-style escape sequences of systemd.syntax(7) in a value that may hold any bytes.
func Unescape(text string) ([]byte, error) { return unescape(text) }
