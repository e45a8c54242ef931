package main_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// showMounts prints what of a disk is mounted where and how, without what only one of both programs says.
const showMounts = `grep -E ' (ext4|xfs|btrfs|squashfs|erofs|vfat) ' /proc/self/mounts | grep -v /run/host/ | while read source place type options rest; do
	access=${options%%,*}; case ,$options, in *,nosuid,*) access=$access,nosuid;; esac; case ,$options, in *,nodev,*) access=$access,nodev;; esac
	case ,$options, in *,noexec,*) access=$access,noexec;; esac
	echo "$place $type $access"; done
	cat /etc/inside; touch /etc/new 2>/dev/null && echo writable && stat -c %u:%g /etc/new`

// TestImageKinds starts containers from all kinds of images, beside systemd-nspawn.
func TestImageKinds(t *testing.T) {
	for _, fstype := range []string{"ext4", "xfs", "btrfs", "squashfs", "erofs"} {
		image := newImage(t, fstype, "web.raw")
		want := "/ " + fstype + " rw,nodev\nof the image\nwritable\n0:0\n"
		if fstype == "squashfs" || fstype == "erofs" {
			want = "/ " + fstype + " ro,nodev\nof the image\n"
		}
		t.Run(fstype, func(t *testing.T) { checkKind(t, image, want) })
		t.Run(fstype+"/device", func(t *testing.T) {
			device := strings.TrimSpace(command(t, "losetup", "--find", "--show", image))
			defer command(t, "losetup", "--detach", device)
			r := finish(t, onImage(nspawn("", "--machine=web", "--timezone=off", "/bin/sh", "-c", showMounts), device))
			if r.stdout != want {
				t.Errorf("%q %s, want %q", r.stdout, r.stderr, want)
			}
		})
	}
}

// checkKind runs a container from an image in every kind of user namespace, and by systemd-nspawn.
func checkKind(t *testing.T, image, want string, options ...string) {
	t.Helper()
	sorted := func(text string) string {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	arguments := append(options, "--machine=web", "--timezone=off", "/bin/sh", "-c", showMounts)
	for _, users := range []string{"no", "pick", "identity"} {
		r := runImage(t, image, append([]string{"--private-users=" + users}, arguments...)...)
		if sorted(r.stdout) != sorted(want) || r.status != 0 && !strings.Contains(want, " ro,") {
			t.Errorf("--private-users=%s: %q %s, want %q", users, r.stdout, r.stderr, want)
		}
		cleanImage(t, image)
	}
	want = strings.NewReplacer(",nosuid", "", ",noexec", "").Replace(want) // systemd-nspawn restricts boot and temporary partitions since 253
	if r := oracleImage(t, image, arguments...); sorted(r.stdout) != sorted(want) {
		t.Errorf("systemd-nspawn: %q %s, want %q", r.stdout, r.stderr, want)
	}
	_ = os.Remove(filepath.Join(filepath.Dir(image), ".#"+filepath.Base(image)+".lck"))
}

func TestPartitions(t *testing.T) {
	root, data := newTrees(t)
	folder := t.TempDir()
	disk := func(t *testing.T, label string, sections ...section) string {
		return newDisk(t, filepath.Join(folder, "disk.raw"), label, sections...)
	}
	rootSection := section{rootX86, "ext4", root}
	end := "of the image\nwritable\n0:0\n"
	for name, test := range map[string]struct {
		label    string
		sections []section
		want     string
	}{
		"all": {"gpt", []section{
			{homePart, "ext4", data}, {swapPart, "", ""}, rootSection, {srvPart, "squashfs", data}, {varPart, "ext4", data}, {tmpPart, "ext4", data}, {bootPart, "ext4", data},
		}, "/ ext4 rw,nodev\n/home ext4 rw,nodev\n/srv squashfs ro,nodev\n/var ext4 rw,nodev\n/var/tmp ext4 rw,nosuid,nodev\n/boot ext4 rw,nosuid,nodev,noexec\n" + end},
		"marks":     {"gpt", []section{rootSection, {homePart + readOnly, "ext4", data}, {srvPart + noAuto, "ext4", data}}, "/ ext4 rw,nodev\n/home ext4 ro,nodev\n" + end},
		"read-only": {"gpt", []section{{rootX86 + readOnly, "ext4", root}, {homePart, "ext4", data}}, "/ ext4 ro,nodev\n/home ext4 rw,nodev\nof the image\n"},
		"generic":   {"gpt", []section{{homePart, "ext4", data}, {genericPart, "ext4", root}}, "/ ext4 rw,nodev\n/home ext4 rw,nodev\n" + end},
		"versions":  {"gpt", []section{{rootX86 + ", name=os_9", "ext4", data}, {rootX86 + ", name=os_10", "ext4", root}}, "/ ext4 rw,nodev\n" + end},
		"foreign":   {"gpt", []section{{rootARM, "ext4", data}, rootSection}, "/ ext4 rw,nodev\n" + end},
		"MBR":       {"dos", []section{{"type=83", "ext4", data}, {"type=83, bootable", "ext4", root}, {"type=ea", "ext4", data}}, "/ ext4 rw,nodev\n/boot ext4 rw,nosuid,nodev,noexec\n" + end},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "read-only" { // the place for a partition must be there
				must(t, os.MkdirAll(root+"/home", 0o755))
			}
			image := disk(t, test.label, test.sections...)
			checkKind(t, image, test.want)
		})
	}
}

// A /usr alone gets a temporary root with what a system needs to start from it.
func TestUsrAlone(t *testing.T) {
	root := newMergedRoot(t, "tree")
	image := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "gpt", section{usrX86, "squashfs", root + "/usr"})
	const script = "readlink /bin; stat -c %a /root /proc; touch /etc/new && echo writable; touch /usr/new 2>/dev/null || echo protected; ls -l /etc/new | grep -c root || true"
	for _, users := range []string{"no", "pick"} {
		r := runImage(t, image, "--private-users="+users, "--timezone=off", "/bin/sh", "-c", script)
		if !strings.HasPrefix(r.stdout, "usr/bin\n750\n555\nwritable\nprotected\n") {
			t.Errorf("%s: %q %s", users, r.stdout, r.stderr)
		}
		cleanImage(t, image)
	}
}

// What works with a directory works with an image.
func TestImageOptions(t *testing.T) {
	root, data := newTrees(t)
	must(t, os.MkdirAll(root+"/home", 0o755))
	must(t, os.MkdirAll(root+"/mnt", 0o755))
	image := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "gpt", section{rootX86, "ext4", root}, section{homePart, "ext4", data})
	for name, test := range map[string]struct {
		options      []string
		script, want string
		protected    bool // nothing is written to the image
	}{
		"read-only":       {[]string{"--read-only"}, "touch /new /home/new; cat /home/data", "data", true},
		"bind":            {[]string{"--bind=+/home:/mnt"}, "touch /mnt/bound && ls /home; rm /mnt/bound", "bound\ndata\nlost+found", false},
		"overlay":         {[]string{"--overlay=+/etc::/mnt"}, "touch /mnt/new; cat /mnt/inside; ls /etc/new", "of the image", false},
		"volatile":        {[]string{"--volatile=overlay"}, "touch /etc/new && touch /home/new; cat /home/data", "data", true},
		"volatile state":  {[]string{"--volatile=state"}, "touch /var/new && touch /etc/new; cat /home/data", "data", true},
		"pivot":           {[]string{"--pivot-root=/:/mnt"}, "cat /mnt/etc/inside /mnt/home/data", "of the image\ndata", false},
		"ephemeral":       {[]string{"--ephemeral"}, "touch /etc/new /home/new && cat /home/data", "data", true},
		"machine":         {nil, "hostname", "disk", false},
		"journal of host": {[]string{"--link-journal=auto"}, "ls -d /var/log/journal", "/var/log/journal", false},
		"inaccessible":    {[]string{"--inaccessible=/home"}, "ls /home 2>&1 | grep -c data", "0", false},
	} {
		for _, users := range []string{"no", "pick"} {
			t.Run(name+"/"+users, func(t *testing.T) {
				before := ""
				if test.protected {
					before = contentOf(t, image)
				}
				r := runImage(t, image, append(test.options, "--private-users="+users, "/bin/sh", "-c", test.script)...)
				if strings.TrimSpace(r.stdout) != test.want {
					t.Errorf("%q %s, want %q", r.stdout, r.stderr, test.want)
				}
				cleanImage(t, image)
				if test.protected && contentOf(t, image) != before {
					t.Error("the image changed")
				}
			})
		}
	}
	refused(t, runImage(t, image, "--link-journal=guest", "/bin/true"), "--link-journal", "no path into a disk image")
	cleanImage(t, image)
}

func contentOf(t testing.TB, image string) string {
	return strings.Fields(command(t, "sha256sum", image))[0]
}

// TestImageMarks checks what makes an image read-only by itself.
func TestImageMarks(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	must(t, os.Chmod(image, 0o444))
	const script = "touch /new 2>/dev/null || echo protected"
	for _, place := range []string{"--image=" + image, "--machine=web"} {
		if place == "--machine=web" {
			must(t, os.MkdirAll("/run/machines", 0o755))
			t.Cleanup(func() { must(t, os.RemoveAll("/run/machines")) })
			must(t, os.Symlink(image, "/run/machines/web.raw"))
		}
		cmd := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--private-network", place, "/bin/sh", "-c", script)
		if r := finish(t, cmd); r.stdout != "protected\n" {
			t.Errorf("%s: %q %s", place, r.stdout, r.stderr)
		}
		cleanImage(t, image)
	}
	if r := runImage(t, image, "--ephemeral", "/bin/sh", "-c", script); r.stdout != "" || r.status != 0 {
		t.Errorf("the copy is protected: %q %s", r.stdout, r.stderr)
	}
	t.Run("read-only file system", func(t *testing.T) {
		must(t, os.Chmod(image, 0o644))
		folder := filepath.Dir(image)
		bindMount(t, folder, folder)
		command(t, "mount", "-o", "remount,bind,ro", folder)
		if r := runImage(t, image, "/bin/sh", "-c", script); r.stdout != "protected\n" {
			t.Errorf("%q %s", r.stdout, r.stderr)
		}
	})
	t.Run("directory", func(t *testing.T) {
		root := newRoot(t, "tree")
		command(t, "chattr", "+i", root)
		defer command(t, "chattr", "-i", root)
		if r := run(t, root, "/bin/sh", "-c", script+"; touch /etc/new || echo protected"); r.stdout != "protected\nprotected\n" {
			t.Errorf("%q %s", r.stdout, r.stderr)
		}
	})
}

// TestImageByMachine finds the image by the machine's name.
func TestImageByMachine(t *testing.T) {
	image := newImage(t, "squashfs", "other.raw")
	must(t, os.MkdirAll("/run/machines", 0o755))
	t.Cleanup(func() { must(t, os.RemoveAll("/run/machines")) })
	command(t, "mv", image, "/run/machines/web.raw")
	writeFile(t, "/run/machines/web.nspawn", "[Exec]\nHostname=set\n")
	cmd := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--private-network", "-U", "--machine=web",
		"/bin/sh", "-c", "hostname; cat /etc/inside")
	if r := finish(t, cmd); r.stdout != "set\nof the image\n" {
		t.Errorf("%q %s", r.stdout, r.stderr)
	}
	waitNoLoops(t, "/run/machines/web.raw")
}

// A disk with partitions works as a file does; one that is read-only or in use is not written to.
func TestBlockDevice(t *testing.T) {
	root, data := newTrees(t)
	image := newDisk(t, filepath.Join(t.TempDir(), "web.raw"), "gpt", section{rootX86, "ext4", root}, section{homePart, "ext4", data})
	const script = "cat /home/data; touch /new 2>/dev/null || echo protected"
	devices := []struct{ option, want, err string }{
		{"--read-only", "", "make mount point /home: read-only file system"},
		{"", "data\n", ""}, // which makes the mount point
		{"--read-only", "data\nprotected\n", ""},
	}
	for _, each := range devices {
		device := strings.TrimSpace(command(t, "sh", "-c", "losetup --find --show "+each.option+" "+image))
		if r := runImage(t, device, "--machine=web", "/bin/sh", "-c", script); r.stdout != each.want || !strings.Contains(r.stderr, each.err) {
			t.Errorf("%s: %q %s", each.option, r.stdout, r.stderr)
		}
		refused(t, runImage(t, device, "--machine=web", "--ephemeral", "/bin/true"), "a block device is not copied")
		command(t, "losetup", "--detach", device)
	}
	whole := newImage(t, "ext4", "whole.raw")
	device := strings.TrimSpace(command(t, "losetup", "--find", "--show", whole))
	defer command(t, "losetup", "--detach", device)
	place := t.TempDir()
	command(t, "mount", device, place)
	refused(t, runImage(t, device, "--machine=web", "/bin/true"), "open image", device, "busy")
	command(t, "umount", place)
	clean(t, image)
}

// An image belongs to one container, unless that only reads; nothing of it is left however the container ends.
func TestImageBusy(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	c := launch(t, onImage(nspawn("", sleeper...), image))
	c.expect("up")
	refused(t, runImage(t, image, "/bin/true"), "lock image", image, "busy")
	if got := loopsOf(t, filepath.Dir(image)); len(got) != 1 {
		t.Errorf("loop devices: %q", got)
	}
	c.kill()
	if r := runImage(t, image, "/bin/true"); r.status != 0 {
		t.Errorf("after kill: %s", r.stderr)
	}
	cleanImage(t, image)
	readers := []*container{launch(t, onImage(nspawn("", append([]string{"--read-only", "--machine=a"}, sleeper...)...), image)),
		launch(t, onImage(nspawn("", append([]string{"--volatile=overlay", "--machine=b"}, sleeper...)...), image))}
	for _, reader := range readers {
		reader.expect("up")
	}
	refused(t, runImage(t, image, "/bin/true"), "busy")
	for i, reader := range readers {
		reader.kill()
		if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--machine="+string(rune('a'+i)))); r.status != 0 {
			t.Errorf("--cleanup: %s", r.stderr)
		}
	}
	waitNoLoops(t, image)
	mounted := t.TempDir()
	command(t, "mount", "-o", "loop", image, mounted)
	refused(t, runImage(t, image, "/bin/true"), "open image", "is it mounted?")
	command(t, "umount", mounted)
	if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--image="+image)); r.status != 0 {
		t.Errorf("--cleanup: %s", r.stderr)
	}
	cleanImage(t, image)
}

// Many run from copies of one image; a copy goes with its container, however that ends.
func TestEphemeralImages(t *testing.T) {
	for _, fstype := range []string{"ext4", "xfs"} {
		image := newImage(t, fstype, "web.raw")
		var running []*container
		for range 2 {
			c := launch(t, onImage(nspawn("", "--ephemeral", "/bin/sh", "-c", "touch /new && echo up; exec sleep 1000"), image))
			c.expect("up")
			running = append(running, c)
		}
		running[0].kill()
		running[1].signal(syscall.SIGTERM)
		running[1].signal(syscall.SIGTERM)
		running[1].wait()
		if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--image="+image)); r.status != 0 {
			t.Errorf("--cleanup: %s", r.stderr)
		}
		cleanImage(t, image)
		if entries, err := os.ReadDir(filepath.Dir(image)); err != nil || len(entries) != 1 {
			t.Errorf("left over: %q", entries)
		}
	}
}

// A reboot finds the same image again, also by a relative path, and what the host is to see is on the host again.
func TestImageReboot(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	cmd := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--console=pipe", "--private-network", "--image=web.raw",
		"/bin/sh", "-c", "test -e /second && { echo up; exec sleep 1000; }; touch /second; exec /bin/payload reboot")
	cmd.Dir = filepath.Dir(image)
	c := launch(t, cmd)
	c.expect("up")
	if mounts := mountPoints(t); !slices.Contains(mounts, "/run/systemd/nspawn/unix-export/web") {
		t.Errorf("mounted: %q", mounts)
	}
	if got := loopsOf(t, filepath.Dir(image)); len(got) != 1 {
		t.Errorf("loop devices: %q", got)
	}
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGTERM)
	c.wait()
	cleanImage(t, image)
}

// The supervisor is killed at any moment of the start. The next start works at once, and nothing stays attached.
func TestImageKilledDuringStart(t *testing.T) {
	root, data := newTrees(t)
	image := newDisk(t, filepath.Join(t.TempDir(), "web.raw"), "gpt", section{rootX86, "ext4", root}, section{homePart, "ext4", data})
	runs := 30
	if os.Getenv(longTests) != "" {
		runs = 500
	}
	for i := range runs {
		delay := time.Duration(rand.IntN(80_000)) * time.Microsecond
		cmd := onImage(nspawn("", sleeper...), image)
		if i%3 == 0 {
			cmd.Args = slices.Insert(cmd.Args, 1, "--ephemeral", "--machine=web")
		}
		killAfter(t, cmd, delay)
		if r := runImage(t, image, "--machine=web", "/bin/sh", "-c", "cat /home/data; touch /new"); r.stdout != "data\n" || r.status != 0 {
			t.Fatalf("killed after %v: %q %s", delay, r.stdout, r.stderr)
		}
	}
	for _, machine := range []string{"web", "disk"} {
		if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--image="+image, "--machine="+machine)); r.status != 0 {
			t.Errorf("--cleanup: %s", r.stderr)
		}
	}
	cleanImage(t, image)
	if entries, err := os.ReadDir(filepath.Dir(image)); err != nil || len(entries) != 1 {
		t.Errorf("left over: %q", entries)
	}
	command(t, "sh", "-c", "dd if="+image+" bs=1M skip=1 count=24 of="+image+".part status=none && fsck.ext4 -fn "+image+".part")
}

// A file system is mended before it is written to.
func TestImageRepair(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	command(t, "debugfs", "-w", "-R", "set_super_value state 2", image) // there were errors
	if r := runImage(t, image, "/bin/true"); r.status != 0 {
		t.Error(r.stderr)
	}
	if state := command(t, "debugfs", "-R", "show_super_stats -h", image); !strings.Contains(state, "clean\n") || strings.Contains(state, "with errors") {
		t.Errorf("not mended: %s", state)
	}
	command(t, "debugfs", "-w", "-R", "clri /bin", image)
	command(t, "debugfs", "-w", "-R", "set_super_value state 2", image)
	refused(t, runImage(t, image, "/bin/true"), "check file systems", image, "partition root", "file system ext4 is damaged")
	cleanImage(t, image)
}

// A read-only mount does not even play back the journal.
func TestReadOnlyImage(t *testing.T) {
	image := newImage(t, "ext4", "web.raw")
	command(t, "debugfs", "-w", "-R", "feature +needs_recovery", image)
	before := contentOf(t, image)
	for _, option := range []string{"--read-only", "--volatile=state", "--ephemeral"} {
		if r := runImage(t, image, option, "/bin/cat", "/etc/inside"); r.stdout != "of the image\n" {
			t.Errorf("%s: %q %s", option, r.stdout, r.stderr)
		}
		if contentOf(t, image) != before {
			t.Errorf("%s: the image changed", option)
		}
		cleanImage(t, image)
	}
}

// A file system fills its partition where the partition says so.
func TestImageGrows(t *testing.T) {
	root := newRoot(t, "tree")
	folder := t.TempDir()
	fs, image := filepath.Join(folder, "fs"), filepath.Join(folder, "disk.raw")
	makeFileSystem(t, "xfs", fs, root)
	for attributes, want := range map[string]string{"": "smaller", `, attrs="GUID:59"`: "larger"} {
		emptyDisk(t, image, 450)
		sfdisk := exec.Command("sfdisk", "--quiet", image)
		sfdisk.Stdin = strings.NewReader("label: gpt\nstart=1MiB, size=440MiB, " + rootX86 + attributes + "\n")
		must(t, sfdisk.Run())
		command(t, "dd", "if="+fs, "of="+image, "bs=1M", "seek=1", "conv=notrunc", "status=none")
		r := runImage(t, image, "/bin/sh", "-c", "test $(stat -f -c %b /) -gt 85000 && echo larger || echo smaller")
		if strings.TrimSpace(r.stdout) != want {
			t.Errorf("%s: %s %s", attributes, r.stdout, r.stderr)
		}
	}
	cleanImage(t, image)
}
