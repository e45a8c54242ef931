package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newTree makes a tree that boots, with none of the files that tell that it is an OS.
func newTree(t *testing.T) string {
	t.Helper()
	root := newRoot(t, "web")
	must(t, os.RemoveAll(root+"/usr"))
	must(t, os.Mkdir(root+"/sbin", 0o755))
	writeFile(t, root+"/sbin/init", "#!/bin/sh\necho payload runs\n")
	must(t, os.Chmod(root+"/sbin/init", 0o755))
	return root
}

// An empty directory is no tree, whatever is to run.
func TestEmptyTree(t *testing.T) {
	needKernel(t)
	for _, arguments := range [][]string{{"--boot"}, {"/bin/echo", "payload runs"}} {
		empty := t.TempDir()
		refused(t, run(t, empty, arguments...), empty, "doesn't look like it has an OS tree")
		if r := finish(t, oracle(t, empty, arguments...)); r.status == 0 {
			t.Errorf("systemd-nspawn starts: %s", r.stderr)
		}
		entries, err := os.ReadDir(empty)
		must(t, err)
		if len(entries) > 0 {
			t.Errorf("made %v", entries)
		}
	}
}

// TestOSTree compares which trees are taken for that of an operating system, with --boot and without.
func TestOSTree(t *testing.T) {
	const release = "ID=test\n"
	usr := func(t *testing.T, root string) { must(t, os.MkdirAll(root+"/usr/lib", 0o755)) }
	link := func(target, name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			must(t, os.MkdirAll(filepath.Dir(root+name), 0o755))
			must(t, os.Symlink(target, root+name))
		}
	}
	file := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) { writeFile(t, root+name, release) }
	}
	for name, test := range map[string]struct {
		make    []func(*testing.T, string)
		options []string
	}{
		"nothing":                 {},
		"usr":                     {make: []func(*testing.T, string){usr}},
		"usr is a file":           {make: []func(*testing.T, string){file("/usr")}},
		"usr is a link":           {make: []func(*testing.T, string){link("/none", "/usr")}},
		"in etc":                  {make: []func(*testing.T, string){usr, file("/etc/os-release")}},
		"in etc without usr":      {make: []func(*testing.T, string){file("/etc/os-release")}},
		"in usr":                  {make: []func(*testing.T, string){file("/usr/lib/os-release")}},
		"link":                    {make: []func(*testing.T, string){file("/usr/lib/os-release"), link("../usr/lib/os-release", "/etc/os-release")}},
		"absolute link":           {make: []func(*testing.T, string){usr, file("/release"), link("/release", "/etc/os-release")}},
		"link to nothing":         {make: []func(*testing.T, string){usr, link("/none", "/etc/os-release")}},
		"link to nothing and usr": {make: []func(*testing.T, string){file("/usr/lib/os-release"), link("/none", "/etc/os-release")}},
		"link to the host's":      {make: []func(*testing.T, string){usr, link("/../../../../../../usr/lib/os-release", "/etc/os-release")}},
		"link to itself":          {make: []func(*testing.T, string){usr, link("os-release", "/etc/os-release")}},
		"directory":               {make: []func(*testing.T, string){usr, func(t *testing.T, root string) { must(t, os.Mkdir(root+"/etc/os-release", 0o755)) }}},
		"FIFO":                    {make: []func(*testing.T, string){usr, func(t *testing.T, root string) { must(t, syscall.Mkfifo(root+"/etc/os-release", 0o644)) }}},
		"empty":                   {make: []func(*testing.T, string){usr, func(t *testing.T, root string) { must(t, os.WriteFile(root+"/etc/os-release", nil, 0o644)) }}},
		"an initrd":               {make: []func(*testing.T, string){usr, file("/etc/initrd-release")}},
		"an extension":            {make: []func(*testing.T, string){usr, file("/usr/lib/extension-release.d/extension-release.web")}},
		"read-only":               {make: []func(*testing.T, string){usr}, options: []string{"--read-only"}},
		"pivoted":                 {make: []func(*testing.T, string){file("/usr/lib/os-release"), link("../../../sbin", "/new/sbin")}, options: []string{"--pivot-root=/new:/old"}},
	} {
		for _, boot := range []bool{true, false} {
			t.Run(map[bool]string{true: "boot/", false: "program/"}[boot]+name, func(t *testing.T) {
				root := newTree(t)
				for _, make := range test.make {
					make(t, root)
				}
				var results [2]string
				for i, oracle := range []bool{false, true} {
					arguments := append(test.options, "--private-users=no", "--timezone=off", "--resolv-conf=off", "--link-journal=no")
					if boot {
						arguments = append(arguments, "--boot")
					} else {
						arguments = append(arguments, "/sbin/init")
					}
					cmd := nspawn(root, arguments...)
					onHost(t, cmd, "", oracle)
					r := finish(t, cmd)
					results[i] = "refused"
					if strings.HasSuffix(r.stdout, "payload runs\n") {
						results[i] = "runs"
					}
				}
				if results[0] != results[1] {
					t.Errorf("nspawn-exec %s, systemd-nspawn %s", results[0], results[1])
				}
			})
		}
	}
}

// As newer versions of systemd-nspawn, which 252 is not.
func TestUncheckedTree(t *testing.T) {
	root := newTree(t)
	for value, runs := range map[string]bool{"0": true, "1": false, "": false} {
		cmd := nspawn(root, "--boot")
		cmd.Env = append(cmd.Env, "SYSTEMD_NSPAWN_CHECK_OS_RELEASE="+value)
		r := finish(t, cmd)
		if !runs {
			refused(t, r, "os-release file is missing")
		} else if r.status != 0 || r.stdout != "payload runs\n" || !strings.Contains(r.stderr, "continuing anyway") {
			t.Errorf("status %d, %q: %s", r.status, r.stdout, r.stderr)
		}
	}
}
