package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newImageStack makes a mount stack of disk images, with links to them, and directories.
func newImageStack(t *testing.T, images map[string]string, directories ...string) string {
	t.Helper()
	stack := mkdir(t, filepath.Join(t.TempDir(), "web.mstack"))
	for entry, image := range images {
		must(t, os.Symlink(image, filepath.Join(stack, entry)))
	}
	for _, directory := range directories {
		mkdir(t, filepath.Join(stack, directory))
	}
	return stack
}

// dataImage makes a disk image of one file system with a file in it.
func dataImage(t *testing.T, fstype, name, content string) string {
	t.Helper()
	tree := mkdir(t, filepath.Join(t.TempDir(), "tree"))
	writeFile(t, tree+"/"+name, content+"\n")
	image := filepath.Join(filepath.Dir(tree), "data.raw")
	makeFileSystem(t, fstype, image, tree)
	return image
}

// cleanImages checks that nothing of a stack's images is attached.
func cleanImages(t *testing.T, stack string, images map[string]string) {
	t.Helper()
	for _, image := range images {
		waitNoLoops(t, image)
	}
	clean(t, stack)
}

// Disk images are layers, which never change, and binds, which do unless they are read-only.
func TestStackOfImages(t *testing.T) {
	for _, users := range users {
		t.Run(users, func(t *testing.T) {
			tree := newMergedRoot(t, "tree")
			mkdir(t, tree+"/srv")
			writeFile(t, tree+"/etc/layer", "0\n")
			base := filepath.Join(t.TempDir(), "base.raw")
			makeFileSystem(t, "ext4", base, tree)
			images := map[string]string{"layer@0.raw": base, "layer@1.raw": dataImage(t, "squashfs", "upper", "1"),
				"bind@srv.raw": dataImage(t, "ext4", "data", "srv"), "robind@opt.raw": dataImage(t, "ext4", "data", "opt")}
			stack := newImageStack(t, images, "rw")
			before := []string{contentOf(t, base), contentOf(t, images["layer@1.raw"]), contentOf(t, images["robind@opt.raw"])}
			script := "cat /etc/layer /upper /srv/data /opt/data; stat -c %u / /srv /opt /upper; touch /new /srv/new && echo written; touch /opt/new 2>/dev/null || echo protected"
			if got := stackShell(t, stack, script, "--private-users="+users); got != "0\n1\nsrv\nopt\n0\n0\n0\n0\nwritten\nprotected" {
				t.Errorf("got %q", got)
			}
			cleanImages(t, stack, images)
			if got := stackShell(t, stack, "stat -c %u /new /srv/new", "--private-users="+users); got != "0\n0" {
				t.Errorf("second start: %q", got)
			}
			for _, option := range []string{"--read-only", "--volatile=state", "--volatile=overlay"} {
				srv := contentOf(t, images["bind@srv.raw"])
				mkdir(t, stack+"/rw/data/var")
				if got := stackShell(t, stack, "cat /srv/data; touch /srv/no 2>/dev/null || echo protected", option, "--private-users="+users); !strings.HasPrefix(got, "srv") {
					t.Errorf("%s: %q", option, got)
				}
				cleanImages(t, stack, images)
				if contentOf(t, images["bind@srv.raw"]) != srv {
					t.Errorf("%s: the image changed", option)
				}
			}
			for i, image := range []string{base, images["layer@1.raw"], images["robind@opt.raw"]} {
				if contentOf(t, image) != before[i] {
					t.Errorf("%s changed", image)
				}
			}
		})
	}
}

// What is in partitions of a layer is a layer itself: that of an image of /usr alone, with and without a root directory, and below
// other layers.
func TestStackOfPartitions(t *testing.T) {
	tree := newMergedRoot(t, "tree")
	writeFile(t, tree+"/usr/gone", "image\n")
	vendor := newDisk(t, filepath.Join(t.TempDir(), "vendor.raw"), "gpt", section{usrX86, "squashfs", tree + "/usr"})
	_, data := newTrees(t)
	mkdir(t, tree+"/home")
	whole := newDisk(t, filepath.Join(t.TempDir(), "whole.raw"), "gpt", section{rootX86, "ext4", tree}, section{homePart, "ext4", data})
	for name, test := range map[string]struct {
		image        string
		directories  []string
		script, want string
	}{
		"usr and root": {vendor, []string{"root", "root/etc"}, "cat /usr/gone; touch /etc/new && touch /usr/new 2>/dev/null || echo protected", "image\nprotected"},
		"usr alone":    {vendor, nil, "cat /usr/gone; touch /etc/new 2>/dev/null || touch /usr/new 2>/dev/null || echo protected", "image\nprotected"},
		"usr, written": {vendor, []string{"rw"}, "cat /usr/gone; echo new >/usr/gone; rm /usr/new 2>/dev/null; touch /usr/new /etc/new && cat /usr/gone", "image\nnew"},
		"usr and layer": {vendor, []string{"layer@1", "layer@1/usr", "layer@1/usr/more", "rw"}, "cat /usr/gone; ls -d /usr/more; stat -c %u /usr/more /etc; touch /usr/more/x && echo written",
			"image\n/usr/more\n0\n0\nwritten"},
		"home":          {whole, []string{"rw"}, "cat /usr/gone /home/data; touch /home/new /usr/new && ls /home/new", "image\ndata\n/home/new"},
		"home, not rw":  {whole, nil, "cat /home/data; touch /home/new 2>/dev/null || touch /new 2>/dev/null || echo protected", "data\nprotected"},
		"home and bind": {whole, []string{"rw", "bind@home-data2"}, "cat /home/data; touch /home/data2/x && ls /home/data2", "data\nx"},
	} {
		for _, users := range users {
			t.Run(name+"/"+users, func(t *testing.T) {
				images := map[string]string{"layer@0.raw": test.image}
				stack := newImageStack(t, images, test.directories...)
				if strings.HasPrefix(name, "usr and root") {
					must(t, os.Symlink("usr/bin", stack+"/root/bin"))
					must(t, os.Symlink("usr/lib", stack+"/root/lib"))
				}
				before := contentOf(t, test.image)
				if got := stackShell(t, stack, test.script, "--private-users="+users); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				cleanImages(t, stack, images)
				if contentOf(t, test.image) != before {
					t.Error("the image changed")
				}
			})
		}
	}
	for _, users := range users { // all partitions of a bind, also of the root directory
		for entry, place := range map[string]string{"bind@srv.raw": "/srv", "robind@srv.raw": "/srv", "bind@-.raw": ""} {
			images := map[string]string{entry: whole}
			if place != "" {
				images["layer@0.raw"] = vendor
			}
			stack := newImageStack(t, images, "root")
			if place != "" {
				must(t, os.Symlink("usr/bin", stack+"/root/bin"))
				must(t, os.Symlink("usr/lib", stack+"/root/lib"))
			}
			want := "image\ndata\nwritten"
			if strings.HasPrefix(entry, "robind") {
				want = "image\ndata\nprotected"
			}
			script := "cd " + place + "/ && cat usr/gone home/data; touch home/new new 2>/dev/null && echo written || echo protected"
			if got := stackShell(t, stack, script, "--private-users="+users); got != want {
				t.Errorf("%s, %s: %q", entry, users, got)
			}
			cleanImages(t, stack, images)
		}
	}
}

// Versions, verified images and the policy are as with --image=.
func TestStackImageOptions(t *testing.T) {
	tree := newMergedRoot(t, "tree")
	writeFile(t, tree+"/etc/layer", "old\n")
	stack := newImageStack(t, nil, "layer@0.raw.v")
	makeFileSystem(t, "squashfs", stack+"/layer@0.raw.v/layer@0_9.raw", tree)
	writeFile(t, tree+"/etc/layer", "new\n")
	makeFileSystem(t, "squashfs", stack+"/layer@0.raw.v/layer@0_10.raw", tree)
	if got := stackShell(t, stack, "cat /etc/layer"); got != "new" {
		t.Errorf("versions: %q", got)
	}
	waitNoLoops(t, stack+"/layer@0.raw.v/layer@0_10.raw")
	refused(t, finish(t, mstack(stack, "--image-policy=root=encrypted", "/bin/echo", "payload runs")), "--mstack", "layer@0.raw.v", "policy")
	refused(t, finish(t, mstack(stack, "--root-hash="+strings.Repeat("ab", 32), "/bin/echo", "payload runs")), "--root-hash is for disk images")
	refused(t, finish(t, mstack(newStack(t, "web"), "--image-policy=*", "/bin/echo", "payload runs")), "--image-policy is for disk images")
	clean(t, stack)
}

// A layer may be a block device, with or without the suffix of images.
func TestStackOfDevices(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	device := strings.TrimSpace(command(t, "losetup", "--find", "--show", image))
	defer command(t, "losetup", "--detach", device)
	for _, entry := range []string{"layer@0", "layer@0.raw", "bind@-"} {
		stack := newImageStack(t, map[string]string{entry: device})
		r := finish(t, mstack(stack, "--timezone=off", "/bin/sh", "-c", "cat /etc/inside; touch /new 2>/dev/null && echo written; true"))
		if want := map[bool]string{true: "of the image\nwritten\n", false: "of the image\n"}[entry == "bind@-"]; r.stdout != want {
			t.Errorf("%s: %q %s", entry, r.stdout, r.stderr)
		}
		clean(t, stack)
	}
}

// A reboot finds the images again; --dry-run tells the steps that open them, and lets them be.
func TestStackOfImagesReboot(t *testing.T) {
	images := map[string]string{"layer@0.raw": newImage(t, "ext4", "web.raw"), "bind@srv.raw": dataImage(t, "ext4", "data", "srv")}
	stack := newImageStack(t, images, "rw")
	before := contentOf(t, images["bind@srv.raw"])
	r := finish(t, mstack(stack, "--dry-run", "/bin/true"))
	if !strings.Contains(r.stdout, "image      mount partitions\n") || r.status != 0 || contentOf(t, images["bind@srv.raw"]) != before {
		t.Errorf("--dry-run: %q %s", r.stdout, r.stderr)
	}
	cmd := mstack(stack, "/bin/sh", "-c", "test -e /srv/second && { echo up; exec sleep 1000; }; touch /srv/second; exec /bin/payload reboot")
	cmd.Args = removed(cmd.Args, "--keep-unit")
	c := launch(t, cmd)
	c.expect("up")
	if got := loopsOf(t, filepath.Dir(images["bind@srv.raw"])); len(got) != 1 {
		t.Errorf("loop devices: %q", got)
	}
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGTERM)
	c.wait()
	cleanImages(t, stack, images)
}

// What is no image is refused with the name of the entry, before anything is left.
func TestStackImageRefused(t *testing.T) {
	truncated := newImage(t, "squashfs", "short.raw")
	must(t, os.Truncate(truncated, 5000))
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	for name, test := range map[string]struct{ image, text string }{
		"truncated": {truncated, "layer@x.raw"}, "FIFO": {fifo, "not a disk image"}, "directory": {t.TempDir(), "not a disk image"},
		"missing": {filepath.Join(t.TempDir(), "none"), "no such file"}, "no image": {textFile(t), "layer@x.raw"},
	} {
		t.Run(name, func(t *testing.T) {
			stack := newStack(t, "web")
			must(t, os.Symlink(test.image, stack+"/layer@x.raw"))
			refused(t, finish(t, mstack(stack, "/bin/echo", "payload runs")), "--mstack", "layer@x.raw", test.text)
			waitNoLoops(t, test.image)
			clean(t, stack)
		})
	}
}

// textFile makes a file that is no disk image.
func textFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "text.raw")
	writeFile(t, path, strings.Repeat("no image\n", 5000))
	return path
}

// A killed container leaves nothing attached, and the next start works at once.
func TestStackOfImagesKilled(t *testing.T) {
	tree := newMergedRoot(t, "tree")
	base := filepath.Join(t.TempDir(), "base.raw")
	makeFileSystem(t, "squashfs", base, tree)
	images := map[string]string{"layer@0.raw": base, "bind@srv.raw": dataImage(t, "ext4", "data", "srv")}
	stack := newImageStack(t, images, "rw")
	c := launch(t, mstack(stack, sleeper...))
	c.expect("up")
	other := newImageStack(t, images, "rw")
	refused(t, finish(t, mstack(other, "--machine=other", "/bin/echo", "payload runs")), "--mstack", "bind@srv.raw", "busy")
	c.kill()
	if got := stackShell(t, stack, "cat /srv/data; touch /srv/new"); got != "srv" {
		t.Errorf("after kill: %q", got)
	}
	for i := range 8 { // at any moment
		killAfter(t, mstack(stack, sleeper...), time.Duration(i)*12*time.Millisecond)
		if got := stackShell(t, stack, "cat /srv/data; touch /srv/new"); got != "srv" {
			t.Errorf("after kill: %q", got)
		}
	}
	c = launch(t, mstack(stack, sleeper...))
	c.expect("up")
	c.kill()
	if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--mstack="+stack)); r.status != 0 {
		t.Errorf("--cleanup: %s", r.stderr)
	}
	for _, image := range images { // which the entries of the stack are links to
		if locks, _ := filepath.Glob(filepath.Dir(image) + "/.#*"); len(locks) > 0 {
			t.Errorf("left over: %q", locks)
		}
	}
	cleanImages(t, stack, images)
}
