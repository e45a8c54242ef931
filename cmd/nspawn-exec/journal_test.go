package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hostJournal = "/var/log/journal/" + guestID

// journalCase is what is at /var/log/journal/ID of the host and of the image: "" nothing, "/" a directory, "-> " a link, or
// a directory with a file. "none" is a host without a persistent journal.
type journalCase struct {
	host, image string
	options     []string
}

const journalReport = `echo runs
while read a b c d point flags rest; do case $point in /var*) echo "mount $point $flags";; esac; done </proc/self/mountinfo
for f in /var/log/journal/*/*; do [ -e "$f" ] && echo "inside $f $(cat $f)"; done; true`

// observeJournal runs the report and returns it with what host and image have afterwards.
func observeJournal(t *testing.T, root string, c journalCase, oracle bool) string {
	t.Helper()
	must(t, os.RemoveAll("/var/log/journal"))
	must(t, os.RemoveAll(root+"/var"))
	must(t, os.MkdirAll(root+"/var/log", 0o755))
	if c.host != "none" {
		must(t, os.Mkdir("/var/log/journal", 0o755))
		makeJournal(t, hostJournal, c.host)
	}
	makeJournal(t, root+hostJournal, c.image)
	cmd := nspawn(root, append(removed(c.options, ""), "--timezone=off", "/bin/sh", "-c", journalReport)...)
	onHost(t, cmd, "", oracle)
	r := finish(t, cmd)
	text := r.stdout
	for _, directory := range []string{"", root} {
		err := filepath.WalkDir(directory+"/var/log/journal", func(path string, entry fs.DirEntry, err error) error {
			if err == nil {
				text += strings.ReplaceAll(strings.Replace(describe(t, directory, path), "image", "on "+filepath.Base("host"+directory), 1), root, "ROOT")
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	t.Log(r.stderr)
	return text
}

func makeJournal(t *testing.T, path, content string) {
	t.Helper()
	target, link := strings.CutPrefix(content, "-> ")
	switch {
	case content == "":
	case content == "file":
		writeFile(t, path, "a file")
	case content == "/":
		must(t, os.MkdirAll(path, 0o755))
	case link:
		must(t, os.Symlink(target, path))
	default:
		writeFile(t, path+"/system.journal", content)
	}
}

// TestLinkJournalModes compares all modes with systemd-nspawn, by what host and image have where the journal is.
func TestLinkJournalModes(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	t.Cleanup(func() {
		must(t, os.RemoveAll("/var/log/journal"))
		must(t, os.Mkdir("/var/log/journal", 0o755))
	})
	for _, mode := range []string{"no", "host", "try-host", "guest", "try-guest", "auto", "-j"} {
		for _, host := range []string{"none", "", "/", "logs of the host", "-> " + root + hostJournal, "-> /elsewhere", "file"} {
			for _, image := range []string{"", "/", "logs of the image"} {
				for _, option := range []string{"", "--read-only"} {
					if option != "" && image == "logs of the image" || mode == "-j" && host != "" || image != "" && (host == "none" || host == "file") {
						continue // the same again
					}
					flag := "--link-journal=" + mode
					if mode == "-j" {
						flag = mode
					}
					c := journalCase{host, image, []string{"--private-users=no", flag, option}}
					t.Run(strings.Join([]string{mode, "host " + strings.ReplaceAll(host, root, "ROOT"), "image " + image, option}, "/"), func(t *testing.T) {
						want := observeJournal(t, root, c, true)
						if got := observeJournal(t, root, c, false); got != want {
							t.Errorf("nspawn-exec:\n%ssystemd-nspawn:\n%s", got, want)
						}
					})
				}
			}
		}
	}
}

// Nothing is mounted over what the user mounted where the journal would be, and nothing is made through a mount of the host.
func TestJournalPlaceInUse(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	t.Cleanup(func() { must(t, os.RemoveAll(hostJournal)) })
	writeFile(t, hostJournal+"/system.journal", "of the host")
	writeFile(t, root+"/own/system.journal", "of the user")
	bind := "--bind=" + root + "/own:" + hostJournal
	refused(t, run(t, root, bind, "--link-journal=host", "/bin/echo", "payload runs"), "--link-journal", "--bind", "is a mount point")
	for _, mode := range []string{"auto", "try-host", "try-guest"} {
		if got := shell(t, root, "cat "+hostJournal+"/system.journal", bind, "--link-journal="+mode); got != "of the user" {
			t.Errorf("%s: %q", mode, got)
		}
	}
	mustMount(t, "tmpfs", hostJournal)
	refused(t, run(t, root, "--link-journal=guest", "/bin/echo", "payload runs"), "--link-journal", "is a mount point")
	if got := shell(t, root, "echo runs", "--link-journal=try-host"); got != "runs" {
		t.Errorf("try-host: %q", got)
	}
}

// A read-only image may have a journal, but none of this machine: then there is nothing to link to.
func TestJournalOfReadOnlyImage(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	must(t, os.MkdirAll(root+"/var/log/journal", 0o755))
	for _, mode := range []string{"try-guest", "try-host", "auto"} {
		if got := shell(t, root, "echo runs", "--read-only", "--link-journal="+mode); got != "runs" {
			t.Errorf("%s: %q", mode, got)
		}
		// That of the host is made first, as systemd-nspawn does.
		if err := os.Remove(hostJournal); (err == nil) != (mode == "try-host") {
			t.Errorf("%s: remove %s: %v", mode, hostJournal, err)
		}
	}
	refused(t, run(t, root, "--read-only", "--link-journal=guest", "/bin/echo", "payload runs"), "--link-journal", "read-only file system")
}
