package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// untouched are the options with which a start changes nothing in etc and var.
var untouched = []string{"--timezone=off", "--resolv-conf=off", "--link-journal=no"}

// The root directory is made once, with everything that the template has, and then stays.
func TestTemplate(t *testing.T) {
	needKernel(t)
	for name, test := range map[string]struct {
		from, to  string
		subvolume bool
	}{
		"ext4": {"ext4", "", false}, "xfs": {"xfs", "", false}, "btrfs": {"btrfs", "", false}, "btrfs subvolume": {"btrfs", "", true},
		"to another file system": {"ext4", "xfs", false}, "subvolume to another file system": {"btrfs", "ext4", true},
		"subvolume to another btrfs": {"btrfs", "btrfs", true},
	} {
		t.Run(name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "from")
			newFileSystem(t, test.from, from)
			to := from
			if test.to != "" {
				to = filepath.Join(t.TempDir(), "to")
				newFileSystem(t, test.to, to)
			}
			template, root := filepath.Join(from, "template"), filepath.Join(to, "web")
			if test.subvolume {
				command(t, "btrfs", "-q", "subvolume", "create", template)
			}
			command(t, "cp", "-a", newMergedRoot(t, "web")+"/.", mkdir(t, template))
			furnishRichly(t, template)
			before := fullDigest(t, template)
			options := append([]string{"--template=" + template}, untouched...)
			shell(t, root, "touch /new", options...)
			must(t, os.Remove(root+"/new"))
			if got := withoutTimes(fullDigest(t, root)); got != withoutTimes(before) {
				t.Errorf("the copy differs:\n%s", firstDifference(withoutTimes(before), got))
			}
			if got := fullDigest(t, template); got != before {
				t.Errorf("the template changed:\n%s", firstDifference(before, got))
			}
			writeFile(t, root+"/etc/inside", "changed\n")
			if got := shell(t, root, "cat /etc/inside", options...); got != "changed" {
				t.Errorf("the second start finds %q", got)
			}
			clean(t, root, from, to)
		})
	}
}

// What is there while the directory is made is never taken for it.
func TestTemplateKilled(t *testing.T) {
	template := newMergedRoot(t, "template")
	for i := range 40 {
		must(t, os.WriteFile(fmt.Sprintf("%s/usr/file%d", template, i), make([]byte, 200_000), 0o600))
	}
	root := filepath.Join(filepath.Dir(template), "web")
	options := append([]string{"--template=" + template}, untouched...)
	want := withoutTimes(fullDigest(t, template))
	left := 0
	for i := range 20 {
		cmd := nspawn(root, append(slices.Clip(options), sleeper...)...)
		killAfter(t, cmd, time.Duration(rand.IntN(40_000))*time.Microsecond)
		left += len(leftovers(t, root))
		if _, err := os.Stat(root); err == nil {
			if got := withoutTimes(fullDigest(t, root)); got != want {
				t.Fatalf("half a copy:\n%s", firstDifference(want, got))
			}
		}
		if i%2 == 0 {
			cleanup(t, root)
		} else {
			shell(t, root, "true", options...)
		}
		if clean(t, root); t.Failed() {
			t.FailNow()
		}
		must(t, os.RemoveAll(root))
	}
	if left == 0 {
		t.Error("nothing was ever left: this test tests nothing")
	}
}

func TestTemplateRefused(t *testing.T) {
	template := newMergedRoot(t, "template")
	root := filepath.Join(filepath.Dir(template), "web")
	for name, test := range map[string]struct {
		options, texts []string
	}{
		"missing":      {[]string{"--template=" + template + "/none"}, []string{"--template", "no such file"}},
		"a file":       {[]string{"--template=" + template + "/etc/inside"}, []string{"not a directory"}},
		"no OS":        {[]string{"--template=" + template + "/etc"}, []string{"/usr"}},
		"ephemeral":    {[]string{"--template=" + template, "-x"}, []string{"--ephemeral", "--template"}},
		"no directory": {[]string{"--template=" + template, "--directory=" + template + "/none/web"}, []string{"no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, root, append(test.options, "/bin/echo", "payload runs")...), test.texts...)
			if _, err := os.Lstat(root); err == nil {
				t.Error("a directory was made")
			}
			clean(t, root)
		})
	}
	t.Run("no space", func(t *testing.T) {
		disk := filepath.Join(t.TempDir(), "disk")
		newFileSystem(t, "ext4", disk)
		must(t, os.WriteFile(template+"/usr/large", make([]byte, 600<<20), 0o600))
		refused(t, run(t, disk+"/web", "--template="+template, "/bin/echo", "payload runs"), "--template", "no space left")
		if _, err := os.Lstat(disk + "/web"); err == nil {
			t.Error("half a copy stays")
		}
		clean(t, disk+"/web", disk)
	})
	t.Run("two at once", func(t *testing.T) {
		must(t, os.Remove(template+"/usr/large"))
		c := begin(t, root, append([]string{"--template=" + template}, sleeper...)...)
		refused(t, run(t, root, "--template="+template, "/bin/echo", "payload runs"), "busy")
		c.signal(syscall.SIGTERM)
		c.wait()
	})
	if r := finish(t, oracle(t, filepath.Join(filepath.Dir(root), "by-oracle"), "--template="+template, "/bin/cat", "/etc/inside")); strings.TrimSpace(r.stdout) != "of the image" {
		t.Errorf("systemd-nspawn: %q %s", r.stdout, r.stderr)
	}
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	must(t, os.RemoveAll("/run/cgroup"))
}
