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
		"interpreter of a name that controls a terminal": {"#!/bin/\x1b]0;x\x07\n", `its interpreter "/bin/\x1b]0;x\a" is missing`},
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
	r := run(t, root, "--boot")
	if refused(t, r, "os-release file is missing"); strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%q", r.stderr)
	}
}

// What makes logging in fail, or programs complain, is a hint: one line each, with the way out, and the container boots.
func TestHintsForLogin(t *testing.T) {
	for name, test := range map[string]struct {
		file, content string
		want          []string
	}{
		"securetty":       {"etc/securetty", "console\n", []string{"its /etc/securetty lets root log in on no terminal", "add lines pts/0, pts/1, … to it, or remove it"}},
		"locale":          {"etc/locale.conf", "LANG=de_DE.UTF-8\n", []string{`its /etc/locale.conf asks for the locale "de_DE.UTF-8"`, "generate it with locale-gen(8) or localedef(1)"}},
		"Debian's locale": {"etc/default/locale", "LANG=de_DE.UTF-8\n", []string{`its /etc/default/locale asks for the locale "de_DE.UTF-8"`}},
		"nothing":         {"etc/hosts", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			writeFile(t, root+"/etc/os-release", "ID=test\n")
			writeFile(t, root+"/usr/lib/locale/C.utf8/LC_CTYPE", "")
			writeFile(t, root+"/"+test.file, test.content)
			writeFile(t, root+"/sbin/init", "#!/bin/sh\nexit 3\n")
			must(t, os.Chmod(root+"/sbin/init", 0o755))
			r := run(t, root, "--boot")
			for _, text := range test.want {
				if !strings.Contains(r.stderr, text) {
					t.Errorf("%q does not mention %q", r.stderr, text)
				}
			}
			if lines := strings.Count(r.stderr, root); r.status != 3 || lines != min(len(test.want), 1) {
				t.Errorf("status %d, %d hints: %s", r.status, lines, r.stderr)
			}
			if r := run(t, root, "/bin/true"); r.stderr != "" {
				t.Errorf("nobody logs in: %s", r.stderr)
			}
		})
	}
}

// A command that the host cannot run says as much as an init.
func TestCommandOfAnotherArchitecture(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/bin/foreign", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 9)+"\x02\x00\xb7\x00"+strings.Repeat("\x00", 100))
	must(t, os.Chmod(root+"/bin/foreign", 0o755))
	r := run(t, root, "/bin/foreign")
	if refused(t, r, "execute /bin/foreign: exec format error: it is built for arm64, but this machine is"); strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%q", r.stderr)
	}
}

// Who logs in by "machinectl login" has colors, where programs know how to make them.
func TestTerminalOfLogin(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	writeFile(t, root+"/sbin/init", "#!/bin/sh\ncd /run; ls systemd; cat systemd/system.control/container-getty@.service.d/*.conf | grep -v '^#'\n")
	must(t, os.Chmod(root+"/sbin/init", 0o755))
	if r := run(t, root, "--boot"); r.stdout != "" {
		t.Errorf("programs do not know the terminal: %q", r.stdout)
	}
	writeFile(t, root+"/lib/terminfo/x/xterm-256color", "")
	const want = "system.control\n[Service]\nEnvironment=TERM=xterm-256color\n"
	if r := run(t, root, "--boot"); r.stdout != want {
		t.Errorf("%q, want %q: %s", r.stdout, want, r.stderr)
	}
	if r := run(t, root, "/sbin/init"); r.stdout != "" {
		t.Errorf("nothing boots: %q", r.stdout)
	}
	clean(t, root)
}
