package main_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// canaryID is a machine ID, and a word, that no container may ever see.
const canaryID = "c0ffeec0ffeec0ffeec0ffeec0ffee00"

// swapped are the places of an image that a start looks at or changes; the names that end in "/" are directories.
var swapped = []string{
	"etc/", "etc/machine-id", "etc/resolv.conf", "etc/localtime", "etc/os-release", "usr/lib/", "usr/lib/os-release", "usr/share/", "usr/share/zoneinfo/",
	"var/", "var/log/", "var/log/journal/", "var/log/journal/" + guestID + "/", "run/", "run/host/", "tmp/", "dev/", "dev/pts/", "proc/", "sys/",
	"mnt/", "mnt/bind/", "mnt/file", "opt/", "opt/overlay/", "opt/upper/", "opt/tmpfs/", "srv/", "srv/source/", "srv/secret/", "deploy/", "deploy/one/", "deploy/one/usr/", "deploy/one/etc/", "deploy/one/mnt/", "deploy/one/srv/",
}

// newSwapped makes an image with all places, and a tree of the host that has the same.
func newSwapped(t *testing.T) (root, canary string) {
	t.Helper()
	root, canary = newMergedRoot(t, "web"), filepath.Join(t.TempDir(), "canary")
	for _, tree := range []string{root, canary} {
		for _, name := range swapped {
			if path, isDirectory := strings.CutSuffix(filepath.Join(tree, name)+name[len(name)-1:], "/"); isDirectory {
				must(t, os.MkdirAll(path, 0o755))
			} else if tree == canary {
				writeFile(t, filepath.Join(tree, name), canaryID+"\n")
			} else {
				writeFile(t, filepath.Join(tree, name), guestID+"\n")
			}
		}
	}
	writeFile(t, canary+"/srv/source/secret", canaryID)
	writeFile(t, canary+"/opt/overlay/secret", canaryID)
	command(t, "cp", "-a", root+"/bin", root+"/usr", root+"/etc", root+"/srv", root+"/deploy/one/")
	return root, canary
}

// swapper exchanges one place of an image for a link that leads to the same place of the canary, and back.
type swapper struct {
	parent, links *os.File
	name, link    string
}

func newSwappers(t *testing.T, root, canary string) (swappers []swapper) {
	t.Helper()
	must(t, os.Mkdir(root+"/links", 0o755))
	links, err := os.Open(root + "/links")
	must(t, err)
	t.Cleanup(func() { links.Close() })
	up := strings.Repeat("../", 20)
	for i, name := range swapped {
		// The directory itself is held: its name may lead to the canary when the swap is done.
		parent, err := os.Open(filepath.Dir(filepath.Join(root, name)))
		must(t, err)
		t.Cleanup(func() { parent.Close() })
		link := fmt.Sprint(i)
		target := filepath.Join(canary, name)
		must(t, os.Symlink([]string{target, up + target, "/proc/1/root" + target}[i%3], filepath.Join(root, "links", link)))
		swappers = append(swappers, swapper{parent, links, filepath.Base(name), link})
	}
	return swappers
}

func (s *swapper) swap() {
	_ = unix.Renameat2(int(s.parent.Fd()), s.name, int(s.links.Fd()), s.link, unix.RENAME_EXCHANGE)
}

// swapWhile exchanges one place after the other, at random and back, as long as run runs. Now and then two are exchanged at once.
func swapWhile(t *testing.T, root, canary string, run func()) {
	t.Helper()
	swappers := newSwappers(t, root, canary)
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
			}
			one, two := &swappers[rand.IntN(len(swappers))], &swappers[rand.IntN(len(swappers))]
			one.swap()
			if one != two && rand.IntN(4) == 0 {
				two.swap()
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
				two.swap()
			}
			one.swap()
		}
	}()
	run()
	close(done)
	<-stopped
}

// listing stands for all that can be seen of a tree but when it was read: any change of it shows.
func listing(t *testing.T, tree string) string {
	t.Helper()
	var text strings.Builder
	must(t, filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		fmt.Fprintf(&text, "%s %d %o %d:%d %d %d %v %v", path, st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			data, err := os.ReadFile(path)
			must(t, err)
			fmt.Fprintf(&text, " %x", sha256.Sum256(data))
		}
		text.WriteString("\n")
		return nil
	}))
	return text.String()
}

// swapStarts are the options of the starts. COPY is a directory that does not exist.
var swapStarts = []string{
	"--link-journal=guest --resolv-conf=copy-host --timezone=copy --bind=HOST/file:/mnt/file --bind=HOST:/mnt/bind/new --tmpfs=/opt/tmpfs --overlay=+/srv/source:+/opt/upper:/opt/overlay",
	"--link-journal=host --resolv-conf=bind-host --timezone=bind --bind=+/srv/source:/mnt/bind --inaccessible=/srv/secret --bind=:/opt/new/directory",
	"--link-journal=auto --resolv-conf=replace-host --timezone=symlink --private-users=no --overlay=+/srv/source::/opt/overlay --bind=HOST:/tmp/new",
	"--link-journal=try-guest --read-only --resolv-conf=delete --timezone=delete --bind=HOST:/mnt/bind:idmap --overlay-ro=+/srv/source:+/opt/overlay:/opt/overlay",
	"--ephemeral --resolv-conf=copy-static --timezone=copy --bind=HOST:/mnt/made",
	"--volatile=yes", "--volatile=state --bind=HOST:/var/new", "--volatile=overlay --resolv-conf=replace-host --timezone=copy",
	"--pivot-root=/deploy/one:/srv --bind=HOST:/mnt/made", "--template=TEMPLATE --directory=COPY",
}

// A process exchanges every place of the image that a start touches for a link out of it, during many starts: nothing of the host
// is made, changed, removed or shown.
func TestSwapLoop(t *testing.T) {
	t.Cleanup(func() { must(t, os.RemoveAll("/var/log/journal/"+guestID)) })
	root, canary := newSwapped(t)
	host := newOutside(t)
	writeFile(t, host+"/file", "of the host\n")
	copied := filepath.Join(filepath.Dir(root), "copy")
	look := "for p in /etc /mnt /opt /srv /var /tmp /usr/lib /usr/share; do busybox grep -rs " + canaryID + " $p; done; echo $container_uuid; echo payload runs"
	starts := 60
	if os.Getenv(longTests) != "" {
		starts = 1000
	}
	before, hostBefore := listing(t, canary), listing(t, host)
	ran := make([]int, len(swapStarts))
	swapWhile(t, root, canary, func() {
		for i := range starts {
			options := strings.NewReplacer("HOST", host, "COPY", copied, "TEMPLATE", root).Replace(swapStarts[i%len(swapStarts)])
			r := run(t, root, append(strings.Fields(options), "/bin/sh", "-c", look)...)
			switch {
			case strings.Contains(r.stdout, canaryID) || strings.Contains(strings.ReplaceAll(r.stdout, "-", ""), canaryID):
				t.Errorf("%s: shown inside: %s", options, r.stdout)
			case strings.Contains(r.stdout, "payload runs"):
				ran[i%len(swapStarts)]++
			case r.status == 0 || r.stderr == "":
				t.Errorf("%s: no error: status %d", options, r.status)
			}
			must(t, os.RemoveAll(copied))
			must(t, os.RemoveAll("/var/log/journal/"+guestID))
		}
	})
	t.Logf("of %d starts each these ran: %d", starts/len(swapStarts), ran)
	if after := listing(t, canary); after != before {
		t.Errorf("the host changed: %s", firstDifference(before, after))
	}
	if after := listing(t, host); after != hostBefore {
		t.Errorf("a bind changed: %s", firstDifference(hostBefore, after))
	}
	clean(t, root)
	noTemporaries(t, root, host)
}

// What is removed at the end, or after kill -9, is not looked for through a link that the container made.
func TestSwappedWorkingDirectory(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, root string, c *container){
		"end": func(_ *testing.T, _ string, c *container) {
			c.signal(unix.SIGTERM)
			c.wait()
		},
		"kill": func(t *testing.T, root string, c *container) {
			c.kill()
			cleanup(t, root)
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, outside := newRoot(t, "web"), newOutside(t)
			writeFile(t, root+"/opt/upper/file", "of the image\n")
			c := begin(t, root, append([]string{"--overlay=+/etc:+/opt/upper:/mnt"}, sleeper...)...)
			working, err := filepath.Glob(root + "/opt/.#upper*")
			if err != nil || len(working) != 1 {
				t.Fatalf("working directories: %q, %v", working, err)
			}
			writeFile(t, filepath.Join(outside, filepath.Base(working[0]), "file"), "of the host\n")
			before := listing(t, outside)
			must(t, os.Symlink(outside, root+"/link"))
			must(t, exchange(root+"/opt", root+"/link"))
			end(t, root, c)
			if after := listing(t, outside); after != before {
				t.Errorf("the host changed: %s", firstDifference(before, after))
			}
			if name == "end" {
				noTemporaries(t, root)
			}
			clean(t, root)
		})
	}
}

// Files of all types take each other's names while the tree is copied: the copy is made all the same, nothing of the host is in it.
func TestCopyWhileExchanged(t *testing.T) {
	root, outside := newMergedRoot(t, "web"), newOutside(t)
	writeFile(t, outside+"/secret", canaryID)
	directory := filepath.Join(root, "srv")
	must(t, os.MkdirAll(directory+"/directory/below", 0o755))
	writeFile(t, directory+"/directory/below/file", strings.Repeat("content\n", 1000))
	for name, content := range map[string]string{"file": "content\n", "large": strings.Repeat("content\n", 100_000), "empty": "", "linked": "content\n"} {
		writeFile(t, filepath.Join(directory, name), content)
	}
	must(t, os.Link(directory+"/linked", directory+"/again"))
	must(t, os.Symlink(outside, directory+"/link"))
	must(t, os.Symlink(outside+"/secret", directory+"/link to file"))
	must(t, unix.Mkfifo(directory+"/fifo", 0o600))
	must(t, unix.Mknod(directory+"/socket", unix.S_IFSOCK|0o600, 0))
	must(t, unix.Mknod(directory+"/device", unix.S_IFCHR|0o600, 5<<8)) // /dev/tty
	entries, err := os.ReadDir(directory)
	must(t, err)
	before := listing(t, outside)
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				one, other := entries[rand.IntN(len(entries))], entries[rand.IntN(len(entries))]
				_ = exchange(filepath.Join(directory, one.Name()), filepath.Join(directory, other.Name()))
			}
		}
	}()
	starts := 20
	if os.Getenv(longTests) != "" {
		starts = 300
	}
	for range starts {
		r := run(t, root, "-x", "/bin/sh", "-c", "busybox find /srv -type f -exec grep "+canaryID+" {} \\; ; echo copied")
		if r.stdout != "copied\n" {
			t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
		}
	}
	close(done)
	<-stopped
	if after := listing(t, outside); after != before {
		t.Errorf("the host changed: %s", firstDifference(before, after))
	}
	clean(t, root)
}
