package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseGroups(t *testing.T) {
	groups, err := parseGroups(`@outer
    # A group and a call
    @inner
    read

@inner
    # More
    @innermost
    write

@innermost
    openat

# Unlisted calls:
#   uprobe
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"@outer: openat read write", "@inner: openat write", "@innermost: openat"}
	for i, group := range groups {
		got := group.name + ": " + strings.Join(slices.Sorted(maps.Keys(group.members)), " ")
		if got != want[i] {
			t.Errorf("group %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestParseGroupsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "0 groups",
		"    read\n":               "before the first group",
		"@a\n    @nosuch\n":        "@a contains the unknown group @nosuch",
		strings.Repeat("@a\n", 33): "33 groups",
	} {
		if _, err := parseGroups(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestParseHeader(t *testing.T) {
	table := map[string]int{}
	err := parseHeader(`/* comment */
#ifndef _ASM_UNISTD_H
#define _ASM_UNISTD_H
#define __NR_SYSCALL_BASE	0
#define __NR_SYSCALL_MASK	0x0fffff
#define __NR_read 3
#define __NR_write (__X32_SYSCALL_BIT + 1)
#define __NR_arm_sync_file_range (__NR_SYSCALL_BASE + 341)
#define __NR_sync_file_range2		__NR_arm_sync_file_range
#define __ARM_NR_BASE			(__NR_SYSCALL_BASE+0x0f0000)
#define __ARM_NR_set_tls		(__ARM_NR_BASE+5) /* private */
`, table)
	want := map[string]int{"read": 3, "write": 1, "sync_file_range2": 341, "set_tls": 0x0f0005}
	if err != nil || !maps.Equal(table, want) {
		t.Errorf("%v, %v; want %v", table, err, want)
	}
}

func TestParseHeaderErrors(t *testing.T) {
	for text, want := range map[string]string{
		"#define __NR_read x\n":           `__NR_read: cannot read "x"`,
		"#define __NR_read (OTHER + 1)\n": `cannot read "OTHER+1"`,
		"#define __NR_a __NR_b\n":         "__NR_a: b has no number",
	} {
		if err := parseHeader(text, map[string]int{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestIdentifier(t *testing.T) {
	for group, want := range map[string]string{"@basic-io": "groupBasicIO", "@cpu-emulation": "groupCPUEmulation", "@default": "groupDefault"} {
		if got := identifier(group); got != want {
			t.Errorf("identifier(%q) = %q, want %q", group, got, want)
		}
	}
}
