package settings

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is the right side of an assignment and where it stands: some options of the command line are written
// differently from their keys.
type value struct {
	text   string
	origin Origin
}

// fromOption reports whether the value was given on the command line.
func (v value) fromOption() bool { return v.origin.Option != "" }

// unsupported is the error of what systemd-nspawn knows and this program does not do yet.
type unsupported string

func (u unsupported) Error() string { return string(u) + " is not supported yet" }

// isUnsupported reports whether err stands for something that is not supported yet.
func isUnsupported(err error) bool {
	_, ok := err.(unsupported)
	return ok
}

// errEmpty is the error of keys that systemd-nspawn does not reset by an empty value.
var errEmpty = errors.New("an empty value has no meaning here")

var (
	errBool   = errors.New("not a boolean")
	errNumber = errors.New("not a number")
)

// parseBool takes the booleans of systemd.syntax(7).
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, errBool
}

// setBool stores a boolean.
func setBool(into *bool, text string) error {
	parsed, err := parseBool(text)
	if err == nil {
		*into = parsed
	}
	return err
}

// boolOr stores a boolean as one of two words, and reports whether text is one.
func boolOr(into *string, text, yes, no string) bool {
	enabled, err := parseBool(text)
	switch {
	case err != nil:
		return false
	case enabled:
		*into = yes
	default:
		*into = no
	}
	return true
}

// setOneOf stores one of the words of choices, which are separated by spaces.
func setOneOf(into *string, text, choices string) error {
	for choice := range strings.FieldsSeq(choices) {
		if text == choice {
			*into = text
			return nil
		}
	}
	return fmt.Errorf("not one of %s", strings.ReplaceAll(choices, " ", ", "))
}

// parseUint takes an unsigned number as systemd does: decimal, 0x1f, 017, and without a sign before it 0o17 and 0b1.
func parseUint(text string, bits int) (uint64, error) {
	digits, base := numberBase(text)
	digits, negative := strings.CutPrefix(digits, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	if badDigits(digits, base) {
		return 0, errNumber
	}
	n, err := strconv.ParseUint(digits, base, bits)
	if errors.Is(err, strconv.ErrRange) || negative && n != 0 {
		return 0, errTooLarge
	} else if err != nil {
		return 0, errNumber
	}
	return n, nil
}

// parseInt takes a signed number within [low, high], written as those of parseUint.
func parseInt(text string, low, high int64) (int64, error) {
	digits, base := numberBase(text)
	if badDigits(strings.TrimLeft(digits, "+-"), base) {
		return 0, errNumber
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errNumber
	}
	if n < low || n > high {
		return 0, fmt.Errorf("not between %d and %d", low, high)
	}
	return n, nil
}

// numberBase returns a number without white space before it and without the prefixes that strtoull(3) does not know, and
// its base; 0 if that is to be seen from the rest.
func numberBase(text string) (digits string, base int) {
	text = strings.TrimLeft(text, blank)
	if len(text) > 2 && text[0] == '0' {
		switch text[1] {
		case 'b', 'B':
			return strings.TrimLeft(text[2:], blank), 2
		case 'o', 'O':
			return strings.TrimLeft(text[2:], blank), 8
		}
	}
	return text, 0
}

// badDigits reports whether digits are what strconv would take and strtoull(3) does not.
func badDigits(digits string, base int) bool {
	return strings.Contains(digits, "_") || base == 0 && len(digits) > 1 && digits[0] == '0' && strings.IndexByte("bBoO", digits[1]) >= 0
}

// checkPath accepts absolute paths that stay what they are when they are cleaned: no "..", no control characters.
func checkPath(p string) error {
	switch {
	case !path.IsAbs(p):
		return fmt.Errorf("path %s is not absolute", printable(p))
	case len(p) > 4095:
		return errors.New("path is too long")
	case hasControl(p) || !utf8.ValidString(p):
		return fmt.Errorf("path %s has control characters", printable(p))
	}
	for component := range strings.SplitSeq(p, "/") {
		if component == ".." {
			return fmt.Errorf("path %s is not normalized", printable(p))
		}
	}
	return nil
}

// checkNormalized accepts absolute paths without "." and ".." and without empty components.
func checkNormalized(p string) error {
	if err := checkPath(p); err != nil {
		return err
	}
	if strings.Contains(p, "//") || strings.Contains(p+"/", "/./") {
		return fmt.Errorf("path %s is not normalized", printable(p))
	}
	return nil
}

// hostnameMax is HOST_NAME_MAX of limits.h.
const hostnameMax = 64

// ValidMachineName reports whether name can be the name of a container: the rule of hostname(5) that systemd-nspawn(1)
// applies to --machine= and --hostname=. Such a name is safe in paths, units and DNS.
func ValidMachineName(name string) bool {
	if name == "" || len(name) > hostnameMax {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !isLetterOrDigit(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

// machineNameOf makes a machine name of the last component of a path by leaving out the suffix and what cannot be in one. Of a versioned
// directory (systemd.v(7)), and of what is in one, the version is left out.
func machineNameOf(place, suffix string) string {
	if place == "" || place == "/" {
		return ""
	}
	base, versioned := strings.CutSuffix(path.Base(place), ".v")
	base = strings.TrimSuffix(base, suffix)
	if versioned || strings.HasSuffix(path.Dir(place), ".v") {
		base, _, _ = strings.Cut(base, "_")
	}
	var labels []string
	for label := range strings.SplitSeq(base, ".") {
		label = strings.Map(func(r rune) rune {
			if r < utf8.RuneSelf && (isLetterOrDigit(byte(r)) || r == '-') {
				return r
			}
			return -1
		}, label)
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	if len(name) > hostnameMax {
		name = strings.TrimRight(name[:hostnameMax], ".-")
	}
	return name
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkInterface accepts names that the kernel and systemd take for a network interface and that need no escaping in
// nft, sysctl paths and logs.
func checkInterface(name string) error {
	switch {
	case name == "":
		return errors.New("interface name is empty")
	case len(name) > 15:
		return fmt.Errorf("interface name %s is longer than 15 bytes", printable(name))
	case name == "all" || name == "default":
		return fmt.Errorf("interface name %s is reserved", name)
	case strings.Contains(name, "..") || name == ".":
		return fmt.Errorf("interface name %s has \"..\"", printable(name))
	case isInterfaceNumber(name):
		return fmt.Errorf("interface name %s is a number", name)
	}
	for _, c := range []byte(name) {
		if !isLetterOrDigit(c) && strings.IndexByte("-_.+@~#=", c) < 0 {
			return fmt.Errorf("interface name %s has bad characters", printable(name))
		}
	}
	return nil
}

// isInterfaceNumber reports whether the name of an interface could be taken for its index: also +1 and 0x1, but not 0x0.
func isInterfaceNumber(name string) bool {
	if strings.IndexByte("+0123456789", name[0]) < 0 {
		return false
	}
	_, err := parseInt(name, 1, math.MaxInt32)
	return err == nil || leading(name, "0123456789") == name
}

// printable returns s as it can stand in a message: control characters escaped, not longer than a line.
func printable(s string) string {
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	if hasControl(s) || !utf8.ValidString(s) {
		return strconv.Quote(s)
	}
	return s
}
