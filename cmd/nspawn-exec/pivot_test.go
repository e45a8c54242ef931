package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

// newDeployments makes an image with two operating systems in it, as ostree(1) does.
func newDeployments(t testing.TB) string {
	t.Helper()
	root := newMergedRoot(t, "web")
	image := filepath.Join(filepath.Dir(root), "image")
	must(t, os.MkdirAll(filepath.Join(image, "ostree/var/data"), 0o755))
	must(t, os.Rename(root, filepath.Join(image, "ostree/a")))
	second := newMergedRoot(t, "b")
	must(t, os.Rename(second, filepath.Join(image, "ostree/b")))
	must(t, os.Mkdir(filepath.Join(image, "ostree/a/sysroot"), 0o755))
	writeFile(t, filepath.Join(image, "ostree/b/etc/inside"), "of b\n")
	must(t, os.Symlink("/ostree/a", filepath.Join(image, "current")))
	return image
}

func TestPivotRoot(t *testing.T) {
	image := newDeployments(t)
	bindMount(t, image, image) // systemd-nspawn 252 cannot move the old root if it is no mount
	const script = "cat /etc/inside; ls /sysroot; touch /new /sysroot/new; ls /data 2>/dev/null"
	for name, test := range map[string]struct {
		options []string
		want    string
	}{
		"only the new":        {[]string{"--pivot-root=/ostree/b"}, "of b\n"},
		"with the old":        {[]string{"--pivot-root=/ostree/a:/sysroot"}, "of the image\ncurrent\nostree\n"},
		"bind of the old":     {[]string{"--pivot-root=/ostree/a:/sysroot", "--bind=+/sysroot/ostree/var:/data"}, "of the image\ncurrent\nostree\ndata\n"},
		"bind of the new":     {[]string{"--pivot-root=/ostree/b:/var", "--bind=+/etc:/sysroot"}, "of b\ninside\nmachine-id\n"},
		"bind without an old": {[]string{"--pivot-root=/ostree/b", "--bind=+/etc:/sysroot"}, "of b\ninside\nmachine-id\n"},
	} {
		forget := func() {
			must(t, os.RemoveAll(filepath.Join(image, "log"))) // of the journal, where /var is the image
			for _, file := range []string{"new", "ostree/a/new", "ostree/b/new", "ostree/b/sysroot/new", "ostree/b/etc/new"} {
				_ = os.Remove(filepath.Join(image, file))
			}
		}
		t.Run(name+"/systemd-nspawn", func(t *testing.T) {
			defer forget()
			r := finish(t, oracle(t, image, append(test.options, "--machine=web", "--timezone=off", "/bin/sh", "-c", script)...))
			must(t, os.RemoveAll("/run/systemd/nspawn"))
			must(t, os.RemoveAll("/run/cgroup"))
			if r.stdout != test.want {
				t.Errorf("got %q, want %q (%s)", r.stdout, test.want, r.stderr)
			}
		})
		for users, option := range map[string]string{"no users": "--private-users=no", "shifted": "--private-users=pick"} {
			t.Run(name+"/"+users, func(t *testing.T) {
				defer forget()
				r := run(t, image, append(test.options, option, "--timezone=off", "/bin/sh", "-c", script)...)
				if r.stdout != test.want {
					t.Errorf("got %q, want %q (%s)", r.stdout, test.want, r.stderr)
				}
				clean(t, image, image)
			})
		}
	}
	t.Run("by a link of the image", func(t *testing.T) {
		shell(t, image, "test -e /sysroot && touch /sysroot/new", "--pivot-root=/current:/sysroot")
		if _, err := os.Stat(filepath.Join(image, "new")); err != nil {
			t.Error(err) // /sysroot is the whole image
		}
	})
	for mode, want := range map[string]string{"yes": "", "state": "of b", "overlay": "of b"} {
		before := digest(t, image)
		if got := shell(t, image, "cat /etc/inside 2>/dev/null; touch /var/new", "--pivot-root=/ostree/b", "--volatile="+mode); got != want {
			t.Errorf("--volatile=%s: got %q, want %q", mode, got, want)
		}
		if after := digest(t, image); after != before {
			t.Errorf("--volatile=%s: the image changed", mode)
		}
	}
}

func TestPivotRootRefused(t *testing.T) {
	image := newDeployments(t)
	outside := newOutside(t)
	must(t, os.MkdirAll(filepath.Join(outside, "usr"), 0o755))
	must(t, os.Symlink(outside, filepath.Join(image, "absolute")))
	must(t, os.Symlink("../../../../../.."+outside, filepath.Join(image, "ostree/a/relative")))
	for name, test := range map[string]struct {
		pivot string
		texts []string
	}{
		"missing":         {"/none", []string{"--pivot-root", "/none", "no such file"}},
		"file":            {"/ostree/b/etc/inside", []string{"--pivot-root", "not a directory"}},
		"no OS":           {"/ostree", []string{"/usr"}},
		"old missing":     {"/ostree/b:/sysroot", []string{"--pivot-root", "sysroot", "no such file"}},
		"old over new":    {"/ostree/b:/", []string{"--pivot-root", "old root directory"}},
		"leads out":       {"/absolute", []string{"--pivot-root", "no such file"}},
		"old leads out":   {"/ostree/a:/relative", []string{"--pivot-root", "relative"}},
		"through a magic": {"/proc/1/root", []string{"--pivot-root"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, image, "--pivot-root="+test.pivot, "/bin/echo", "payload runs"), test.texts...)
			clean(t, image)
		})
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

// The host finds the journal where the new root is, though the image calls it by a link that leads elsewhere on the host.
func TestPivotRootLinksJournal(t *testing.T) {
	image := newDeployments(t)
	t.Cleanup(func() { must(t, os.Remove(hostJournal)) })
	writeFile(t, filepath.Join(image, "ostree/a/etc/machine-id"), guestID+"\n")
	shell(t, image, "true", "--pivot-root=/current", "--link-journal=guest")
	want := filepath.Join(image, "ostree/a", hostJournal)
	if got, err := os.Readlink(hostJournal); err != nil || got != want {
		t.Errorf("links to %q, want %q (%v)", got, want, err)
	}
}
