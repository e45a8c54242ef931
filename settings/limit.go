package settings

import (
	"errors"
)

// limitKind is how the values of a resource limit are written (systemd.exec(5), "Process Properties").
type limitKind int

const (
	limitCount limitKind = iota
	limitBytes
	limitSeconds
	limitMicroseconds
	limitNice
)

// kindOfLimit returns how the limit name, without "Limit" or "RLIMIT_", is written.
func kindOfLimit(name string) limitKind {
	switch name {
	case "FSIZE", "DATA", "STACK", "CORE", "RSS", "AS", "MEMLOCK", "MSGQUEUE":
		return limitBytes
	case "CPU":
		return limitSeconds
	case "RTTIME":
		return limitMicroseconds
	case "NICE":
		return limitNice
	}
	return limitCount
}

// parseLimit takes "VALUE" or "SOFT:HARD" of the limit name ("NOFILE").
func parseLimit(name, text string) (Limit, error) {
	soft, rest, both, err := cutEscaped(text)
	if err != nil {
		return Limit{}, err
	}
	hard, rest, _, err := cutEscaped(rest)
	switch {
	case err != nil:
		return Limit{}, err
	case rest != "":
		return Limit{}, errors.New("more than two values")
	case !both:
		hard = soft
	}
	var l Limit
	kind := kindOfLimit(name)
	if l.Soft, err = kind.parse(soft); err != nil {
		return Limit{}, err
	}
	if l.Hard, err = kind.parse(hard); err != nil {
		return Limit{}, err
	}
	if l.Soft > l.Hard {
		return Limit{}, errors.New("soft limit is higher than the hard limit")
	}
	return l, nil
}

// parse takes one value of a limit.
func (k limitKind) parse(text string) (uint64, error) {
	if text == "infinity" && k != limitNice {
		return Infinity, nil
	}
	switch k {
	case limitBytes:
		return parseSize(text, binary)
	case limitSeconds:
		n, err := parseTimeSpan(text, 1e6)
		seconds := n / 1e6
		if n%1e6 != 0 {
			seconds++ // a part of a second counts as a whole one
		}
		return seconds, err
	case limitMicroseconds:
		return parseTimeSpan(text, 1)
	case limitNice:
		return parseNice(text)
	}
	n, err := parseUint(text, 64)
	if err == nil && n == Infinity {
		err = errTooLarge
	}
	return n, err
}

// parseNice takes a nice level with its sign, "+5" or "-5", or the raw limit, which is 20 minus the level.
func parseNice(text string) (uint64, error) {
	limit, sign := uint64(40), byte(0)
	if text != "" && (text[0] == '+' || text[0] == '-') {
		sign, text = text[0], text[1:]
		limit = 20
		if sign == '+' {
			limit = 19
		}
	}
	n, err := parseUint(text, 64)
	if err != nil {
		return 0, err
	}
	if n > limit {
		return 0, errTooLarge
	}
	switch sign {
	case '+':
		return 20 - n, nil
	case '-':
		return 20 + n, nil
	}
	return n, nil
}

// setLimit stores the limit name.
func setLimit(s *Settings, name, text string) error {
	l, err := parseLimit(name, text)
	if err != nil {
		return err
	}
	if s.Exec.Limits == nil {
		s.Exec.Limits = make(map[string]Limit)
	}
	s.Exec.Limits[name] = l
	return nil
}
