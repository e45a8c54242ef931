package main_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// CVE-2019-5736: whoever holds /proc/PID/exe of the process that became the container cannot write to the installed program.
func TestProgramCannotBeOverwritten(t *testing.T) {
	for _, users := range []string{"pick", "no"} {
		t.Run("private-users="+users, func(t *testing.T) {
			root := newRoot(t, "web")
			before := hash(t, program("nspawn-exec"))
			exe := stageProgram(t, root, "--private-users="+users)
			defer exe.Close()
			// Its process has ended by now: no "text file busy" protects it.
			path := fmt.Sprintf("/proc/self/fd/%d", exe.Fd())
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				file.Close()
			}
			if !errors.Is(err, syscall.EROFS) {
				t.Errorf("open %s for writing: %v", path, err)
			}
			// A payload that executes what is at /proc/self/exe while it is being started.
			must(t, os.WriteFile(root+"/bin/evil", []byte("#!/proc/self/exe\n"), 0o755))
			refused(t, run(t, root, "--private-users="+users, "/bin/evil"))
			if !bytes.Equal(before, hash(t, program("nspawn-exec"))) {
				t.Error("the program was changed")
			}
		})
	}
}

// stageProgram opens /proc/PID/exe of a container's first process before it executes the payload.
func stageProgram(t *testing.T, root string, options ...string) *os.File {
	t.Helper()
	for range 200 {
		c := launch(t, nspawn(root, append(options, sleeper...)...))
		var init int
		eventually(t, "there is a first process", func() bool { init = c.init(); return init != 0 })
		_ = c.cmd.Process.Signal(syscall.SIGSTOP)
		var file *os.File
		isStage := func() bool {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", init))
			return string(line) == "(nspawn-exec)\x00"
		}
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline) && file == nil; {
			if isStage() {
				if file, _ = os.Open(fmt.Sprintf("/proc/%d/exe", init)); !isStage() {
					file = nil
				}
			} else {
				time.Sleep(time.Millisecond)
			}
		}
		_ = c.cmd.Process.Signal(syscall.SIGCONT)
		c.kill()
		if file != nil {
			return file
		}
	}
	t.Fatal("the first process was never seen")
	return nil
}

func hash(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	sum := sha256.Sum256(data)
	return sum[:]
}

// CVE-2024-21626: no descriptor and no working directory of the host reaches the payload.
func TestLeakedDescriptors(t *testing.T) {
	root := newRoot(t, "web")
	hostile := newOutside(t)
	cmd := nspawn(root, "/bin/sh", "-c", "ls /proc/self/fd; readlink /proc/self/cwd; readlink /proc/1/cwd")
	cmd.Dir = hostile
	for range 18 { // 3 to 20
		file, err := os.Open(hostile)
		must(t, err)
		defer file.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	r := finish(t, cmd)
	if got := strings.Join(strings.Fields(r.stdout), " "); got != "0 1 2 3 / /" { // 3 is ls reading the directory
		t.Errorf("got %q; %s", got, r.stderr)
	}
	for fd := range 40 {
		cmd := nspawn(root, fmt.Sprintf("--chdir=/proc/self/fd/%d", fd), "/bin/sh", "-c", "echo payload runs; readlink /proc/self/cwd; ls -a")
		cmd.Dir = hostile
		file, err := os.Open(hostile)
		must(t, err)
		defer file.Close()
		for range 18 {
			cmd.ExtraFiles = append(cmd.ExtraFiles, file)
		}
		refused(t, finish(t, cmd), "change directory")
	}
}

// CVE-2025-31133, CVE-2019-19921, CVE-2023-27561: a link of the image in the place of an API mount point ends the start.
func TestMountPointIsLink(t *testing.T) {
	for _, name := range []string{"proc", "sys", "dev", "run", "tmp"} {
		for kind, target := range map[string]string{"absolute": "", "inside": "etc", "dangling": "nothing"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				root, outside := newRoot(t, "web"), newOutside(t)
				if target == "" {
					target = outside
				}
				must(t, os.Remove(filepath.Join(root, name)))
				must(t, os.Symlink(target, filepath.Join(root, name)))
				before := digest(t, root)
				refused(t, run(t, root, "/bin/echo", "payload runs"), "mount API file systems", "/"+name)
				empty(t, outside)
				if after := digest(t, root); after != before {
					t.Errorf("the tree changed:\n%s", after)
				}
				clean(t, root)
			})
		}
	}
}

// An image without mount points gets them; one with files in their places is refused.
func TestMountPointMissing(t *testing.T) {
	root := newRoot(t, "web")
	for _, name := range []string{"proc", "sys", "dev", "run", "tmp"} {
		must(t, os.Remove(filepath.Join(root, name)))
	}
	if got := shell(t, root, "ls -d /proc/1 /sys/class /dev/null /run/host"); strings.Count(got, "\n") != 3 {
		t.Errorf("got %q", got)
	}
	must(t, os.Remove(root+"/proc"))
	must(t, os.Mkdir(root+"/proc", 0o755))
	must(t, os.Remove(root+"/sys"))
	writeFile(t, root+"/sys", "")
	refused(t, run(t, root, "/bin/echo", "payload runs"), "/sys")
}

// CVE-2021-30465, CVE-2024-45310: a directory on the way to a bind's destination is exchanged for a link all the time.
func TestSymlinkExchange(t *testing.T) {
	root, outside := newRoot(t, "web"), newOutside(t)
	must(t, os.Mkdir(root+"/way", 0o755))
	must(t, os.Symlink(outside, root+"/evil"))
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
				_ = exchange(root+"/way", root+"/evil")
			}
		}
	}()
	starts := 50
	if os.Getenv(longTests) != "" {
		starts = 1000
	}
	for range starts {
		run(t, root, "--tmpfs=/way/new", "--bind=/etc/hostname:/way/file/deep",
			"--bind=+/way:/mnt", "--overlay=+/usr:+/way/upper:/opt", "/bin/sh", "-c", "echo owned >/way/new/made")
	}
	close(done)
	<-stopped
	empty(t, outside)
	clean(t, root)
}

// Mounts made inside never appear on the host, whose own mounts all propagate, also not below binds.
func TestMountsStayInside(t *testing.T) {
	root, shared := newRoot(t, "web"), newOutside(t)
	for _, name := range []string{"a", "b", "c"} {
		must(t, os.Mkdir(filepath.Join(shared, name), 0o777))
		must(t, os.Chmod(filepath.Join(shared, name), 0o777))
	}
	for _, users := range []string{"pick", "no"} {
		c := begin(t, root, "--private-users="+users, "--bind="+shared+":/mnt", "--bind="+shared+"/c:/mnt/c:idmap,norbind", "/bin/sh", "-c",
			`mount -t tmpfs x /mnt/a && mount -t tmpfs x /mnt/c && mount -t tmpfs x /root && mount -t tmpfs x /run/host/unix-export && echo up; exec sleep 1000`)
		own := "/run/systemd/nspawn/unix-export/web"
		if points := removed(mountPoints(t), own); len(points) > 0 || len(mountPoints(t)) != 1 {
			t.Errorf("private-users=%s: mounted on the host: %q", users, mountPoints(t))
		}
		c.signal(syscall.SIGTERM)
		c.wait()
	}
}

// Of the host's file system nothing but the root and the binds can be reached.
func TestHostIsNotVisible(t *testing.T) {
	root := newRoot(t, "web")
	mounts := shell(t, root, "cat /proc/self/mountinfo")
	for _, path := range []string{filepath.Dir(filepath.Dir(root)), program("")} {
		for line := range strings.Lines(mounts) {
			if fields := strings.Fields(line); fields[3] == path || fields[4] == path {
				t.Errorf("mounted inside: %s", line)
			}
		}
	}
	if count := shell(t, root, "ls -d /proc/[0-9]* | grep -c ."); count > "4" || len(count) > 1 {
		t.Errorf("%s processes are visible", count)
	}
	if r := run(t, root, "/bin/sh", "-c", "cat /proc/1/root/../../etc/machine-id"); strings.Contains(r.stdout, hostID) {
		t.Error("the host's files are visible")
	}
}

// CVE-2022-0492: the container sees its own control group as the root and no hierarchy of version 1.
func TestControlGroupNamespace(t *testing.T) {
	root := newRoot(t, "web")
	if got := shell(t, root, "grep -v ':/$' /proc/self/cgroup || echo only roots"); got != "only roots" {
		t.Errorf("control groups of the host show: %s", got)
	}
	if got := shell(t, root, "grep -c ' - cgroup ' /proc/self/mountinfo || true"); got != "0" {
		t.Errorf("%s hierarchies of version 1 are mounted", got)
	}
}
