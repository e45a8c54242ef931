package main_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// hashedWeb is the range that systemd-nspawn 252 takes for the name "web".
const hashedWeb = 1587085312

// pickers are the two programs, each with --private-users=pick.
var pickers = map[string]func(t testing.TB, root string, arguments ...string) *exec.Cmd{
	"nspawn-exec": func(_ testing.TB, root string, arguments ...string) *exec.Cmd {
		return nspawn(root, append([]string{"--private-users=pick", "--link-journal=no"}, arguments...)...)
	},
	"systemd-nspawn": func(t testing.TB, root string, arguments ...string) *exec.Cmd {
		return oracle(t, root, append([]string{"--private-users=pick", "--link-journal=no", "--private-network"}, arguments...)...)
	},
}

// pickedBy starts a container that says what its users are, and stays.
func pickedBy(t *testing.T, program, root string, options ...string) (start uint32, c *container) {
	t.Helper()
	c = launch(t, pickers[program](t, root, append(options, "/bin/sh", "-c", "cat /proc/self/uid_map; echo up; exec sleep 1000")...))
	for line := range c.lines {
		var inside, count uint32
		if n, _ := fmt.Sscan(line, &inside, &start, &count); n == 3 {
			if inside != 0 || count != 65536 || start%65536 != 0 {
				t.Errorf("%s: users %q", program, line)
			}
			break
		}
	}
	c.expect("up")
	return start, c
}

// stopAll ends containers, the last first.
func stopAll(t *testing.T, containers ...*container) {
	t.Helper()
	for _, c := range containers {
		c.signal(syscall.SIGTERM)
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.wait()
	}
	_ = os.RemoveAll("/run/systemd/nspawn")
	_ = os.RemoveAll("/run/systemd/nspawn-uid")
	_ = os.RemoveAll("/run/cgroup")
}

// Containers of one name in different folders: ours and systemd-nspawn's never get the same users, whoever comes first.
func TestPickBesideSystemdNspawn(t *testing.T) {
	for first := range pickers {
		for second := range pickers {
			if first == "nspawn-exec" && second == first {
				continue // it lets nobody have its name
			}
			t.Run(first+" then "+second, func(t *testing.T) {
				one, a := pickedBy(t, first, newMergedRoot(t, "web"))
				other, b := pickedBy(t, second, newMergedRoot(t, "web"))
				if one != hashedWeb || other == one || other < 0x80000 || other > 0x6FFF0000 {
					t.Errorf("the first has %d, the second %d", one, other)
				}
				stopAll(t, b, a)
			})
		}
	}
}

// A range that a user or group of the host is in is not taken.
func TestPickAsksDatabases(t *testing.T) {
	needKernel(t)
	const record = `{"userName": "known", "uid": %d, "gid": %[1]d, "disposition": "regular"}`
	for name, test := range map[string]struct{ file, text string }{
		"first user":      {"/etc/passwd", "known:x:%d:65534::/:/bin/sh\n"},
		"last user":       {"/etc/passwd", "known:x:%d:65534::/:/bin/sh\n"},
		"first group":     {"/etc/group", "known:x:%d:\n"},
		"last group":      {"/etc/group", "known:x:%d:\n"},
		"by user records": {"", record},
		"by a service":    {"service", ""},
	} {
		for program := range pickers {
			t.Run(name+", "+program, func(t *testing.T) {
				id := hashedWeb
				if strings.HasPrefix(name, "last") {
					id += 0xFFFE
				}
				text := fmt.Sprintf(test.text, id)
				if test.file == "service" {
					serveUser(t, id)
				} else if test.file == "" {
					writeFile(t, "/run/userdb/known.user", text)
					must(t, os.Symlink("known.user", fmt.Sprintf("/run/userdb/%d.user", id)))
					t.Cleanup(func() { os.RemoveAll("/run/userdb") })
				} else {
					data, err := os.ReadFile(test.file)
					must(t, err)
					changed := filepath.Join(t.TempDir(), "database")
					writeFile(t, changed, string(data)+text)
					bindMount(t, changed, test.file)
				}
				start, c := pickedBy(t, program, newMergedRoot(t, "web"))
				if start == hashedWeb {
					t.Error("it has the range of a known user")
				}
				stopAll(t, c)
			})
		}
	}
}

// serveUser is a service of the host's user database that knows one user.
func serveUser(t *testing.T, id int) {
	t.Helper()
	const socket = "/run/systemd/userdb/org.example.Test"
	must(t, os.MkdirAll(filepath.Dir(socket), 0o755))
	listener, err := net.Listen("unix", socket)
	must(t, err)
	t.Cleanup(func() { listener.Close(); os.RemoveAll(filepath.Dir(socket)) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerUser(conn, id)
		}
	}()
}

func answerUser(conn net.Conn, id int) {
	defer conn.Close()
	for calls := bufio.NewReader(conn); ; {
		call, err := calls.ReadString(0)
		if err != nil {
			return
		}
		answer := `{"error":"io.systemd.UserDatabase.NoRecordFound"}`
		if strings.Contains(call, fmt.Sprintf(`"uid":%d`, id)) && strings.Contains(call, `"org.example.Test"`) {
			answer = fmt.Sprintf(`{"parameters":{"record":{"userName":"known","uid":%d,"gid":%[1]d,"disposition":"regular","service":"org.example.Test"},"incomplete":false}}`, id)
		}
		_, _ = conn.Write([]byte(answer + "\x00"))
	}
}

// A tree that belongs to a range keeps it, unless somebody uses it: then it gets another, and its owners are changed.
func TestPickReusesOwner(t *testing.T) {
	for program := range pickers {
		t.Run(program, func(t *testing.T) {
			const owned = 0x100000
			root, other := newMergedRoot(t, "web"), newMergedRoot(t, "other")
			shell(t, root, "true", "--private-users=1048576", "--private-users-ownership=chown", "--link-journal=no")
			shell(t, other, "true", "--private-users=1048576", "--private-users-ownership=chown", "--link-journal=no")
			one, a := pickedBy(t, program, root)
			two, b := pickedBy(t, program, other)
			if one != owned || two == owned {
				t.Errorf("picked %d and %d", one, two)
			}
			for directory, want := range map[string]uint32{root: one, other: two} {
				for _, name := range []string{"", "/etc/inside"} {
					if uid, gid := ownerOf(t, directory+name); uid != want || gid != want {
						t.Errorf("%s belongs to %d:%d, want %d", directory+name, uid, gid, want)
					}
				}
			}
			stopAll(t, b, a)
		})
	}
}

// A range that somebody named is nobody's to pick.
func TestNamedRangeIsLocked(t *testing.T) {
	for program := range pickers {
		c := begin(t, newMergedRoot(t, "other"), append([]string{fmt.Sprintf("--private-users=%d", hashedWeb)}, sleeper...)...)
		start, second := pickedBy(t, program, newMergedRoot(t, "web"))
		if start == hashedWeb {
			t.Errorf("%s picks the range in use", program)
		}
		stopAll(t, second, c)
	}
}

// foreignRoot makes a tree that belongs to the users of shared images.
func foreignRoot(t *testing.T) string {
	t.Helper()
	root := newMergedRoot(t, "web")
	must(t, os.MkdirAll(root+"/opt/lower", 0o755))
	must(t, os.MkdirAll(root+"/opt/upper", 0o755))
	command(t, "chown", "-hR", fmt.Sprintf("%d:%[1]d", 0x7FFE0000), root)
	must(t, os.Chown(root+"/etc/inside", 0x7FFE0000+33, 0x7FFE0000+34))
	return root
}

// Shared images show the users of the container, and get their own.
func TestForeign(t *testing.T) {
	needKernel(t)
	for _, options := range []string{"--private-users-ownership=foreign", "--private-users-ownership=auto", "-U", "--private-users=655360 --private-users-ownership=foreign"} {
		root := foreignRoot(t)
		const script = `stat -c %u:%g / /etc/inside; touch /new /mnt/new /srv/new; chown 5:6 /new; cat /mnt/inside; stat -c %u:%g /mnt/inside /srv`
		got := shell(t, root, script, append(strings.Fields(options), "--bind=+/etc:/mnt", "--overlay=+/opt/lower:+/opt/upper:/srv")...)
		if want := "0:0\n33:34\nof the image\n33:34\n0:0"; got != want {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
		for name, want := range map[string]uint32{"": 0, "/new": 5, "/etc/new": 0, "/opt/upper/new": 0, "/etc/inside": 33} {
			if uid, _ := ownerOf(t, root+name); uid != 0x7FFE0000+want {
				t.Errorf("%s: %s belongs to %d on disk", options, name, uid)
			}
		}
		clean(t, root)
	}
}

// Where a file system cannot be id-mapped, auto changes owners, and map says which it is. An overlay over it would show the same
// owners: the kernel maps neither the overlay nor the layer.
func TestUnmappable(t *testing.T) {
	for fstype, mount := range map[string]func(t *testing.T, directory string){
		"ramfs": func(t *testing.T, directory string) { mustMount(t, "ramfs", directory) },
		"overlay": func(t *testing.T, directory string) {
			layers := t.TempDir()
			for _, layer := range []string{"lower", "upper", "work"} {
				must(t, os.Mkdir(filepath.Join(layers, layer), 0o755))
			}
			command(t, "mount", "-t", "overlay", "-o", fmt.Sprintf("lowerdir=%s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", layers), "overlay", directory)
			t.Cleanup(func() { command(t, "umount", directory) })
		},
	} {
		t.Run(fstype, func(t *testing.T) {
			disk := t.TempDir()
			mount(t, disk)
			root := filepath.Join(disk, "web")
			command(t, "cp", "-a", newMergedRoot(t, "web"), disk)
			refused(t, run(t, root, "--private-users-ownership=map", "/bin/echo", "payload runs"),
				"--private-users-ownership: ", root, "file system "+fstype, "write --private-users-ownership=chown")
			refused(t, run(t, root, "-U", "--read-only", "/bin/echo", "payload runs"), root, "file system "+fstype, "--read-only")
			if uid, _ := ownerOf(t, root); uid != 0 {
				t.Errorf("a refused start changes the owner to %d", uid)
			}
			cmd := nspawn(root, "-U", "--link-journal=no", "/bin/stat", "-c", "%u", "/", "/etc/inside")
			cmd.Env = append(cmd.Env, "SYSTEMD_LOG_TARGET=console-prefixed")
			r := finish(t, cmd)
			if r.stdout != "0\n0\n" || !strings.Contains(r.stderr, "file system "+fstype) || !strings.Contains(r.stderr, "<6>Changed the owners in "+root) {
				t.Errorf("auto: %q, %s", r.stdout, r.stderr)
			}
			if uid, _ := ownerOf(t, root+"/etc/inside"); uid != hashedWeb {
				t.Errorf("a file belongs to %d", uid)
			}
			if got := shell(t, root, "stat -c %u /etc/inside"); got != "0" {
				t.Errorf("at the second start it belongs to %s", got)
			}
			theirs := filepath.Join(disk, "theirs")
			command(t, "cp", "-a", newMergedRoot(t, "web"), theirs)
			if r := finish(t, pickers["systemd-nspawn"](t, theirs, "--machine=web", "/bin/stat", "-c", "%u", "/etc/inside")); r.stdout != "0\n" {
				t.Errorf("systemd-nspawn: %q %s", r.stdout, r.stderr)
			}
			if uid, _ := ownerOf(t, theirs+"/etc/inside"); uid != hashedWeb {
				t.Errorf("systemd-nspawn leaves a file to %d", uid)
			}
			stopAll(t)
			clean(t, root, disk)
		})
	}
}

// What cannot be mapped below the root directory is named, too.
func TestUnmappableBelow(t *testing.T) {
	root := newMergedRoot(t, "web")
	must(t, os.Mkdir(root+"/srv", 0o755))
	mustMount(t, "ramfs", root+"/srv")
	refused(t, run(t, root, "/bin/echo", "payload runs"), root+"/srv", "file system ramfs")
	if uid, _ := ownerOf(t, root); uid != 0 {
		t.Errorf("the tree belongs to %d", uid)
	}
	clean(t, root, root+"/srv")
}

// Ephemeral copies and new trees are made to belong to the users picked, their originals are not.
func TestChownOfCopies(t *testing.T) {
	root := newMergedRoot(t, "web")
	before := digest(t, root)
	if got := shell(t, root, "stat -c %u / /etc/inside", "-x", "--private-users-ownership=chown"); got != "0\n0" {
		t.Errorf("inside %q", got)
	}
	made := filepath.Join(filepath.Dir(root), "made")
	if got := shell(t, made, "stat -c %u / /etc/inside", "--template="+root, "--private-users-ownership=chown"); got != "0\n0" {
		t.Errorf("inside %q", got)
	}
	if after := digest(t, root); after != before {
		t.Errorf("the original changed:\n%s", firstDifference(before, after))
	}
	var st unix.Stat_t
	must(t, unix.Lstat(made+"/etc/inside", &st))
	if st.Uid == 0 {
		t.Error("the new tree belongs to the host")
	}
	clean(t, root)
}

// A share of the host whose file system cannot be id-mapped, as NFS: a bind of it works, and says why its owners are nobody's, and
// what helps helps.
func TestBindOfUnmappable(t *testing.T) {
	root, share := newMergedRoot(t, "web"), t.TempDir()
	mustMount(t, "ramfs", share)
	writeFile(t, share+"/file", "of the share\n")
	r := run(t, root, "--bind="+share+":/mnt", "/bin/cat", "/mnt/file")
	want := fmt.Sprintf("--bind: %s belongs to the user 0 of the host, which shows up as nobody in the container, and the kernel cannot id-map its file system, ramfs; "+
		"give the files to the container's users, %d to %d, or write %[1]s:/mnt:noidmap to leave them as they are\n", share, hashedWeb, hashedWeb+65535)
	if r.stdout != "of the share\n" || r.stderr != want {
		t.Errorf("status %d, output %q, said %q", r.status, r.stdout, r.stderr)
	}
	if r := run(t, root, "--bind="+share+":/mnt:noidmap", "/bin/cat", "/mnt/file"); r.stdout != "of the share\n" || r.stderr != "" {
		t.Errorf("noidmap: %q, said %q", r.stdout, r.stderr)
	}
	refused(t, run(t, root, "--bind="+share+":/mnt:idmap", "/bin/echo", "payload runs"), "--bind: ", share, "file system ramfs", "write noidmap")
	must(t, os.Chown(share, hashedWeb, hashedWeb))
	if r := run(t, root, "--bind="+share+":/mnt", "/bin/sh", "-c", "touch /mnt/new && stat -c %u /mnt/new"); r.stdout != "0\n" || r.stderr != "" {
		t.Errorf("its own: %q, said %q", r.stdout, r.stderr)
	}
	clean(t, root, share)
}
