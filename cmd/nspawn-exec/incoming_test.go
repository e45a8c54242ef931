package main_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// propagate does by hand what systemd-machined does for "machinectl bind" where it has no newer system calls (252): a mount is made
// aside, moved to where the container's /run/host/incoming gets it from, and moved on inside, to a place that is there. $1 is the machine, $2 the source,
// $3 the leader, $4 the destination, $5 "ro" or "rw".
const propagate = `aside=/run/aside; mkdir -p $aside; mount --bind $aside $aside; mount --make-slave $aside
	mkdir $aside/mount; mount --bind $2 $aside/mount; [ $5 = rw ] || mount -o remount,bind,ro $aside/mount
	outside=/run/systemd/nspawn/propagate/$1/it; mkdir $outside; mount --move $aside/mount $outside
	nsenter --target $3 --mount --root --wd=/ /bin/sh -c "mount -o move /run/host/incoming/it $4"
	umount $outside 2>/dev/null; rmdir $outside; umount -l $aside; rm -r $aside`

// TestIncoming plays the part of systemd-machined in "machinectl bind", which systemd-nspawn made the directory for.
func TestIncoming(t *testing.T) {
	root := newRoot(t, "web")
	source := t.TempDir()
	mustMount(t, "tmpfs", source)
	writeFile(t, source+"/file", "of the host")
	for _, access := range []string{"rw", "ro"} {
		for _, users := range []string{"no", "pick"} {
			t.Run(access+"/"+users, func(t *testing.T) {
				c := begin(t, root, append([]string{"--private-users=" + users}, sleeper...)...)
				leader := c.init()
				target := "/mnt/" + access + users
				must(t, os.MkdirAll(root+target, 0o755))
				command(t, "sh", "-ec", propagate, "sh", "web", source, fmt.Sprint(leader), target, access)
				inside := fmt.Sprintf("/proc/%d/root%s", leader, target)
				data, err := os.ReadFile(inside + "/file")
				if err != nil || string(data) != "of the host" {
					t.Errorf("%q, %v", data, err)
				}
				if err := os.WriteFile(inside+"/new", nil, 0o644); (err == nil) != (access == "rw") {
					t.Errorf("writing to it: %v", err)
				}
				entries, err := os.ReadDir("/run/systemd/nspawn/propagate/web")
				must(t, err)
				if len(entries) > 0 {
					t.Errorf("on the host: %v", entries)
				}
				mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", leader))
				must(t, err)
				if got := strings.Count(string(mounts), target+" "); got != 1 {
					t.Errorf("mounted %d times", got)
				}
				// What the container mounts there stays inside.
				command(t, "nsenter", "--target", fmt.Sprint(leader), "--mount", "--root", "--wd=/", "/bin/sh", "-c", "mount -t tmpfs inside /run/host/incoming")
				if found := mountPoints(t); strings.Contains(strings.Join(found, " "), "propagate") {
					t.Errorf("it reaches the host: %q", found)
				}
				c.kill()
				cleanup(t, root)
				clean(t, root, source)
			})
		}
	}
}

// What systemd-machined left amid a bind hinders neither the next start nor --cleanup.
func TestIncomingLeftOver(t *testing.T) {
	root := newRoot(t, "web")
	const leave = `directory=/run/systemd/nspawn/propagate/web; mkdir $directory/mounted $directory/empty; touch $directory/file
		mount -t tmpfs test $directory/mounted; mount --bind /etc/passwd $directory/file`
	for _, remove := range []func(){func() { cleanup(t, root) }, func() { shell(t, root, "true") }} {
		c := begin(t, root, sleeper...)
		command(t, "sh", "-ec", leave)
		c.kill()
		remove()
		clean(t, root)
	}
	c := begin(t, root, sleeper...)
	command(t, "sh", "-ec", leave)
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGTERM)
	c.wait()
	clean(t, root)
	if info, err := os.Stat("/etc/passwd"); err != nil || info.Size() == 0 {
		t.Errorf("what was mounted is gone: %v", err)
	}
}

// The host's root makes files in the root directory of a container with users of its own, and gives them to its root, as
// systemd-machined does for "machinectl copy-to".
func TestHostRootWrites(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, sleeper...)
	file := fmt.Sprintf("/proc/%d/root/root/file", c.init())
	must(t, os.WriteFile(file, []byte("x"), 0o640))
	start, err := strconv.Atoi(strings.Fields(uidMap(t, c.init()))[1])
	must(t, err)
	must(t, os.Chown(file, start, start))
	if info, err := os.Stat(root + "/root/file"); err != nil || owner(info.Sys().(*syscall.Stat_t)) != "0:0" {
		t.Errorf("on disk: %v, %v", info, err)
	}
}
