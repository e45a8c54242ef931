package main_test

import (
	"os"
	"strings"
	"testing"
)

// Each reason why a tree does not boot is one clear line.
func TestDoesNotBoot(t *testing.T) {
	for name, test := range map[string]struct {
		init string // content of /sbin/init; empty: none
		want string
	}{
		"no init":                {"", "none of /usr/lib/systemd/systemd, /lib/systemd/systemd, /sbin/init is there"},
		"another architecture":   {"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xb7\x00" + strings.Repeat("\x00", 100), "execute /sbin/init: exec format error: it is built for arm64, but this machine is"},
		"empty":                  {" ", "execute /sbin/init: exec format error: it is neither a binary nor a script"},
		"interpreter is missing": {"#!/bin/perl\n", "execute /sbin/init: no such file or directory: its interpreter /bin/perl is missing"},
		"interpreter of a name that controls a terminal": {"#!/bin/\x1b]0;x\x07\n", "its interpreter /bin/�]0;x� is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, root+"/etc/os-release", "ID=test\n")
			if test.init != "" {
				writeFile(t, root+"/sbin/init", test.init)
				must(t, os.Chmod(root+"/sbin/init", 0o755))
			}
			r := run(t, root, "--boot")
			refused(t, r, test.want)
			if lines := strings.Count(r.stderr, "\n"); lines != 1 {
				t.Errorf("%d lines: %s", lines, r.stderr)
			}
			clean(t, root)
		})
	}
	root := newRoot(t, "web")
	refused(t, run(t, root, "--boot"), "os-release file is missing")
	// What makes logging in fail is a hint.
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	writeFile(t, root+"/etc/securetty", "console\n")
	writeFile(t, root+"/sbin/init", "#!/bin/sh\nexit 3\n")
	must(t, os.Chmod(root+"/sbin/init", 0o755))
	if r := run(t, root, "--boot"); r.status != 3 || !strings.Contains(r.stderr, "add lines pts/0, pts/1, …") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}
