package settings

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"nspawnkit/container/seccomp"
)

// setUser takes a user of the container, by name or number. The container's own rules for names are not known, so only
// what can be in no user database is refused.
func setUser(s *Settings, v value) error {
	switch name := v.text; {
	case name == "" || name == "root" || name == "0":
		s.Exec.User = ""
		return nil
	case leading(name, "0123456789") == name:
		if n, err := strconv.ParseUint(name, 10, 32); err != nil || n == 1<<16-1 || n == 1<<32-1 {
			return fmt.Errorf("%s is not a UID", name)
		}
	case strings.ContainsAny(name, "\"'\\:/") || name[0] == '-' || len(name) > 256 || !utf8.ValidString(name):
		return fmt.Errorf("%s is not the name of a user", printable(name))
	}
	s.Exec.User = v.text
	return checkText(v.text)
}

// checkUserName accepts the names of users that need no quoting anywhere: the strict rule of systemd ("User/Group Name
// Syntax").
func checkUserName(name string) error {
	bad := fmt.Errorf("%s is not the name of a user", printable(name))
	if name == "" || len(name) > 31 || name[0] == '-' || name[0] >= '0' && name[0] <= '9' {
		return bad
	}
	for _, c := range []byte(name) {
		if !isLetterOrDigit(c) && c != '_' && c != '-' {
			return bad
		}
	}
	return nil
}

// personalities are the architectures that the kernel can report on a machine of the architecture goarch: its own and,
// where there is one, the 32-bit one beside it.
func personalities(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86-64 x86"
	case "386":
		return "x86"
	case "arm64":
		return "arm64 arm"
	case "s390x":
		return "s390x s390"
	case "ppc64le":
		return "ppc64-le ppc-le"
	case "loong64":
		return "loongarch64"
	}
	return goarch
}

func setPersonality(s *Settings, v value) error {
	return setOneOf(&s.Exec.Personality, v.text, personalities(runtime.GOARCH))
}

// maxDelegate is the number of ranges that systemd-nsresourced(8) delegates at most.
const maxDelegate = 16

func setPrivateUsersDelegate(s *Settings, v value) error {
	n, err := parseUint(v.text, 32)
	if err != nil {
		return err
	}
	if n > maxDelegate {
		return fmt.Errorf("not between 0 and %d", maxDelegate)
	}
	s.Exec.PrivateUsers.Delegate = uint(n)
	return nil
}

// setAddressFamilies adds to the list; a leading "~" goes to each name, so that the order of lines does not matter. "none" takes
// back what was allowed or taken away before.
func setAddressFamilies(s *Settings, v value) error {
	if v.text == "" || v.text == "none" {
		s.Exec.RestrictAddressFamilies = strings.Fields(v.text)
		return nil
	}
	list, deny := strings.CutPrefix(v.text, "~")
	words, err := quotedWords.split(list)
	if err != nil {
		return err
	}
	var names []string
	for _, word := range words {
		name := strings.ToUpper(word)
		if _, known := seccomp.AddressFamily(name); !known {
			return fmt.Errorf("%s is not an address family", printable(word))
		}
		if deny {
			name = "~" + name
		}
		names = append(names, name)
	}
	s.Exec.RestrictAddressFamilies = append(s.Exec.RestrictAddressFamilies, names...)
	return nil
}

// maxCPU is the highest number of a CPU that systemd takes.
const maxCPU = 8191

// setCPUAffinity adds CPUs: numbers and ranges with spaces or commas between them.
func setCPUAffinity(s *Settings, v value) error {
	words, err := cpuWords.split(v.text)
	if err != nil {
		return err
	}
	var set [maxCPU + 1]bool
	for _, cpu := range s.Exec.CPUAffinity {
		set[cpu] = true
	}
	for _, word := range words {
		first, last, err := parseCPURange(word)
		if err != nil {
			return err
		}
		for cpu := first; cpu <= last; cpu++ {
			set[cpu] = true
		}
	}
	s.Exec.CPUAffinity = nil
	for cpu, in := range set {
		if in {
			s.Exec.CPUAffinity = append(s.Exec.CPUAffinity, cpu)
		}
	}
	return nil
}

// parseCPURange takes CPU or FIRST-LAST.
func parseCPURange(word string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(word, "-")
	if first, err = parseUint(from, 32); err != nil {
		return 0, 0, err
	}
	last = first
	if isRange {
		if last, err = parseUint(to, 32); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case first > last:
		return 0, 0, fmt.Errorf("range %s is the wrong way round", word)
	case last > maxCPU:
		return 0, 0, fmt.Errorf("CPU %d is beyond the last, %d", last, maxCPU)
	}
	return first, last, nil
}
