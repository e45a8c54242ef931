package main_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const guestID = "0123456789abcdef0123456789abcdef"

// exchange swaps two names in one step.
func exchange(one, other string) error {
	return unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
}

func bindMount(t *testing.T, from, to string) {
	t.Helper()
	must(t, syscall.Mount(from, to, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(to, 0)) })
}

// A hostile /etc/machine-id is refused in one line, and nothing hangs or reads without end. One that leads to nothing inside is
// as good as none: a random ID is taken.
func TestHostileMachineID(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"none: link to the host's": func(t *testing.T, path string) { must(t, os.Symlink("/etc/../../../run/machine-id", path)) },
		"none: link to a device":   func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) },
		"link to itself":           func(t *testing.T, path string) { must(t, os.Symlink("machine-id", path)) },
		"FIFO":                     func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o644)) },
		"directory":                func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) },
		"zeroes":                   func(t *testing.T, path string) { writeFile(t, path, strings.Repeat("0", 32)+"\n") },
		"device": func(t *testing.T, path string) {
			must(t, syscall.Mknod(path, syscall.S_IFCHR|0o666, 5<<8)) // /dev/tty
		},
		"sparse file of 1 GiB": func(t *testing.T, path string) {
			writeFile(t, path, guestID)
			must(t, os.Truncate(path, 1<<30))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			make(t, root+"/etc/machine-id")
			if !strings.HasPrefix(name, "none") {
				r := run(t, root, "/bin/echo", "payload runs")
				refused(t, r, root, "etc/machine-id")
				if strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("more than one line: %s", r.stderr)
				}
				return
			}
			got := strings.ReplaceAll(shell(t, root, "echo $container_uuid"), "-", "")
			if len(got) != 32 || got == guestID || got == hostID || got[12] != '4' {
				t.Errorf("container_uuid=%q", got)
			}
		})
	}
}

// TestMachineID compares what systemd-nspawn takes for an ID, for none yet, and for a mistake.
func TestMachineID(t *testing.T) {
	root := newRoot(t, "web")
	for content, want := range map[string]string{
		"": "given", "uninitialized\n": "given", "uninitialized": "given", guestID: "own", guestID + "\n": "own",
		strings.ToUpper(guestID) + "\n": "own", "garbage\n": "refused", guestID + "\nx\n": "refused", guestID[1:] + "\n": "refused",
		strings.Repeat("0", 32) + "\n": "refused", "01234567-89ab-cdef-0123-456789abcdef\n": "refused", " " + guestID: "refused", "\n": "refused",
	} {
		t.Run(content, func(t *testing.T) {
			for _, oracle := range []bool{false, true} {
				writeFile(t, root+"/etc/machine-id", content)
				cmd := nspawn(root, "--uuid=fedcba9876543210fedcba9876543210", "--link-journal=no", "/bin/sh", "-c", "echo $container_uuid")
				onHost(t, cmd, "", oracle)
				r := finish(t, cmd)
				got := "refused"
				switch {
				case strings.HasPrefix(r.stdout, "01234567-89ab-"):
					got = "own"
				case strings.HasPrefix(r.stdout, "fedcba98-7654-"):
					got = "given"
				}
				if got != want {
					t.Errorf("systemd-nspawn %v: %q is %s, want %s: %s%s", oracle, content, got, want, r.stdout, r.stderr)
				}
			}
		})
	}
}

func TestHostsMachineID(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", hostID+"\n")
	r := run(t, root, "--link-journal=guest", "/bin/echo", "payload runs")
	refused(t, r, "--link-journal", "machine ids are equal")
	r = run(t, root, "--link-journal=try-guest", "/bin/echo", "payload runs")
	if r.status != 0 || !strings.Contains(r.stderr, "machine ids are equal") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	emptyJournal(t)
}

func emptyJournal(t *testing.T) {
	t.Helper()
	empty(t, "/var/log/journal")
}

func TestLinkJournal(t *testing.T) {
	const host = "/var/log/journal/" + guestID
	for name, test := range map[string]struct {
		mode  string
		check func(t *testing.T, root string)
	}{
		"no":   {"no", func(t *testing.T, _ string) { emptyJournal(t) }},
		"auto": {"auto", func(t *testing.T, _ string) { emptyJournal(t) }},
		"guest": {"try-guest", func(t *testing.T, root string) {
			if target, err := os.Readlink(host); err != nil || target != root+host {
				t.Errorf("%s leads to %q: %v", host, target, err)
			}
		}},
		"host": {"host", func(t *testing.T, root string) {
			if _, err := os.Stat(host + "/system.journal"); err != nil {
				t.Error("what the container writes is not on the host:", err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t, "web")
			t.Cleanup(func() { must(t, os.RemoveAll(host)) })
			writeFile(t, root+"/etc/machine-id", guestID+"\n")
			for range 2 { // the second time everything is there already
				shell(t, root, "mkdir -p /var/log/journal/"+guestID+"; echo log >/var/log/journal/"+guestID+"/system.journal", "--link-journal="+test.mode)
				test.check(t, root)
			}
			clean(t, root)
		})
	}
}

// A link that the image made on the way to its journal is not followed: the host's files stay as they are.
func TestJournalThroughLink(t *testing.T) {
	const host = "/var/log/journal/" + guestID
	for name, place := range map[string]string{
		"directory of the machine": "var/log/journal/" + guestID, "journal": "var/log/journal", "log": "var/log", "var": "var",
	} {
		for _, mode := range []string{"guest", "host", "try-guest", "try-host", "auto"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				root, outside := newRoot(t, "web"), newOutside(t)
				t.Cleanup(func() { must(t, os.RemoveAll(host)) })
				writeFile(t, root+"/etc/machine-id", guestID+"\n")
				must(t, os.RemoveAll(filepath.Join(root, place)))
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, place)), 0o755))
				must(t, os.Symlink(outside, filepath.Join(root, place)))
				r := run(t, root, "--link-journal="+mode, "/bin/true")
				empty(t, outside)
				if target, err := os.Readlink(host); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s leads through the image's link to %q", host, target)
				}
				if mode == "guest" {
					refused(t, r, "--link-journal")
				}
				clean(t, root)
			})
		}
	}
}

// Journals of the host are never lost: a directory that is not empty does not give way to a link.
func TestJournalIsNotLost(t *testing.T) {
	const host = "/var/log/journal/" + guestID
	root := newRoot(t, "web")
	t.Cleanup(func() { must(t, os.RemoveAll(host)) })
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	writeFile(t, host+"/system.journal", "precious")
	refused(t, run(t, root, "--link-journal=guest", "/bin/echo", "payload runs"), "--link-journal", "not empty")
	if data, err := os.ReadFile(host + "/system.journal"); err != nil || string(data) != "precious" {
		t.Errorf("%q: %v", data, err)
	}
}

// A hostile /etc of the image: what nspawn-exec writes there stays inside.
func TestFilesOfEtcThroughLink(t *testing.T) {
	for _, name := range []string{"etc", "etc/resolv.conf", "etc/localtime"} {
		t.Run(name, func(t *testing.T) {
			root, outside := newRoot(t, "web"), newOutside(t)
			must(t, os.RemoveAll(filepath.Join(root, name)))
			must(t, os.Symlink(outside+"/file", filepath.Join(root, name)))
			for _, modes := range [][2]string{{"copy-host", "bind"}, {"bind-host", "copy"}, {"delete", "symlink"}, {"replace-host", "delete"}} {
				run(t, root, "--resolv-conf="+modes[0], "--timezone="+modes[1], "/bin/true")
			}
			empty(t, outside)
		})
	}
}
