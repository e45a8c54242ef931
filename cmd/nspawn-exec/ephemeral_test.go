package main_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// command runs a tool of the host, which must succeed.
func command(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, arguments, err, output)
	}
	return string(output)
}

// newFileSystem mounts a new file system, of 512 MiB, on a directory.
func newFileSystem(t *testing.T, fstype, directory string) {
	t.Helper()
	must(t, os.MkdirAll(directory, 0o755))
	if fstype == "tmpfs" {
		mustMount(t, fstype, directory)
		return
	}
	disk := filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(disk, nil, 0o600))
	must(t, os.Truncate(disk, 512<<20))
	command(t, "mkfs."+fstype, "-q", disk)
	command(t, "mount", "-o", "loop", disk, directory)
	t.Cleanup(func() { command(t, "umount", directory) })
}

// furnishRichly adds everything that a tree can have.
func furnishRichly(t *testing.T, root string) {
	t.Helper()
	writeFile(t, root+"/srv/one", "one\n")
	must(t, os.Link(root+"/srv/one", root+"/srv/two"))
	must(t, os.Link(root+"/srv/one", root+"/etc/three"))
	must(t, os.Chown(root+"/srv/one", 1000, 1001))
	must(t, os.Chmod(root+"/srv/one", 0o751|fs.ModeSetuid))
	command(t, "setfacl", "-m", "u:1234:rw,g:77:r", root+"/srv/one")
	command(t, "setfacl", "-m", "d:u:1234:rwx", root+"/srv")
	writeFile(t, root+"/usr/capable", "x")
	must(t, unix.Lsetxattr(root+"/usr/capable", "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	must(t, unix.Lsetxattr(root+"/usr/capable", "trusted.test", []byte(strings.Repeat("v", 1000)), 0))
	must(t, os.Mkdir(root+"/srv/sticky", 0o755))
	must(t, os.Chmod(root+"/srv/sticky", 0o755|fs.ModeSticky|fs.ModeSetgid))
	must(t, os.Symlink("/etc/passwd", root+"/srv/absolute"))
	must(t, os.Symlink("none", root+"/srv/dangling"))
	must(t, os.Lchown(root+"/srv/dangling", 5, 6))
	must(t, syscall.Mknod(root+"/srv/null", syscall.S_IFCHR|0o666, 0x103))
	must(t, syscall.Mknod(root+"/srv/fifo", syscall.S_IFIFO|0o640, 0))
	must(t, syscall.Mknod(root+"/srv/socket", syscall.S_IFSOCK|0o600, 0))
	must(t, os.WriteFile(root+"/srv/name\nwith \xff", nil, 0o600))
	hole, err := os.Create(root + "/srv/hole")
	must(t, err)
	_, err = hole.WriteAt([]byte("in the middle"), 20<<20)
	must(t, err)
	must(t, hole.Truncate(40<<20))
	must(t, hole.Close())
	past := time.Unix(1e9, 123456789)
	for _, name := range []string{"/srv/one", "/srv/sticky", "/srv", "/usr/capable"} {
		must(t, os.Chtimes(root+name, past, past))
	}
}

// fullDigest stands for everything in a tree.
func fullDigest(t *testing.T, root string) string {
	t.Helper()
	var text strings.Builder
	inodes := make(map[uint64]string)
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		name := strings.TrimPrefix(path, root)
		isDirectory := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if isDirectory { // what differs by file system
			st.Size, st.Nlink = 0, 0
		}
		fmt.Fprintf(&text, "%q %o %d:%d %x %d %d.%d", name, st.Mode, st.Uid, st.Gid, st.Rdev, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
		if first, known := inodes[st.Ino]; known && !isDirectory {
			fmt.Fprintf(&text, " is %s", first)
		} else {
			inodes[st.Ino] = name
		}
		buffer := make([]byte, 10000)
		n, err := unix.Llistxattr(path, buffer)
		must(t, err)
		names := strings.Split(string(buffer[:n]), "\x00")
		slices.Sort(names)
		for _, attribute := range names {
			if attribute != "" && !strings.HasPrefix(attribute, "trusted.SGI_ACL_") { // XFS's own form of ACLs
				n, err := unix.Lgetxattr(path, attribute, buffer)
				must(t, err)
				fmt.Fprintf(&text, " %s=%x", attribute, buffer[:n])
			}
		}
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			data, err := os.ReadFile(path)
			must(t, err)
			fmt.Fprintf(&text, " %x %v", sha256.Sum256(data), st.Blocks*512 < st.Size)
		}
		if target, err := os.Readlink(path); err == nil {
			text.WriteString(" to " + target)
		}
		text.WriteString("\n")
		return nil
	}))
	return text.String()
}

// copyOf returns the one copy of a tree that there is.
func copyOf(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("copies %q", found)
	}
	return found[0]
}

var suffixed = regexp.MustCompile(`^web-[0-9a-f]{16}$`)

// A copy has everything that the original has, on all file systems, by all ways of copying, and is gone afterwards.
func TestEphemeral(t *testing.T) {
	needKernel(t)
	for name, test := range map[string]struct {
		fstype            string
		subvolume, inside bool
	}{
		"ext4": {fstype: "ext4"}, "tmpfs": {fstype: "tmpfs"}, "xfs": {fstype: "xfs"}, "btrfs": {fstype: "btrfs"},
		"btrfs subvolume": {fstype: "btrfs", subvolume: true}, "a mount": {fstype: "ext4", inside: true}, "a btrfs": {fstype: "btrfs", inside: true},
	} {
		t.Run(name, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "web")
			newFileSystem(t, test.fstype, disk)
			root, beside, original := disk, disk, ".#machine.*"
			if !test.inside {
				root, original = filepath.Join(disk, "web"), ".#machine.web*"
			}
			if test.subvolume {
				command(t, "btrfs", "-q", "subvolume", "create", root)
			}
			command(t, "cp", "-a", newMergedRoot(t, "web")+"/.", mkdir(t, root))
			furnishRichly(t, root)
			if test.subvolume {
				command(t, "btrfs", "-q", "subvolume", "create", root+"/var/below")
				command(t, "btrfs", "-q", "subvolume", "create", root+"/var/below/deep")
				writeFile(t, root+"/var/below/deep/file", "deep\n")
			}
			before := fullDigest(t, root)
			c := begin(t, root, append([]string{"--ephemeral", "--timezone=off", "--resolv-conf=off"}, sleeper...)...)
			copied := copyOf(t, filepath.Join(beside, original))
			if got := fullDigest(t, copied); !test.inside && withoutTimes(got) != withoutTimes(before) {
				t.Errorf("the copy differs:\n%s", firstDifference(withoutTimes(before), withoutTimes(got)))
			}
			c.signal(syscall.SIGTERM)
			c.wait()
			shell(t, root, "rm -r /srv /etc/inside /usr/capable; touch /new", "--ephemeral", "--private-users=no")
			if got := fullDigest(t, root); withoutTimes(got) != withoutTimes(before) {
				t.Errorf("the original changed:\n%s", firstDifference(before, got))
			}
			clean(t, root, disk)
		})
	}
}

func mkdir(t *testing.T, name string) string {
	t.Helper()
	must(t, os.MkdirAll(name, 0o755))
	return name
}

// withoutTimes leaves out the time of directories in which mount points or journals are looked for.
func withoutTimes(digest string) string {
	return regexp.MustCompile(`(?m)^"(|/|/var|/var/log|/var/log/journal|/tmp|/dev|/run|/proc|/sys)" .*$`).ReplaceAllString(digest, "")
}

func firstDifference(a, b string) string {
	one, two := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			return fmt.Sprintf("%s\n%s", one[i], two[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(one), len(two))
}

// The name of the machine, by ours and by systemd-nspawn; many run from one image, which is not locked.
func TestEphemeralName(t *testing.T) {
	root := newMergedRoot(t, "web")
	for name, options := range map[string][]string{"suffix": {"-x"}, "given": {"-x", "--machine=other"}} {
		matches := func(got string) bool {
			return name == "given" && got == "other" || name == "suffix" && suffixed.MatchString(got)
		}
		arguments := append(options, "/bin/cat", "/proc/sys/kernel/hostname")
		if r := finish(t, oracle(t, root, arguments...)); !matches(strings.TrimSpace(r.stdout)) {
			t.Errorf("systemd-nspawn calls it %q: %s", r.stdout, r.stderr)
		}
		must(t, os.RemoveAll("/run/systemd/nspawn"))
		must(t, os.RemoveAll("/run/cgroup"))
		if r := run(t, root, arguments...); !matches(strings.TrimSpace(r.stdout)) {
			t.Errorf("nspawn-exec calls it %q: %s", r.stdout, r.stderr)
		}
	}
	begin(t, root, sleeper...)
	begin(t, root, append([]string{"-x"}, sleeper...)...)
	shell(t, root, "true", "-x")
}

// Every start and every reboot finds the original.
func TestEphemeralIsFresh(t *testing.T) {
	root := newMergedRoot(t, "web")
	before := digest(t, root)
	for range 2 {
		shell(t, root, "test ! -e /new && touch /new", "-x")
	}
	cmd := exec.Command(program("nspawn-exec"), "--quiet", "--directory="+root, "--register=no", "--console=pipe", "--private-network", "-x",
		"/bin/sh", "-c", `test -e /new && echo not fresh; touch /new; cat /proc/sys/kernel/hostname; exec /bin/payload reboot`)
	c := launch(t, cmd)
	var name string
	for range 3 {
		line := <-c.lines
		if name == "" {
			name = line
		}
		if line != name || !suffixed.MatchString(name) {
			t.Errorf("after the reboot %q, before %q", line, name)
		}
	}
	c.signal(syscall.SIGKILL)
	_ = cmd.Wait()
	c.ended = true
	cleanup(t, root)
	clean(t, root)
	if after := digest(t, root); after != before {
		t.Error("the image changed")
	}
}

// The supervisor is killed at any moment. The next start, or --cleanup, removes what is left, half copies too.
func TestEphemeralKilled(t *testing.T) {
	root := newMergedRoot(t, "web")
	for i := range 40 {
		must(t, os.WriteFile(fmt.Sprintf("%s/usr/file%d", root, i), make([]byte, 200_000), 0o600))
	}
	runs := 20
	if os.Getenv(longTests) != "" {
		runs = 300
	}
	left := 0
	for i := range runs {
		cmd := nspawn(root, append([]string{"-x", "--network-veth"}, sleeper...)...)
		killAfter(t, cmd, time.Duration(rand.IntN(60_000))*time.Microsecond)
		left += len(leftovers(t, root))
		if i%2 == 0 {
			cleanup(t, root)
		} else {
			shell(t, root, "true", "-x")
		}
		if clean(t, root); t.Failed() {
			t.FailNow()
		}
	}
	if left == 0 {
		t.Error("nothing was ever left: this test tests nothing")
	}
}

// Nobody removes a copy in use, whoever made it.
func TestEphemeralInUse(t *testing.T) {
	root := newMergedRoot(t, "web")
	c := begin(t, root, append([]string{"-x"}, sleeper...)...)
	copied := copyOf(t, filepath.Join(filepath.Dir(root), ".#machine.web*"))
	cleanup(t, root)
	shell(t, root, "true", "-x")
	if _, err := os.Stat(filepath.Join(copied, "usr")); err != nil || !alive(c.init()) {
		t.Errorf("the copy in use is gone: %v", err)
	}
}

// No space: one error, and the half copy is gone. So it is after SIGTERM.
func TestEphemeralHalfCopy(t *testing.T) {
	needKernel(t)
	disk := filepath.Join(t.TempDir(), "disk")
	newFileSystem(t, "ext4", disk)
	command(t, "cp", "-a", newMergedRoot(t, "web"), disk)
	root := filepath.Join(disk, "web")
	must(t, os.WriteFile(root+"/usr/large", make([]byte, 300<<20), 0o600))
	r := run(t, root, "-x", "/bin/echo", "payload runs")
	refused(t, r, "--ephemeral", "/usr/large", "no space left")
	if lines := strings.Count(r.stderr, "\n"); lines != 1 {
		t.Errorf("%d lines for one error: %s", lines, r.stderr)
	}
	clean(t, root, disk)

	cmd := nspawn(root, "-x", "/bin/echo", "payload runs")
	must(t, cmd.Start())
	eventually(t, "a copy is begun", func() bool {
		found, _ := filepath.Glob(disk + "/.#machine.web*")
		return len(found) > 0
	})
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err == nil {
		t.Error("SIGTERM while copying is no failure")
	}
	clean(t, root, disk)
}

// A tree full of links that lead out is copied and removed without touching anything outside.
func TestEphemeralOfHostileTree(t *testing.T) {
	root := newMergedRoot(t, "web")
	outside := newOutside(t)
	writeFile(t, outside+"/file", "of the host\n")
	for name, target := range map[string]string{"a": outside, "b": "../../../../../.." + outside, "c": "/proc/1/root" + outside, "d": "d"} {
		must(t, os.Symlink(target, filepath.Join(root, "etc", name)))
	}
	deep := root + "/srv"
	for range 300 {
		deep += "/deeper"
	}
	must(t, os.MkdirAll(deep, 0o755))
	must(t, os.Mkdir(root+"/mnt", 0o755))
	bindMount(t, outside, root+"/mnt") // a mount is not part of the tree
	if got := shell(t, root, "ls /mnt; readlink /etc/a; readlink /etc/d", "-x"); got != outside+"\nd" {
		t.Errorf("got %q", got)
	}
	// The container marks a file so that it cannot be removed.
	shell(t, root, "/bin/payload immutable /etc/inside; /bin/payload immutable /etc; ! touch /etc/new", "-x", "--private-users=no")
	clean(t, root, root+"/mnt")
	if data, err := os.ReadFile(outside + "/file"); err != nil || string(data) != "of the host\n" {
		t.Errorf("outside: %q, %v", data, err)
	}
	if _, err := os.Stat(root + "/etc/inside"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the original lost a file")
	}
}

// The host's own root, in a copy (-D / -xb of the manual's examples) or with only its /usr. The host is a small one.
func TestHostRoot(t *testing.T) {
	host := newMergedRoot(t, "host")
	bindMount(t, host, host)
	copyFile(t, program("nspawn-exec"), host+"/usr/bin/nspawn-exec")
	const enter = `mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev; mount -t tmpfs run run; mkdir run/old
		pivot_root . run/old; umount -l /run/old; hostname small; exec nspawn-exec "$@"`
	for name, test := range map[string]struct {
		option, script, want string
		refused              bool
	}{
		"ephemeral": {"-x", "cat /etc/inside; ls -d /.#*; touch /new; cat /proc/sys/kernel/hostname", `^of the image\nsmall-[0-9a-f]{16}\n$`, false},
		"volatile":  {"--volatile", "cat /etc/inside; touch /new; cat /proc/sys/kernel/hostname", `^small\n$`, false},
		"overlay":   {"--volatile=overlay", "echo payload runs", "", true},
		"neither":   {"--read-only", "echo payload runs", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("unshare", "-m", "-u", "sh", "-ec", enter, "sh", "-q", "--register=no", "--keep-unit", "--pipe", "-D/", test.option,
				"/bin/sh", "-c", test.script)
			cmd.Dir, cmd.Env = host, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
			r := finish(t, cmd)
			if test.refused {
				refused(t, r, "host's root directory")
			} else if !regexp.MustCompile(test.want).MatchString(r.stdout) {
				t.Errorf("status %d: %q: %s", r.status, r.stdout, r.stderr)
			}
			for _, pattern := range []string{"/new", "/.#*"} {
				if found, _ := filepath.Glob(host + pattern); len(found) > 0 {
					t.Errorf("left on the host: %q", found)
				}
			}
		})
	}
}
