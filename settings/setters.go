package settings

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"nspawnkit/container/capability"
)

const (
	resolvConfModes = "off copy-host copy-static copy-uplink copy-stub replace-host replace-static replace-uplink replace-stub " +
		"bind-host bind-static bind-uplink bind-stub delete auto"
	timezoneModes    = "off copy bind symlink delete auto"
	linkJournalModes = "no host try-host guest try-guest auto"
	ownershipModes   = "off chown map foreign auto"
	usersModes       = "no yes pick identity managed"
	volatileModes    = "no yes state overlay"
)

var errControl = errors.New("control characters are not allowed")

func setParameters(s *Settings, v value) error {
	words, err := argumentWords.split(v.text)
	if err == nil {
		s.Exec.Parameters = append(s.Exec.Parameters, words...)
	}
	return err
}

func setEnvironment(s *Settings, v value) error {
	words := []string{v.text}
	if !v.fromOption() {
		var err error
		if words, err = argumentWords.split(v.text); err != nil {
			return err
		}
	}
	for _, word := range words {
		if err := checkEnvironment(word); err != nil {
			return err
		}
	}
	s.Exec.Environment = append(s.Exec.Environment, words...)
	return nil
}

// checkEnvironment accepts NAME=VALUE with a name of environ(7).
func checkEnvironment(assignment string) error {
	name, _, found := strings.Cut(assignment, "=")
	if !found {
		return fmt.Errorf("%s is not an assignment", printable(assignment))
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return fmt.Errorf("%s is not a variable name", printable(name))
	}
	for _, c := range []byte(name) {
		if !isLetterOrDigit(c) && c != '_' {
			return fmt.Errorf("%s is not a variable name", printable(name))
		}
	}
	return nil
}

func setWorkingDirectory(s *Settings, v value) error {
	if err := checkPath(v.text); err != nil {
		return err
	}
	s.Exec.WorkingDirectory = path.Clean(v.text)
	return nil
}

// setCapabilities adds capabilities: words in a file, a list with commas on the command line.
func setCapabilities(into *[]string, v value) error {
	rule := plainWords
	if v.fromOption() {
		rule.separators = ","
	}
	words, err := rule.split(v.text)
	if err != nil {
		return err
	}
	var names []string
	for _, word := range words {
		if word == "all" {
			names = append(names, word)
			continue
		}
		number, ok := capability.Number(word)
		if n, err := parseInt(word, 0, capability.Limit); err == nil {
			number, ok = int(n), true
		}
		if !ok {
			return fmt.Errorf("%s is not a capability", printable(word))
		}
		names = append(names, capability.Name(number))
	}
	*into = append(*into, names...)
	return nil
}

func setKillSignal(s *Settings, v value) error {
	parsed, err := parseSignal(v.text)
	if err == nil {
		s.Exec.KillSignal = parsed
	}
	return err
}

// setMachineID takes an ID of machine-id(5), or a UUID.
func setMachineID(s *Settings, v value) error {
	id := v.text
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		id = id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
	}
	id = strings.ToLower(id)
	if len(id) != 32 || leading(id, "0123456789abcdef") != id {
		return errors.New("not a 128-bit ID")
	}
	if strings.Trim(id, "0") == "" {
		return errors.New("all zero")
	}
	s.Exec.MachineID = id
	return nil
}

// setPrivateUsers takes the modes of --private-users=. In a file 0 and 1 are booleans; on the command line they are the
// first UID.
func setPrivateUsers(s *Settings, v value) error {
	users := PrivateUsers{Ownership: s.Exec.PrivateUsers.Ownership, Count: 65536, Delegate: s.Exec.PrivateUsers.Delegate}
	enabled, err := parseBool(v.text)
	isBool := err == nil && !(v.fromOption() && leading(v.text, "0123456789") == v.text)
	switch {
	case isBool && enabled:
		users.Mode = UsersYes
	case isBool:
		users.Mode = UsersNo
	case v.text == "pick":
		users.Mode = UsersPick
	case v.text == "identity":
		users.Mode = UsersIdentity
	case v.text == "managed":
		users.Mode = UsersManaged
	default:
		if users.Start, users.Count, err = parseRange(v.text); err != nil {
			return err
		}
		users.Mode = UsersFixed
	}
	s.Exec.PrivateUsers = users
	return nil
}

// parseRange takes START[:COUNT], where no ID may be the invalid 65535 or 4294967295.
func parseRange(text string) (start, count uint32, err error) {
	first, rest, hasCount := strings.Cut(text, ":")
	if first == "" || first[0] == '0' && first != "0" || leading(first, "0123456789") != first {
		return 0, 0, errors.New("not yes, no, pick, identity, managed or UID[:COUNT]")
	}
	from, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return 0, 0, errTooLarge
	}
	n := uint64(65536)
	if hasCount {
		if n, err = parseUint(rest, 32); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case n == 0:
		return 0, 0, errors.New("range is empty")
	case from+n > 0xffffffff:
		return 0, 0, errors.New("range ends beyond the last UID")
	case from == 65535:
		return 0, 0, errors.New("65535 is not a valid UID")
	}
	return uint32(from), uint32(n), nil
}

func setOwnership(s *Settings, v value) error {
	if boolOr(&s.Exec.PrivateUsers.Ownership, v.text, "auto", "off") {
		return nil
	}
	return setOneOf(&s.Exec.PrivateUsers.Ownership, v.text, ownershipModes)
}

// setChown takes the boolean that the mode chown of PrivateUsersOwnership= was before.
func setChown(s *Settings, v value) error {
	if !boolOr(&s.Exec.PrivateUsers.Ownership, v.text, "chown", "off") {
		return errBool
	}
	return nil
}

// setSystemCallFilter adds to the list; a leading "~" goes to each name, so that the order of lines does not matter.
func setSystemCallFilter(s *Settings, v value) error {
	list, deny := strings.CutPrefix(v.text, "~")
	words, err := plainWords.split(list)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range words {
		for _, c := range []byte(strings.TrimPrefix(name, "@")) {
			if !isLetterOrDigit(c) && c != '_' && c != '-' {
				return fmt.Errorf("%s is not a system call or group", printable(name))
			}
		}
		if deny {
			name = "~" + name
		}
		names = append(names, name)
	}
	s.Exec.SystemCallFilter = append(s.Exec.SystemCallFilter, names...)
	return nil
}

func setOOMScoreAdjust(s *Settings, v value) error {
	n, err := parseInt(v.text, -1000, 1000)
	if err == nil {
		adjust := int(n)
		s.Exec.OOMScoreAdjust = &adjust
	}
	return err
}

// setHostname takes no longer label than DNS has from a file, but the name of any machine from the command line, as systemd-nspawn.
func setHostname(s *Settings, v value) error {
	if label, _, _ := strings.Cut(v.text, "."); v.text != "" && !ValidMachineName(v.text) || len(label) > 63 && v.origin.Option == "" {
		return errors.New("not a valid host name")
	}
	s.Exec.Hostname = v.text
	return nil
}

// setMode stores a mode of ResolvConf= or Timezone=; systemd takes booleans for auto and off, too.
func setMode(into *string, text, modes string) error {
	if boolOr(into, text, "auto", "off") {
		return nil
	}
	return setOneOf(into, text, modes)
}

func setLinkJournal(s *Settings, v value) error {
	if link := (LinkJournal{}); boolOr(&link.Mode, v.text, "auto", "no") {
		s.Exec.LinkJournal = link
		return nil
	}
	mode, try := strings.CutPrefix(v.text, "try-")
	choices := "host guest auto"
	if try {
		choices = "host guest"
	}
	if setOneOf(&mode, mode, choices) != nil {
		return errors.New("not one of no, host, try-host, guest, try-guest, auto")
	}
	s.Exec.LinkJournal = LinkJournal{Mode: mode, Try: try}
	return nil
}

// checkText refuses what may not stand in a unit or a mount option.
func checkText(text string) error {
	if hasControl(text) || !utf8.ValidString(text) {
		return errControl
	}
	return nil
}
