package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nsresourced = "/run/systemd/io.systemd.NamespaceResource"

// serveUsers stands for systemd-nsresourced: it maps one of the ranges after the other, the last ones again and again, into the
// user namespaces that it is given.
func serveUsers(t *testing.T, starts ...uint32) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(nsresourced), 0o755))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: nsresourced, Net: "unix"})
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			answer := "{\"parameters\":{}}\x00"
			if err := mapUsers(conn, starts[0]); err != nil {
				answer = fmt.Sprintf("{\"error\":\"io.systemd.System\",\"parameters\":{\"why\":%q}}\x00", err)
			}
			if len(starts) > 1 {
				starts = starts[1:]
			}
			_, _ = conn.Write([]byte(answer))
			conn.Close()
		}
	}()
}

func mapUsers(conn *net.UnixConn, start uint32) error {
	message, oob := make([]byte, 4096), make([]byte, 64)
	n, oobn, _, _, err := conn.ReadMsgUnix(message, oob)
	if err != nil {
		return err
	}
	var call struct {
		Parameters struct{ DelegateContainerRanges uint32 }
	}
	if err := json.Unmarshal(bytes.TrimSuffix(message[:n], []byte{0}), &call); err != nil {
		return err
	}
	if start == 0 {
		return fmt.Errorf("no range is free")
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d control messages: %w", len(messages), err)
	}
	files, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	defer syscall.Close(files[0])
	wanted, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", files[0]))
	if err != nil {
		return err
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, process := range processes {
		if namespace, _ := os.Readlink(process + "/ns/user"); namespace == wanted {
			text := fmt.Sprintf("0 %d 65536\n", start)
			for i := range call.Parameters.DelegateContainerRanges {
				text += fmt.Sprintf("%[1]d %[1]d 65536\n", start+(i+1)<<16)
			}
			if err := os.WriteFile(process+"/gid_map", []byte(text), 0); err != nil {
				return err
			}
			return os.WriteFile(process+"/uid_map", []byte(text), 0)
		}
	}
	return fmt.Errorf("nobody is in the user namespace")
}

// The range comes from the service, whatever the tree belongs to, and is kept as long as the container runs.
func TestManagedUsers(t *testing.T) {
	needKernel(t)
	const start = 0x300000
	for name, test := range map[string]struct {
		make    func(*testing.T) string
		options string
		onDisk  uint32 // owner afterwards
	}{
		"host's": {func(t *testing.T) string { return newMergedRoot(t, "web") }, "", 0},
		"shared": {foreignRoot, "", 0x7FFE0000},
		"chown":  {func(t *testing.T) string { return newMergedRoot(t, "web") }, "--private-users-ownership=chown", start},
	} {
		t.Run(name, func(t *testing.T) {
			serveUsers(t, start)
			root := test.make(t)
			options := append([]string{"--private-users=managed"}, strings.Fields(test.options)...)
			c := launch(t, nspawn(root, append(options, "/bin/sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /; echo up; exec sleep 1000")...))
			for range 2 {
				if got := strings.Join(strings.Fields(<-c.lines), " "); got != fmt.Sprintf("0 %d 65536", start) {
					t.Errorf("users %q", got)
				}
			}
			c.expect("0")
			c.expect("up")
			held := 0
			links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.cmd.Process.Pid))
			for _, link := range links {
				if target, _ := os.Readlink(link); strings.HasPrefix(target, "user:") {
					held++
				}
			}
			if held != 1 {
				t.Errorf("the supervisor holds %d user namespaces", held)
			}
			if uid, _ := ownerOf(t, root); uid != test.onDisk {
				t.Errorf("the tree belongs to %d", uid)
			}
			c.signal(syscall.SIGTERM)
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
			c.wait()
			clean(t, root)
		})
	}
}

// A range that another container has picked is not taken.
func TestManagedUsersInUse(t *testing.T) {
	begin(t, newMergedRoot(t, "other"), append([]string{"--private-users=3145728"}, sleeper...)...)
	serveUsers(t, 3145728, 3211264)
	if got := strings.Fields(shell(t, newMergedRoot(t, "web"), "cat /proc/self/uid_map", "--private-users=managed")); got[1] != "3211264" {
		t.Errorf("users %q", got)
	}
}

func TestManagedUsersRefused(t *testing.T) {
	root := newMergedRoot(t, "web")
	refused(t, run(t, root, "--private-users=managed", "/bin/echo", "payload runs"), "--private-users: managed: ", "systemd-nsresourced.service is not available", nsresourced)
	serveUsers(t, 0)
	refused(t, run(t, root, "--private-users=managed", "/bin/echo", "payload runs"), "--private-users: managed: ", "io.systemd.NamespaceResource.AllocateUserRange", "no range is free")
	clean(t, root)
}

// Ranges that are delegated belong to the very namespace that the service has mapped: it asks the kernel for the parent of one that
// is made inside.
func TestDelegatedUsers(t *testing.T) {
	const start = 0x300000
	for name, options := range map[string]string{
		"plain": "/sbin/init", "stub": "--as-pid2 /sbin/init", "network": "--private-network --network-veth /sbin/init",
		"file": "--read-only --bind=/etc/hosts:/srv /sbin/init", "login": "--boot", // which has a directory in common
	} {
		t.Run(name, func(t *testing.T) {
			serveUsers(t, start)
			mounts, err := net.Listen("unix", filepath.Dir(nsresourced)+"/io.systemd.MountFileSystem")
			must(t, err)
			defer mounts.Close()
			root := newMergedRoot(t, "web")
			const script = `cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/x; chown 3211264:3276800 /tmp/x; stat -c '%u %g' /tmp/x
				touch /run/x /run/host/unix-export/x; chown 3211264:3276800 /run/x; stat -c '%u %g' /run/x /run/host/unix-export/x
				for place in /dev /run /run/host/unix-export; do grep -c " $place [^ ]*,idmapped" /proc/self/mountinfo; done
				stat -L -c %F /run/host/io.systemd.NamespaceResource /run/systemd/userdb/io.systemd.NamespaceResource
				stat -L -c %F /run/varlink/registry/io.systemd.NamespaceResource /run/systemd/io.systemd.NamespaceResource
				stat -L -c %F /run/varlink/registry/io.systemd.MountFileSystem; stat -c '%u %g' /run/varlink/registry
				readlink /proc/self/ns/user; echo up; exec sleep 1000`
			writeFile(t, root+"/sbin/init", "#!/bin/sh\n"+script)
			must(t, os.Chmod(root+"/sbin/init", 0o755))
			writeFile(t, root+"/lib/terminfo/x/xterm-256color", "")
			c := launch(t, nspawn(root, strings.Fields("--private-users=managed --private-users-delegate=2 "+options)...))
			for range 2 {
				for _, want := range []string{"0 3145728 65536", "3211264 3211264 65536", "3276800 3276800 65536"} {
					if got := strings.Join(strings.Fields(<-c.lines), " "); got != want {
						t.Errorf("users %q, want %q", got, want)
					}
				}
			}
			for _, want := range []string{"3211264 3276800", "3211264 3276800", "0 0", "1", "1", "1"} {
				c.expect(want)
			}
			// On disk there is none of the users that systemd-nsresourced hands out, who may not make files that could outlive them.
			for name, want := range map[string]uint32{"": 0x7FFE0000, "x": 0x7FFE0000} {
				if uid, gid := ownerOf(t, "/run/systemd/nspawn/unix-export/web/"+name); uid != want || gid != want {
					t.Errorf("unix-export/%s belongs to %d:%d on disk", name, uid, gid)
				}
			}
			for range 5 {
				c.expect("socket")
			}
			c.expect("0 0")
			inside := <-c.lines
			c.expect("up")
			held := ""
			links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", c.cmd.Process.Pid))
			for _, link := range links {
				if target, _ := os.Readlink(link); strings.HasPrefix(target, "user:") {
					held += target
				}
			}
			if held != inside {
				t.Errorf("the container is in %s, the supervisor holds %s", inside, held)
			}
			for _, first := range []int{start, start + 0x10000, start + 0x20000} {
				if _, err := os.Stat(fmt.Sprintf("/run/systemd/nspawn-uid/%d", first)); err != nil {
					t.Error(err)
				}
			}
			eventually(t, "the container is the supervisor's only child", func() bool { // while it hands over who holds back signals is another
				return len(childrenOf(c.cmd.Process.Pid)) == 1
			})
			_ = c.cmd.Process.Kill()
			c.wait()
			must(t, nspawn(root, "--cleanup").Run())
			clean(t, root)
		})
	}
}

// All temporary file systems are id-mapped, and belong to whom they should.
func TestDelegatedUsersTemporary(t *testing.T) {
	serveUsers(t, 0x300000)
	root := newMergedRoot(t, "web")
	for _, name := range []string{"opt", "mnt", "var"} {
		must(t, os.MkdirAll(filepath.Join(root, name), 0o755))
	}
	got := shell(t, root, `for place in /opt /mnt /var; do
			touch $place/x; stat -c '%u %g' $place $place/x; grep -c " $place [^ ]*,idmapped" /proc/self/mountinfo
		done`, "--private-users=managed", "--private-users-delegate=1", "--tmpfs=/opt:uid=5", "--bind=:/mnt", "--volatile=state")
	if want := "5 0\n0 0\n1\n0 0\n0 0\n1\n0 0\n0 0\n1"; strings.TrimSpace(got) != want {
		t.Errorf("got %q", got)
	}
	clean(t, root)
}

// systemd-nsresourced may forbid what cannot be helped, which is said.
func TestDelegatedUsersWarned(t *testing.T) {
	serveUsers(t, 0x300000)
	root := newMergedRoot(t, "web")
	const text = "its owners are not mapped: with --private-users-delegate= no files can be made in it"
	for options, want := range map[string]bool{"--private-users-delegate=1": false, "--private-users-ownership=chown": false, "--private-users-delegate=1 --private-users-ownership=chown": true} {
		r := run(t, root, append(strings.Fields("--private-users=managed "+options), "/bin/true")...)
		if r.status != 0 || strings.Contains(r.stderr, text) != want {
			t.Errorf("%s: status %d: %s", options, r.status, r.stderr)
		}
		must(t, os.RemoveAll(root))
		root = newMergedRoot(t, "web")
	}
	clean(t, root)
}

func TestDelegatedUsersRefused(t *testing.T) {
	root := newMergedRoot(t, "web")
	refused(t, run(t, root, "--private-users=pick", "--private-users-delegate=1", "/bin/echo", "payload runs"), "--private-users-delegate: needs --private-users=managed")
	refused(t, run(t, root, "--private-users=managed", "--private-users-delegate=17", "/bin/echo", "payload runs"), "--private-users-delegate=17: not between 0 and 16")
	refused(t, run(t, root, "--private-users=managed", "--private-users-delegate=1", "/bin/echo", "payload runs"), "systemd-nsresourced.service is not available")
	clean(t, root)
}
