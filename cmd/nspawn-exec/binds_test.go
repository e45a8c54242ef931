package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestBinds(t *testing.T) {
	root := newRoot(t, "web")
	host := t.TempDir()
	writeFile(t, host+"/dir/file", "of the host\n")
	writeFile(t, root+"/etc/inside", "of the image\n")
	must(t, os.Mkdir(host+"/dir/below", 0o755))
	mustMount(t, "tmpfs", host+"/dir/below")
	writeFile(t, host+"/dir/below/deep", "deep\n")
	for name, test := range map[string]struct {
		options      []string
		script, want string
	}{
		"directory":        {[]string{"--bind=" + host + "/dir:/mnt/a/b"}, "cat /mnt/a/b/file", "of the host"},
		"file":             {[]string{"--bind=" + host + "/dir/file:/mnt/a/file"}, "cat /mnt/a/file", "of the host"},
		"same place":       {[]string{"--bind=" + host}, "cat " + host + "/dir/file", "of the host"},
		"recursive":        {[]string{"--bind=" + host + "/dir:/mnt"}, "cat /mnt/below/deep", "deep"},
		"not recursive":    {[]string{"--bind=" + host + "/dir:/mnt:norbind"}, "ls /mnt/below", ""},
		"read-only":        {[]string{"--bind-ro=" + host + "/dir:/mnt"}, "touch /mnt/x /mnt/below/x 2>&1 | grep -c Read-only", "2"},
		"of the image":     {[]string{"--bind=+/etc:/mnt"}, "cat /mnt/inside", "of the image"},
		"owners by number": {[]string{"--bind=" + host + "/dir:/mnt"}, "stat -c %u /mnt/file", "65534"},
		"owners mapped":    {[]string{"--bind=" + host + "/dir:/mnt:idmap"}, "stat -c %u /mnt/file /mnt/below/deep", "0\n0"},
		"over a file":      {[]string{"--bind=" + host + "/dir/file:/etc/inside"}, "cat /etc/inside", "of the host"},
		"colon in name":    {[]string{`--bind=` + host + `/dir:/mnt/a\:b`}, "cat /mnt/a:b/file", "of the host"},
		"in order":         {[]string{"--bind=" + host + ":/mnt", "--bind=" + root + "/etc:/mnt/dir"}, "cat /mnt/dir/inside", "of the image"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shell(t, root, test.script, test.options...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	clean(t, root, host+"/dir/below")
}

// The message names the place to mend.
func TestBindRefused(t *testing.T) {
	root := newRoot(t, "web")
	for name, test := range map[string]struct {
		options []string
		texts   []string
	}{
		"missing source":       {[]string{"--bind=/no/such/source"}, []string{"--bind", "/no/such/source", "no such file"}},
		"missing in the image": {[]string{"--bind=+/none:/mnt"}, []string{"--bind", "/none"}},
		"over /proc":           {[]string{"--bind=/etc:/proc"}, []string{"--bind", "/proc"}},
		"over /run/host":       {[]string{"--bind=/etc:/run/host/x"}, []string{"--bind", "/run/host"}},
		"over the root":        {[]string{"--tmpfs=/"}, []string{"--tmpfs", "/"}},
		"directory on a file":  {[]string{"--bind=/etc:/bin/busybox"}, []string{"--bind", "/bin/busybox"}},
		"file on a directory":  {[]string{"--bind=" + program("payload") + ":/etc"}, []string{"--bind", "/etc"}},
		"bad option of tmpfs":  {[]string{"--tmpfs=/mnt:size=banana"}, []string{"--tmpfs", "size"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, root, append(test.options, "/bin/echo", "payload runs")...), test.texts...)
			clean(t, root)
		})
	}
	t.Run("of a file", func(t *testing.T) {
		trusted := filepath.Join(t.TempDir(), "etc/systemd/nspawn/web.nspawn")
		writeFile(t, trusted, "[Files]\n# comment\nBind=/no/such/source\n")
		cmd := nspawn(root, "/bin/echo", "payload runs")
		cmd.Env = append(cmd.Env, "NSPAWNKIT_ROOT="+strings.TrimSuffix(trusted, "/etc/systemd/nspawn/web.nspawn"))
		refused(t, finish(t, cmd), "/etc/systemd/nspawn/web.nspawn:3", "/no/such/source")
	})
}

// CVE-2021-30465, CVE-2024-45310 and their like: a link of the image leads nowhere but into the image.
func TestBindThroughLink(t *testing.T) {
	root := newRoot(t, "web")
	outside := newOutside(t)
	links := map[string]string{
		"absolute": outside, "relative": "../../../../../../../.." + outside, "chain": "/absolute/../../.." + outside,
	}
	for name, target := range links {
		must(t, os.Symlink(target, filepath.Join(root, name)))
		r := run(t, root, "--bind="+root+"/etc:/"+name+"/bound", "/bin/echo", "payload runs")
		refused(t, r, "--bind", "no such file") // it leads to nothing inside
	}
	must(t, os.MkdirAll(filepath.Join(root, outside), 0o755))
	for name := range links {
		shell(t, root, "echo owned >"+outside+"/"+name+"/made", "--tmpfs=/"+name+"/"+name)
	}
	must(t, os.Symlink("/proc/1/root", filepath.Join(root, "magic")))
	run(t, root, "--tmpfs=/magic"+outside+"/new", "/bin/true")
	empty(t, outside)
}

// newOutside makes an empty directory of the host that is at no place where a container has a file system of its own.
func newOutside(t *testing.T) string {
	t.Helper()
	needKernel(t)
	directory, err := os.MkdirTemp("/var/log", "outside")
	must(t, err)
	must(t, os.Chmod(directory, 0o755))
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

func empty(t *testing.T, directory string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	must(t, err)
	for _, entry := range entries {
		t.Errorf("%s was made outside the root", filepath.Join(directory, entry.Name()))
	}
}

func mustMount(t *testing.T, fstype, target string) {
	t.Helper()
	if output, err := exec.Command("mount", "-t", fstype, "test", target).CombinedOutput(); err != nil {
		t.Fatalf("mount %s: %v: %s", target, err, output)
	}
	t.Cleanup(func() {
		if output, err := exec.Command("umount", target).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", target, err, output)
		}
	})
}
