package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// group is one group of system calls, the groups it contains resolved into their members.
type group struct {
	name    string
	members map[string]bool
}

// parseGroups reads the output of systemd-analyze syscall-filter: a group's name at the beginning of a line, its
// members and the groups it contains indented below; comments begin with "#".
func parseGroups(text string) ([]group, error) {
	var groups []group
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		word := strings.TrimSpace(lines.Text())
		switch {
		case word == "" || word[0] == '#':
		case lines.Text()[0] == '@':
			groups = append(groups, group{name: word, members: map[string]bool{}})
		case groups == nil:
			return nil, fmt.Errorf("%q stands before the first group", word)
		default:
			groups[len(groups)-1].members[word] = true
		}
	}
	if len(groups) == 0 || len(groups) > 32 {
		return nil, fmt.Errorf("%d groups, but the table has room for 1 to 32", len(groups))
	}
	for range groups { // groups are not nested deeper than there are groups
		if err := flatten(groups); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// flatten replaces each group inside a group by that group's members.
func flatten(groups []group) error {
	byName := map[string]group{}
	for _, g := range groups {
		byName[g.name] = g
	}
	for _, g := range groups {
		for _, inner := range innerGroups(g) {
			if _, ok := byName[inner]; !ok {
				return fmt.Errorf("%s contains the unknown group %s", g.name, inner)
			}
			delete(g.members, inner)
			for name := range byName[inner].members {
				g.members[name] = true
			}
		}
	}
	return nil
}

func innerGroups(g group) []string {
	var inner []string
	for name := range g.members {
		if name[0] == '@' {
			inner = append(inner, name)
		}
	}
	return inner
}

// parseHeader adds the system calls of one of the kernel's unistd headers to table. It understands the forms
//
//	#define __NR_read 0
//	#define __NR_read (__X32_SYSCALL_BIT + 0)
//	#define __NR_read (__NR_SYSCALL_BASE + 0)
//	#define __ARM_NR_set_tls (__ARM_NR_BASE+5)
//	#define __NR_sync_file_range2 __NR_arm_sync_file_range
func parseHeader(text string, table map[string]int) error {
	bases := map[string]int{"__X32_SYSCALL_BIT": 0, "__NR_SYSCALL_BASE": 0, "__ARM_NR_BASE": 0x0f0000}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "/*")
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "#define" {
			continue
		}
		name, ok := callName(fields[1])
		if !ok {
			continue
		}
		value := strings.Trim(strings.Join(fields[2:], ""), "()")
		if alias, ok := callName(value); ok {
			number, ok := table[alias]
			if !ok {
				return fmt.Errorf("%s: %s has no number", fields[1], alias)
			}
			delete(table, alias) // one name for each number, the newer one
			table[name] = number
			continue
		}
		base, offset, ok := strings.Cut(value, "+")
		if !ok {
			base, offset = "", value
		}
		number, err := strconv.Atoi(offset)
		if _, known := bases[base]; err != nil || base != "" && !known {
			return fmt.Errorf("%s: cannot read %q", fields[1], value)
		}
		table[name] = bases[base] + number
	}
	return lines.Err()
}

// callName returns the system call that a macro stands for; the macros of bases and masks stand for none.
func callName(macro string) (string, bool) {
	for _, prefix := range []string{"__NR_", "__ARM_NR_"} {
		if name, ok := strings.CutPrefix(macro, prefix); ok {
			return name, name != "" && name == strings.ToLower(name) && !strings.ContainsAny(name, "()+")
		}
	}
	return "", false
}
