package seccomp

import (
	"fmt"
	"slices"
	"strings"

	"nspawnkit/container/capability"
)

// Policy is what the filter of a container depends on.
type Policy struct {
	Capabilities capability.Set // what the container keeps; some calls are allowed only with their capability

	// Keyring allows @keyring, as systemd-nspawn does since 258. Only for a container with a user namespace and a
	// session keyring of its own (KEYCTL_JOIN_SESSION_KEYRING): without them the host's keys are within reach.
	Keyring bool

	// Filter holds SystemCallFilter= of systemd.nspawn(5): names of calls and "@group"s separated by spaces, which
	// are allowed, or taken away if the string begins with "~". Taking away wins, whatever the order.
	Filter []string

	// AddressFamilies holds RestrictAddressFamilies= of systemd.nspawn(5): "AF_INET" allows a family of socket(2) and all others
	// no longer, "~AF_PACKET" takes one away, whatever the order, and "none" allows none. Empty: all are allowed.
	AddressFamilies []string

	SuppressSync bool // SuppressSync= of systemd.nspawn(5)

	Architecture string // of the host: "amd64" or "arm64", as runtime.GOARCH
}

// Unknown returns the words of a SystemCallFilter= that name no system call and no group known here. [Program] passes
// over them, as systemd-nspawn does with a warning, but for a group to take away.
func Unknown(filter []string) []string {
	var unknown []string
	for _, line := range filter {
		_, words := split(line)
		for _, word := range words {
			if new(selection).add(word) != nil {
				unknown = append(unknown, word)
			}
		}
	}
	return unknown
}

// split returns whether the line of a SystemCallFilter= takes away, and its words.
func split(line string) (takesAway bool, words []string) {
	line, takesAway = strings.CutPrefix(strings.TrimSpace(line), "~")
	return takesAway, strings.Fields(line)
}

// call is a row of the table of system calls.
type call struct {
	name    string
	numbers [columns]int32 // by column; -1: the architecture does not have the call
	groups  groups
}

// groups is a set of groups, by the bits of the group constants.
type groups uint32

// selection is a set of system calls.
type selection struct {
	groups groups
	single [len(calls)]bool // by index in calls
}

// add puts a call or a group into the selection.
func (s *selection) add(word string) error {
	if strings.HasPrefix(word, "@") {
		bit := slices.Index(groupNames[:], word)
		if bit < 0 {
			return fmt.Errorf("no group of system calls is called %q", word)
		}
		s.groups |= 1 << bit
		return nil
	}
	index, ok := slices.BinarySearchFunc(calls[:], word, func(c call, name string) int {
		return strings.Compare(c.name, name)
	})
	if !ok {
		return fmt.Errorf("no system call is called %q", word)
	}
	s.single[index] = true
	return nil
}

// has reports whether calls[index] is in the selection.
func (s *selection) has(index int) bool {
	return s.single[index] || calls[index].groups&s.groups != 0
}

// decide returns what happens to each of calls.
func (p Policy) decide(restricted families) (*[len(calls)]action, error) {
	var allowed, denied selection
	for _, rule := range allowList() {
		if rule.capability != always && !p.Capabilities.Has(rule.capability) {
			continue
		}
		for word := range strings.FieldsSeq(rule.items) {
			if err := allowed.add(word); err != nil {
				return nil, fmt.Errorf("allow list: %w", err)
			}
		}
	}
	if p.Keyring {
		allowed.groups |= groupKeyring
	}
	for _, line := range p.Filter {
		if err := apply(line, &allowed, &denied); err != nil {
			return nil, err
		}
	}
	var actions [len(calls)]action
	for i := range calls {
		actions[i] = verdict(i, &allowed, &denied)
		if actions[i] == allow && calls[i].name == "socketcall" && !restricted.all() {
			actions[i] = checkSocketCall
		}
		if actions[i] == allow && p.SuppressSync {
			actions[i] = withoutSync(calls[i])
		}
	}
	return &actions, nil
}

// apply adds a line of SystemCallFilter= to what is allowed or denied. Going on without an unknown call is safe, it fails
// with ENOSYS in any case; going on without a group to take away would allow what the user wants forbidden.
func apply(line string, allowed, denied *selection) error {
	takesAway, words := split(line)
	target := allowed
	if takesAway {
		target = denied
	}
	for _, word := range words {
		if err := target.add(word); err != nil && takesAway && strings.HasPrefix(word, "@") {
			return fmt.Errorf("SystemCallFilter=%s: %w", line, err)
		}
	}
	return nil
}

func verdict(index int, allowed, denied *selection) action {
	switch {
	case allowed.has(index) && !denied.has(index):
		if calls[index].name == "socket" {
			return checkSocket
		}
		return allow
	case calls[index].groups&groupKnown != 0:
		return failPermission
	}
	return failUnknown
}
