package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newMergedRoot makes a root directory with /bin and /lib merged into /usr.
func newMergedRoot(t testing.TB, name string) string {
	t.Helper()
	root := newRoot(t, name)
	must(t, os.Remove(filepath.Join(root, "usr/bin")))
	must(t, os.Rename(filepath.Join(root, "bin"), filepath.Join(root, "usr/bin")))
	must(t, os.Symlink("usr/bin", filepath.Join(root, "bin")))
	must(t, os.Mkdir(filepath.Join(root, "usr/lib"), 0o755))
	must(t, os.Symlink("usr/lib", filepath.Join(root, "lib")))
	writeFile(t, filepath.Join(root, "usr/lib/os-release"), "ID=test\n")
	writeFile(t, filepath.Join(root, "etc/inside"), "of the image\n")
	writeFile(t, filepath.Join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n")
	return root
}

// oracle is the command that starts a container with the real systemd-nspawn, with control groups and a /sys of this network
// namespace, both of which it needs.
func oracle(t testing.TB, root string, arguments ...string) *exec.Cmd {
	t.Helper()
	needKernel(t)
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		t.Fatal("systemd-nspawn is missing: apt-get install systemd-container")
	}
	base := []string{"-m", "sh", "-ec", `umount /sys/fs/cgroup; mkdir -p /run/cgroup; mount --rbind /sys/fs/cgroup /run/cgroup
		mount -t sysfs -o ro sysfs /sys; mount --rbind /run/cgroup /sys/fs/cgroup; exec "$0" "$@"`, path,
		"--quiet", "--directory=" + root, "--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=off", "--timezone=off"}
	cmd := exec.Command("unshare", append(base, arguments...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// lookAround says what of the tree can be written to, what of the image is there, and how the file systems are made.
const lookAround = `for place in / /usr /etc /var /root; do touch $place/new 2>/dev/null && echo $place is writable; done
	cat /etc/inside /etc/machine-id 2>/dev/null
	for link in /bin /lib; do echo $link leads to $(readlink $link); done
	stat -c '%n %a %u:%g' / /usr /etc /var /root
	grep -E ' / (/|/usr|/var) ' /proc/self/mountinfo | grep -oE '(size|nr_inodes|mode)=[0-9k]*'`

// Each mode by ours, in every kind of user namespace, and by systemd-nspawn.
func TestVolatile(t *testing.T) {
	const nodes = "\nnr_inodes=1048576\nmode=755"
	const links = "/bin leads to usr/bin\n/lib leads to usr/lib\n"
	for mode, want := range map[string]string{
		"yes": "/ is writable\n/etc is writable\n/var is writable\n/root is writable\n" + links +
			"/ 755 0:0\n/usr 755 0:0\n/etc 755 0:0\n/var 755 0:0\n/root 750 0:0\nsize=SIZE" + nodes,
		"state": "/var is writable\nof the image\n0123456789abcdef0123456789abcdef\n" + links +
			"/ 755 0:0\n/usr 755 0:0\n/etc 755 0:0\n/var 755 0:0\n/root 755 0:0\nsize=SIZE" + nodes,
		"overlay": "/ is writable\n/usr is writable\n/etc is writable\n/var is writable\n/root is writable\nof the image\n" +
			"0123456789abcdef0123456789abcdef\n" + links + "/ 755 0:0\n/usr 755 0:0\n/etc 755 0:0\n/var 755 0:0\n/root 755 0:0",
	} {
		root := newMergedRoot(t, "web")
		before := digest(t, root)
		var size string
		check := func(t *testing.T, r result) {
			t.Helper()
			for _, word := range strings.Fields(r.stdout) {
				if number, found := strings.CutPrefix(word, "size="); found {
					if size == "" {
						size = number
					}
					r.stdout = strings.Replace(r.stdout, "size="+size, "size=SIZE", 1)
				}
			}
			if got := strings.TrimSpace(r.stdout); got != want {
				t.Errorf("got %s\nwant %s\n%s", got, want, r.stderr)
			}
			if after := digest(t, root); after != before {
				t.Errorf("the image changed:\n%s\n%s", before, after)
			}
			clean(t, root)
		}
		t.Run(mode+"/systemd-nspawn", func(t *testing.T) {
			r := finish(t, oracle(t, root, "--volatile="+mode, "/bin/sh", "-c", lookAround))
			// It leaves its own directories behind, and makes those of the journal in the image's /var.
			must(t, os.RemoveAll("/run/systemd/nspawn"))
			must(t, os.RemoveAll("/run/cgroup"))
			check(t, r)
		})
		for name, options := range map[string][]string{
			"no users": {"--private-users=no"}, "shifted": nil, "identity": {"--private-users=identity"}, "host network": {hostNetwork},
			"read-only": {"--read-only"},
		} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				check(t, run(t, root, append(options, "--volatile="+mode, "/bin/sh", "-c", lookAround)...))
			})
		}
	}
}

// A tree on a file system of its own that is owned by a shifted range, with a mount below /usr.
func TestVolatileTreeOfMounts(t *testing.T) {
	root := newMergedRoot(t, "web")
	must(t, os.Mkdir(filepath.Join(root, "usr/below"), 0o755))
	mustMount(t, "tmpfs", filepath.Join(root, "usr/below"))
	writeFile(t, filepath.Join(root, "usr/below/file"), "deep\n")
	for mode, want := range map[string]string{"yes": "deep", "state": "deep", "overlay": ""} {
		if got := shell(t, root, "cat /usr/below/file 2>/dev/null; touch /usr/below/new 2>/dev/null; true", "--volatile="+mode); got != want {
			t.Errorf("%s: got %q, want %q", mode, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "usr/below/new")); err == nil {
		t.Error("a mount below the image's was written to")
	}
}

// In a user namespace the container's root can neither write to what is read-only nor see what is below.
func TestVolatileIsLocked(t *testing.T) {
	root := newMergedRoot(t, "web")
	before := digest(t, root)
	for mode, place := range map[string]string{"yes": "/usr", "state": "/"} {
		script := "mount -o remount,rw,bind " + place + "; touch " + place + "/new; umount /usr /var; ls -d /usr/new /new 2>/dev/null; true"
		if got := shell(t, root, script, "--volatile="+mode, "--private-users=pick"); got != "" {
			t.Errorf("%s: %q was made", mode, got)
		}
	}
	if after := digest(t, root); after != before {
		t.Errorf("the image changed:\n%s\n%s", before, after)
	}
}

// Containers that do not write to the tree share it, and one of them does not see what another changed.
func TestVolatileContainersShareTree(t *testing.T) {
	root := newMergedRoot(t, "web")
	for _, mode := range []string{"yes", "state", "overlay"} {
		begin(t, root, "--machine=one"+mode, "--volatile="+mode, "/bin/sh", "-c", "touch /var/mine; echo up; exec sleep 1000")
	}
	if got := shell(t, root, "ls /var/mine 2>/dev/null; true", "--volatile=overlay", "--machine=two"); got != "" {
		t.Errorf("sees another's changes: %q", got)
	}
	refused(t, run(t, root, "--machine=three", "/bin/echo", "payload runs"), "busy")
}

func TestVolatileRefused(t *testing.T) {
	for name, test := range map[string]struct {
		mode    string
		prepare func(t *testing.T, root string)
		texts   []string
	}{
		"not merged":    {"yes", func(t *testing.T, root string) { replaceByDirectory(t, root+"/bin") }, []string{"--volatile", "merged"}},
		"bin is a file": {"yes", func(t *testing.T, root string) { must(t, os.Remove(root+"/bin")); writeFile(t, root+"/bin", "") }, []string{"--volatile", "/bin"}},
		"no usr":        {"yes", func(t *testing.T, root string) { must(t, os.RemoveAll(root+"/usr")) }, []string{"/usr"}},
		"usr leads out": {"yes", func(t *testing.T, root string) {
			must(t, os.RemoveAll(root+"/usr"))
			must(t, os.Symlink("/etc", root+"/usr"))
		}, []string{"--volatile", "usr"}},
		"no var": {"state", func(t *testing.T, root string) { must(t, os.RemoveAll(root+"/var")) }, []string{"--volatile", "/var"}},
		"var leads out": {"state", func(t *testing.T, root string) {
			must(t, os.RemoveAll(root+"/var"))
			must(t, os.Symlink("/var", root+"/var"))
		}, []string{"--volatile", "var"}},
		"boot without OS": {"overlay", func(t *testing.T, root string) { must(t, os.Remove(root+"/usr/lib/os-release")) }, []string{"os-release"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := newMergedRoot(t, "web")
			test.prepare(t, root)
			arguments := []string{"--volatile=" + test.mode, "/bin/echo", "payload runs"}
			if name == "boot without OS" {
				arguments = []string{"--volatile=" + test.mode, "--boot"}
			}
			refused(t, run(t, root, arguments...), test.texts...)
			clean(t, root)
		})
	}
}

func replaceByDirectory(t *testing.T, path string) {
	t.Helper()
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o755))
}
