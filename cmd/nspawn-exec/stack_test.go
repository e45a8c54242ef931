package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// newStack makes a mount stack with an operating system as layer 0. entries are further directories in it.
func newStack(t *testing.T, name string, entries ...string) string {
	t.Helper()
	stack := mkdir(t, filepath.Join(t.TempDir(), name+".mstack"))
	command(t, "cp", "-a", newMergedRoot(t, "tree"), stack+"/layer@0")
	writeFile(t, stack+"/layer@0/etc/layer", "0\n")
	writeFile(t, stack+"/layer@0/usr/gone", "below\n")
	mkdir(t, stack+"/layer@0/var/lib")
	for _, entry := range entries {
		mkdir(t, filepath.Join(stack, entry))
	}
	return stack
}

// mstack is the command that runs a container from a mount stack.
func mstack(stack string, arguments ...string) *exec.Cmd {
	cmd := nspawn("", append([]string{"--mstack=" + stack}, arguments...)...)
	cmd.Args = removed(cmd.Args, "--directory=")
	return cmd
}

// stackShell is [shell] in a mount stack.
func stackShell(t *testing.T, stack, script string, options ...string) string {
	t.Helper()
	r := finish(t, mstack(stack, append(options, "/bin/sh", "-c", script)...))
	if r.status != 0 {
		t.Fatalf("%q: status %d: %s%s", script, r.status, r.stdout, r.stderr)
	}
	return strings.TrimSpace(r.stdout)
}

// users are the user namespaces that a mount stack is tried with: none, shifted, and its own owner's.
var users = []string{"no", "pick", "0"}

// The layers are below each other in the order of their versions, and what the container changes goes to the writable one, with
// the owners that it sees.
func TestStackWritable(t *testing.T) {
	for _, users := range users {
		t.Run(users, func(t *testing.T) {
			stack := newStack(t, "web", "layer@10/etc", "layer@9/etc", "rw")
			writeFile(t, stack+"/layer@9/etc/layer", "9\n")
			writeFile(t, stack+"/layer@10/etc/layer", "10\n")
			before := digest(t, stack+"/layer@0")
			script := "cat /etc/layer /proc/sys/kernel/hostname; stat -c %u:%g / /etc/layer; echo new >/etc/new; rm /usr/gone; mkdir /srv; chown 7:8 /srv"
			if got := stackShell(t, stack, script, "--private-users="+users); got != "10\nweb\n0:0\n0:0" {
				t.Errorf("got %q", got)
			}
			if got := stackShell(t, stack, "cat /etc/new; stat -c %u:%g /srv; test ! -e /usr/gone", "--private-users="+users); got != "new\n7:8" {
				t.Errorf("at the second start: %q", got)
			}
			if got := digest(t, stack+"/layer@0"); got != before {
				t.Errorf("a layer changed:\n%s", firstDifference(before, got))
			}
			if got := command(t, "stat", "-c", "%u:%g %F", stack+"/rw/data/etc/new", stack+"/rw/data/srv", stack+"/rw/data/usr/gone", stack+"/rw/work"); got != "0:0 regular file\n7:8 directory\n0:0 character special file\n0:0 directory\n" {
				t.Errorf("on disk: %q", got)
			}
			clean(t, stack)
		})
	}
}

// Without a writable layer, and with --read-only, nothing can be written, and nothing on disk changes.
func TestStackReadOnly(t *testing.T) {
	for name, test := range map[string]struct {
		entries, options []string
	}{
		"one layer": {nil, nil}, "two layers": {[]string{"layer@1/etc"}, nil}, "writable": {[]string{"rw", "bind@srv"}, []string{"--read-only"}},
		"volatile": {[]string{"rw", "bind@srv"}, []string{"--volatile=state"}},
	} {
		for _, users := range users {
			t.Run(name+"/"+users, func(t *testing.T) {
				stack := newStack(t, "web", test.entries...)
				before := digest(t, stack)
				script := "cat /etc/layer; touch /x || touch /usr/x || touch /srv/x || mount -o remount,rw / && touch /x && echo written"
				r := finish(t, mstack(stack, append(test.options, "--private-users="+users, "/bin/sh", "-c", script)...))
				if !strings.HasPrefix(r.stdout, "0\n") || strings.Contains(r.stdout, "written") && users != "no" {
					t.Errorf("%q %s", r.stdout, r.stderr)
				}
				if got := digest(t, stack); got != before {
					t.Errorf("the stack changed:\n%s", firstDifference(before, got))
				}
				clean(t, stack)
			})
		}
	}
}

// A root directory of its own takes /usr from the layers only.
func TestStackRoot(t *testing.T) {
	for _, users := range users {
		for _, writable := range []bool{false, true} {
			stack := newStack(t, "web", "root")
			if writable {
				mkdir(t, stack+"/rw")
			}
			must(t, os.Symlink("usr/bin", stack+"/root/bin"))
			must(t, os.Symlink("usr/lib", stack+"/root/lib"))
			mkdir(t, stack+"/root/etc")
			got := stackShell(t, stack, "test ! -e /etc/layer; cat /usr/gone; echo new >/etc/new; touch /usr/new && echo writable || echo read-only", "--private-users="+users)
			want := "below\nread-only"
			if writable {
				want = "below\nwritable"
			}
			if got != want {
				t.Errorf("%s, writable %v: %q", users, writable, got)
			}
			if got := command(t, "stat", "-c", "%u", stack+"/root/etc/new"); got != "0\n" {
				t.Errorf("%s: owner on disk %q", users, got)
			}
			clean(t, stack)
		}
	}
}

// Binds are where their names say, in the stack, through no link; those of the settings are over them.
func TestStackBinds(t *testing.T) {
	for _, users := range users {
		t.Run(users, func(t *testing.T) {
			stack := newStack(t, "web", "bind@var", "robind@srv-read\\x2donly", "bind@var-lib")
			outside := mkdir(t, filepath.Join(t.TempDir(), "outside"))
			writeFile(t, outside+"/file", "linked\n")
			must(t, os.Symlink(outside, stack+"/bind@mnt"))
			own := t.TempDir()
			script := "touch /var/x /var/lib/y; cat /mnt/file; touch '/srv/read-only/z' || echo read-only; touch /own/w; stat -c %u /var /mnt/file"
			if got := stackShell(t, stack, script, "--private-users="+users, "--bind="+own+":/own:rootidmap"); got != "linked\nread-only\n0\n0" {
				t.Errorf("got %q", got)
			}
			for _, file := range []string{stack + "/bind@var/x", stack + "/bind@var-lib/y", own + "/w"} {
				if got := command(t, "stat", "-c", "%u", file); got != "0\n" {
					t.Errorf("owner of %s: %q", file, got)
				}
			}
			clean(t, stack)
		})
	}
	stack := newStack(t, "web", "bind@etc-link")
	must(t, os.Symlink("/tmp", stack+"/layer@0/etc/link"))
	refused(t, finish(t, mstack(stack, "/bin/echo", "payload runs")), "--mstack", "bind@etc-link", "/etc/link")
	clean(t, stack)
}

// A stack of nothing but a writable layer, of versions, by the machine's name.
func TestStackFound(t *testing.T) {
	must(t, os.MkdirAll("/run/machines", 0o755))
	t.Cleanup(func() { must(t, os.RemoveAll("/run/machines")) })
	stack := newStack(t, "web", "rw")
	only := mkdir(t, filepath.Join(t.TempDir(), "only.mstack/rw"))
	command(t, "cp", "-a", stack+"/layer@0", only+"/data")
	if got := stackShell(t, filepath.Dir(only), "touch /new; cat /etc/layer /proc/sys/kernel/hostname"); got != "0\nonly" {
		t.Errorf("only a writable layer: %q", got)
	}
	if _, err := os.Stat(only + "/data/new"); err != nil {
		t.Error(err)
	}
	versions := mkdir(t, filepath.Join(t.TempDir(), "db.mstack.v"))
	must(t, os.Rename(stack, versions+"/db_2.mstack"))
	mkdir(t, versions+"/db_1.mstack")
	must(t, os.Symlink(versions, "/run/machines/db.mstack.v"))
	must(t, os.Symlink(versions+"/db_2.mstack", "/run/machines/web.mstack"))
	for machine, arguments := range map[string][]string{"db": {"-M", "db"}, "web": {"-M", "web"}} {
		cmd := exec.Command(program("nspawn-exec"), append(append([]string{"--quiet", "--register=no", "--keep-unit", "--console=pipe", "-U"}, arguments...), "/bin/cat", "/etc/layer", "/proc/sys/kernel/hostname")...)
		if r := finish(t, cmd); r.stdout != "0\n"+machine+"\n" {
			t.Errorf("%q: %q %s", arguments, r.stdout, r.stderr)
		}
	}
	if got := stackShell(t, versions, "cat /proc/sys/kernel/hostname"); got != "db" {
		t.Errorf("versions: %q", got)
	}
	clean(t, versions+"/db_2.mstack")
}

// One container at a time writes; what a killed one leaves does not keep the next from starting.
func TestStackKilled(t *testing.T) {
	stack := newStack(t, "web", "rw")
	c := launch(t, mstack(stack, sleeper...))
	c.expect("up")
	refused(t, finish(t, mstack(stack, "/bin/echo", "payload runs")), "busy")
	c.kill()
	stackShell(t, stack, "true")
	c = launch(t, mstack(stack, sleeper...))
	c.expect("up")
	c.kill()
	if r := finish(t, mstack(stack, "--cleanup")); r.status != 0 || r.stderr != "" {
		t.Errorf("--cleanup: %s", r.stderr)
	}
	clean(t, stack)
	reader := launch(t, mstack(stack, append([]string{"--read-only"}, sleeper...)...))
	reader.expect("up")
	stackShell(t, stack, "true", "--read-only", "--machine=other")
	reader.signal(syscall.SIGTERM)
	reader.wait()
	clean(t, stack)
}

func TestStackRefused(t *testing.T) {
	stack := newStack(t, "web", "rw", "bind@srv")
	payload := []string{"/bin/echo", "payload runs"}
	for name, test := range map[string]struct{ options, texts []string }{
		"ephemeral":       {[]string{"--ephemeral"}, []string{"--ephemeral", "--mstack"}},
		"template":        {[]string{"--template=/"}, []string{"--mstack", "--template"}},
		"directory":       {[]string{"--directory=/"}, []string{"--mstack", "--directory"}},
		"missing":         {[]string{"--mstack=" + stack + "/none"}, []string{"--mstack", "no such file"}},
		"in the image":    {[]string{"--bind=+/none:/srv"}, []string{"--bind", "no such file"}},
		"upper in image":  {[]string{"--overlay=/etc:+/srv:/mnt"}, []string{"--overlay", "uppermost directory", "--mstack"}},
		"journal":         {[]string{"--link-journal=guest"}, []string{"--link-journal", "mount stack"}},
		"no directory":    {[]string{"--mstack=" + stack + "/layer@0/etc/layer"}, []string{"--mstack", "not a directory"}},
		"no OS":           {[]string{"--mstack=" + t.TempDir()}, []string{"/usr/"}},
		"unexpected name": {[]string{"--mstack=" + stack + "/layer@0"}, []string{"--mstack", "layer@0/", "not one of layer@ID"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, finish(t, mstack(stack, append(test.options, payload...)...)), test.texts...)
			clean(t, stack)
		})
	}
}
