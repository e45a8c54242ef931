package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	chownStart = 655360
	busyStart  = 0xFFFE0000
)

func chownTo(start uint32) []string {
	return []string{fmt.Sprintf("--private-users=%d", start), "--private-users-ownership=chown", "--resolv-conf=off", "--timezone=off", "--link-journal=no"}
}

// chownRoot makes a root directory with everything that a tree can have, in which everything is made already that a start makes.
func chownRoot(t *testing.T, directory string) string {
	t.Helper()
	root := filepath.Join(directory, "web")
	command(t, "cp", "-a", newMergedRoot(t, "web")+"/.", mkdir(t, root))
	furnishRichly(t, root)
	shell(t, root, "true", append(chownTo(0), "--private-users-ownership=off")...)
	if r := finish(t, oracle(t, root, "--private-users=0", "--link-journal=no", "/bin/true")); r.status != 0 {
		t.Fatalf("systemd-nspawn: %s", r.stderr)
	}
	forgetOracle(t)
	return root
}

// forgetOracle removes what systemd-nspawn leaves.
func forgetOracle(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	must(t, os.RemoveAll("/run/cgroup"))
}

func attributeOf(t *testing.T, path, name string) string {
	t.Helper()
	buffer := make([]byte, 1000)
	n, err := unix.Lgetxattr(path, name, buffer)
	must(t, err)
	return fmt.Sprintf("%x", buffer[:n])
}

func ownerOf(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return st.Uid, st.Gid
}

// withoutCapabilities leaves out what systemd-nspawn loses.
func withoutCapabilities(digest string) string {
	return regexp.MustCompile(` security\.capability=[0-9a-f]*`).ReplaceAllString(digest, "")
}

// There, elsewhere and back, on every file system; by systemd-nspawn the same but for capabilities.
func TestChown(t *testing.T) {
	needKernel(t)
	for _, fstype := range []string{"ext4", "xfs", "btrfs", "tmpfs"} {
		t.Run(fstype, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk")
			newFileSystem(t, fstype, disk)
			root := chownRoot(t, disk)
			before := fullDigest(t, root)
			const look = `stat -c '%n %a %u:%g' / /srv/one /srv/sticky /srv/absolute; ls -ln /srv | grep -c dangling`
			if got, want := shell(t, root, look, chownTo(chownStart)...), "/ 755 0:0\n/srv/one 4771 1000:1001\n/srv/sticky 3755 0:0\n/srv/absolute 777 0:0\n1"; got != want {
				t.Errorf("inside %q, want %q", got, want)
			}
			if uid, gid := ownerOf(t, root+"/srv/dangling"); uid != chownStart+5 || gid != chownStart+6 {
				t.Errorf("a link belongs to %d:%d", uid, gid)
			}
			if got, want := attributeOf(t, root+"/usr/capable", "security.capability"), "0100000300200000000000000000000000000000"+"00000a00"; got != want {
				t.Errorf("capability %s, want %s", got, want)
			}
			ours := fullDigest(t, root)
			shell(t, root, "true", chownTo(2*chownStart)...)
			shell(t, root, "true", chownTo(0)...)
			if got := fullDigest(t, root); withoutTimes(got) != withoutTimes(before) {
				t.Errorf("not undone:\n%s", firstDifference(withoutTimes(before), withoutTimes(got)))
			}
			if r := finish(t, oracle(t, root, append(chownTo(chownStart), "--private-network", "/bin/true")...)); r.status != 0 {
				t.Errorf("systemd-nspawn: %s", r.stderr)
			}
			forgetOracle(t)
			theirs := withoutTimes(withoutCapabilities(fullDigest(t, root)))
			if ours = withoutTimes(withoutCapabilities(ours)); ours != theirs {
				t.Errorf("systemd-nspawn differs:\n%s", firstDifference(theirs, ours))
			}
			clean(t, root, disk)
		})
	}
}

// Nothing outside, nothing that is mounted inside, and no other name of the host changes its owner.
func TestChownStaysInside(t *testing.T) {
	root := newMergedRoot(t, "web")
	outside := newOutside(t)
	writeFile(t, outside+"/file", "of the host\n")
	for name, target := range map[string]string{"a": outside, "b": "../../../../../../.." + outside + "/file", "c": "/proc/1/root" + outside} {
		must(t, os.Symlink(target, filepath.Join(root, "etc", name)))
	}
	must(t, os.Mkdir(root+"/mnt", 0o755))
	bindMount(t, outside, root+"/mnt")
	before := digest(t, outside)
	shell(t, root, "true", chownTo(chownStart)...)
	if after := digest(t, outside); after != before {
		t.Errorf("outside changed:\n%s", firstDifference(before, after))
	}
	for _, name := range []string{"", "/etc/a", "/etc/b", "/etc/c"} {
		if uid, _ := ownerOf(t, root+name); uid != chownStart {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
	clean(t, root, root+"/mnt")
}

// While a tree is changed somebody exchanges directories and links in it.
func TestChownOfMovingTree(t *testing.T) {
	root := newMergedRoot(t, "web")
	outside := newOutside(t)
	writeFile(t, outside+"/file", "of the host\n")
	before := digest(t, outside)
	must(t, os.Mkdir(root+"/srv", 0o755))
	for i := range 50 {
		writeFile(t, fmt.Sprintf("%s/srv/d%d/file", root, i), "")
	}
	must(t, os.Symlink(outside, root+"/srv/link"))
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i = (i + 1) % 50 {
			select {
			case <-done:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, root+"/srv/link", unix.AT_FDCWD, fmt.Sprintf("%s/srv/d%d", root, i), unix.RENAME_EXCHANGE)
			}
		}
	}()
	for i := range 20 {
		run(t, root, append(chownTo(uint32(i%2+1)*chownStart), "/bin/true")...)
	}
	close(done)
	<-stopped
	if after := digest(t, outside); after != before {
		t.Errorf("outside changed:\n%s", firstDifference(before, after))
	}
}

// Killed at any moment, finished by the next start: ours or systemd-nspawn's. No set-user-ID bit or capability is lost on the way.
func TestChownKilled(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	needKernel(t)
	newFileSystem(t, "ext4", disk)
	root := chownRoot(t, disk)
	for i := range 300 {
		name := fmt.Sprintf("%s/srv/many/file%d", root, i)
		writeFile(t, name, "")
		must(t, os.Chown(name, i, i))
		must(t, os.Chmod(name, 0o755|fs.ModeSetuid))
		must(t, unix.Lsetxattr(name, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	}
	shell(t, root, "true", chownTo(chownStart)...)
	want := withoutTimes(fullDigest(t, root))
	half := 0
	for i := range 20 {
		shell(t, root, "true", chownTo(0)...)
		cmd := nspawn(root, append(chownTo(chownStart), "/bin/true")...)
		killAfter(t, cmd, time.Duration(rand.IntN(25_000))*time.Microsecond)
		uid, _ := ownerOf(t, root)
		if uid == busyStart {
			half++
			refused(t, run(t, root, "--private-users=pick", "--private-users-ownership=off", "/bin/echo", "payload runs"), root, "interrupted", "chown")
		}
		if uid == busyStart && i%4 == 3 {
			if r := finish(t, oracle(t, root, append(chownTo(chownStart), "--private-network", "/bin/true")...)); r.status != 0 {
				t.Fatalf("systemd-nspawn: %s", r.stderr)
			}
			forgetOracle(t)
			if uid, _ := ownerOf(t, root); uid != chownStart {
				t.Errorf("systemd-nspawn leaves the owner %d", uid)
			}
		}
		cleanup(t, root)
		shell(t, root, "true", chownTo(chownStart)...)
		if got := withoutTimes(fullDigest(t, root)); i%4 != 3 && got != want {
			t.Fatalf("after a kill:\n%s", firstDifference(want, got))
		}
		if i%4 == 3 { // systemd-nspawn loses capabilities
			restoreMany(t, root)
		}
		clean(t, root, disk)
	}
	if half < 3 {
		t.Errorf("only %d of 20 kills were in the middle: this test tests nothing", half)
	}
}

// A file from which a killed supervisor had taken something already.
func TestChownGivesBack(t *testing.T) {
	root := newMergedRoot(t, "web")
	const sets = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	file := root + "/usr/both"
	must(t, os.WriteFile(file, nil, 0o755))
	must(t, os.Chown(file, chownStart+5, chownStart+6))
	must(t, unix.Lsetxattr(file, "trusted.nspawnkit.chown", []byte("\xed\x89\x00\x00"+sets), 0)) // a file of mode 4755
	must(t, os.Chown(root, busyStart, busyStart))
	shell(t, root, "true", chownTo(chownStart)...)
	info, err := os.Stat(file)
	must(t, err)
	if uid, gid := ownerOf(t, file); info.Mode() != 0o755|fs.ModeSetuid || uid != chownStart+5 || gid != chownStart+6 {
		t.Errorf("mode %v, owner %d:%d", info.Mode(), uid, gid)
	}
	if got := attributeOf(t, file, "security.capability"); !strings.HasSuffix(got, "00000a00") {
		t.Errorf("capability %s", got)
	}
	if _, err := unix.Lgetxattr(file, "trusted.nspawnkit.chown", nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("the note stays: %v", err)
	}
}

func restoreMany(t *testing.T, root string) {
	t.Helper()
	shell(t, root, "true", chownTo(0)...)
	capability := []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	names, err := filepath.Glob(root + "/srv/many/*")
	must(t, err)
	for _, name := range append(names, root+"/usr/capable") {
		if err := unix.Lremovexattr(name, "trusted.nspawnkit.chown"); err != nil && !errors.Is(err, unix.ENODATA) {
			t.Fatal(err)
		}
		must(t, unix.Lsetxattr(name, "security.capability", capability, 0))
		if name != root+"/usr/capable" {
			must(t, os.Chmod(name, 0o755|fs.ModeSetuid))
		}
	}
}

// A long change shows how far it is and ends at SIGTERM; the next start finishes it and says so in one line.
func TestChownShowsProgress(t *testing.T) {
	needKernel(t)
	disk := filepath.Join(t.TempDir(), "disk")
	newFileSystem(t, "tmpfs", disk)
	root := filepath.Join(disk, "web")
	command(t, "cp", "-a", newMergedRoot(t, "web"), disk)
	for i := range 20000 {
		if i%1000 == 0 {
			mkdir(t, fmt.Sprintf("%s/srv/%d", root, i/1000))
		}
		must(t, os.WriteFile(fmt.Sprintf("%s/srv/%d/%d", root, i/1000, i), nil, 0o600))
	}
	terminal, name := newTerminal(t)
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	cmd := nspawn(root, append(chownTo(chownStart), "/bin/echo", "payload runs")...)
	cmd.Args = removed(cmd.Args, "--quiet")
	cmd.Stderr = slave
	must(t, cmd.Start())
	slave.Close()
	eventually(t, "it is begun", func() bool { uid, _ := ownerOf(t, root); return uid == busyStart })
	must(t, cmd.Process.Signal(syscall.SIGSTOP))
	time.Sleep(1100 * time.Millisecond) // it shows something once a second
	must(t, cmd.Process.Signal(syscall.SIGCONT))
	shown := readUntil(t, terminal, "files")
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	shown += readUntil(t, terminal, "interrupted")
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(shown, "Changing the owners in "+root+": ") {
		t.Errorf("status %d, shown %q", cmd.ProcessState.ExitCode(), shown)
	}
	if uid, gid := ownerOf(t, root); uid != busyStart || gid != busyStart {
		t.Errorf("half changed, it belongs to %d:%d", uid, gid)
	}
	clean(t, root, disk)

	cmd = nspawn(root, "--private-users-ownership=auto", "/bin/true")
	cmd.Env = append(cmd.Env, "SYSTEMD_LOG_TARGET=console-prefixed")
	r := finish(t, cmd)
	pattern := regexp.MustCompile(`^<6>Changed the owners in ` + root + ` to the users from \d+ on: 20\d\d\d files in \d+\.\d s\.\n$`)
	if r.status != 0 || !pattern.MatchString(r.stderr) {
		t.Errorf("status %d, said %q", r.status, r.stderr)
	}
	if uid, _ := ownerOf(t, root+"/srv/7/7007"); uid == 0 || uid%65536 != 0 {
		t.Errorf("a file belongs to %d", uid)
	}
	clean(t, root, disk)
}

// What cannot be changed is named, and nothing is said to be done.
func TestChownRefused(t *testing.T) {
	root := newMergedRoot(t, "web")
	shared := filepath.Join(filepath.Dir(root), "read-only")
	must(t, os.Mkdir(shared, 0o755))
	bindMount(t, root, shared)
	must(t, syscall.Mount("", shared, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for name, test := range map[string]struct {
		root    string
		options string
		texts   []string
	}{
		"--read-only": {root, "--read-only --private-users-ownership=chown", []string{"--private-users-ownership: ", root, "--read-only"}},
		"--volatile":  {root, "--volatile=overlay --private-users-ownership=chown", []string{"--private-users-ownership: ", root, "--volatile"}},
		"few users":   {root, "--private-users=655360:1000 --private-users-ownership=chown", []string{root, "1000 from 655360"}},
		"no multiple": {root, "--private-users=655361 --private-users-ownership=chown", []string{root, "from 655361"}},
		"read-only":   {shared, "--private-users-ownership=chown", []string{"--private-users-ownership: ", shared, "read-only file system"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, test.root, append(strings.Fields(test.options), "/bin/echo", "payload runs")...), test.texts...)
			if uid, _ := ownerOf(t, root); uid != 0 {
				t.Errorf("the tree belongs to %d", uid)
			}
			clean(t, root, shared)
		})
	}
}

// newTerminal makes a terminal and returns its other end and its name.
func newTerminal(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // not blocking: with deadlines
	must(t, err)
	terminal := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { terminal.Close() })
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	return terminal, fmt.Sprintf("/dev/pts/%d", number)
}

// readUntil returns what is written until a text appears.
func readUntil(t *testing.T, terminal *os.File, text string) string {
	t.Helper()
	must(t, terminal.SetReadDeadline(time.Now().Add(patience)))
	var got strings.Builder
	buffer := make([]byte, 1000)
	for !strings.Contains(got.String(), text) {
		n, err := terminal.Read(buffer)
		if err != nil {
			t.Fatalf("no %q in %q: %v", text, got.String(), err)
		}
		got.Write(buffer[:n])
	}
	return got.String()
}
