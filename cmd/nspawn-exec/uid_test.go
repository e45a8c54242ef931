package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newUsersRoot makes a root with users, and a getent(1) for systemd-nspawn, which executes that of the container.
func newUsersRoot(t *testing.T) string {
	t.Helper()
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	writeFile(t, root+"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1001:Bob:/home/bob:/bin/ash\n"+
		"nowhere:x:1002:1002::relative:/bin/sh\nfar:x:70000:70000::/home/far:/bin/sh\nbroken:x:1:1\nlinked:x:1003:1003::/link/linked:/bin/sh\n")
	writeFile(t, root+"/etc/group", "root:x:0:\nbob:x:1001:\nwheel:x:10:root,bob\naudio:x:11:alice\nvideo:x:12:bob\n")
	writeFile(t, root+"/usr/bin/getent", `#!/bin/sh
case $1 in passwd) grep -E "^$2:|^[^:]*:x:$2:" /etc/passwd;; initgroups) echo "$2 10 12";; esac
`)
	must(t, os.Chmod(root+"/usr/bin/getent", 0o755))
	must(t, os.Symlink("tmp", root+"/link"))
	return root
}

const whoAmI = `id; id -G; pwd; echo $HOME $USER $LOGNAME; grep -E '^(Cap|NoNew|Groups)' /proc/self/status; stat -c '%u:%g' $HOME`

var capInh = regexp.MustCompile(`CapInh:.*`)

// --uid= by name and number, in and without a user namespace, and by systemd-nspawn.
func TestUser(t *testing.T) {
	for _, user := range []string{"bob", "1000", "root", "0"} {
		root := newUsersRoot(t)
		want := finish(t, oracle(t, root, "-u", user, "/bin/sh", "-c", whoAmI))
		if want.status != 0 {
			t.Fatalf("systemd-nspawn: %s", want.stderr)
		}
		must(t, os.RemoveAll(root+"/home"))
		must(t, os.RemoveAll("/run/cgroup"))
		must(t, os.RemoveAll("/run/systemd/nspawn"))
		// systemd-nspawn calls users by what was typed, and leaves its root capabilities to inherit.
		text := strings.ReplaceAll(want.stdout, " 1000 1000", " bob bob")
		text = strings.ReplaceAll(text, " 0 0\n", " root root\n")
		text = capInh.ReplaceAllString(text, "CapInh:\t0000000000000000")
		for _, users := range []string{"no", "pick"} {
			if got := run(t, root, hostNetwork, "--private-users="+users, "--uid="+user, "/bin/sh", "-c", whoAmI); users == "no" && got.stdout != text || got.status != 0 {
				t.Errorf("%s, users %s: status %d: %s%s\nsystemd-nspawn: %s", user, users, got.status, got.stdout, got.stderr, text)
			}
			if user == "bob" {
				check := exec.Command("stat", "-c", "%n %a", "home", "home/bob")
				check.Dir = root
				if output, err := check.Output(); err != nil || string(output) != "home 755\nhome/bob 755\n" {
					t.Errorf("users %s: %s%v", users, output, err)
				}
			}
			must(t, os.RemoveAll(root+"/home"))
		}
		clean(t, root)
	}
}

func TestUserEnvironment(t *testing.T) {
	root := newUsersRoot(t)
	for _, test := range []struct{ options, script, want string }{
		{"-u bob", "echo $SHELL $HOME", "/bin/ash /home/bob"},
		{"-u bob -E HOME=/tmp -E USER=me", "echo $HOME $USER $LOGNAME", "/tmp me bob"},
		{"-u bob --chdir=/tmp", "pwd", "/tmp"},
		{"-u bob --read-only", "echo $HOME; test -e /home && echo made; id -u", "/home/bob\n1000"}, // nothing can be made there
		{"-u nowhere", "echo $HOME; id -u", "/\n1002"},
		{"-u linked", "stat -c '%u:%g' /tmp /link/linked", "0:0\n1003:1003"},
		{"-u bob --set-credential=a:b --no-new-privileges=yes", "cat $CREDENTIALS_DIRECTORY/a", "b"},
		{"-u bob --set-credential=a:b", "cat $CREDENTIALS_DIRECTORY/a 2>/dev/null || echo mine", "mine"},
	} {
		must(t, os.RemoveAll(root+"/home"))
		if got := shell(t, root, test.script, strings.Fields(test.options)...); got != test.want {
			t.Errorf("%s: %q, want %q", test.options, got, test.want)
		}
	}
	// A login shell starts at home.
	writeFile(t, root+"/bin/bash", "#!/bin/sh\npwd\n")
	must(t, os.Chmod(root+"/bin/bash", 0o755))
	if r := run(t, root, "-u", "bob"); r.stdout != "/home/bob\n" {
		t.Errorf("%+v", r)
	}
	r := run(t, root, "-u", "bob", "--set-credential=a:b", "/bin/true")
	if !strings.Contains(r.stderr, "--uid: without --no-new-privileges=yes the credentials can be read by root only") {
		t.Errorf("%q", r.stderr)
	}
	// A user that comes with --bind-user=, and a file that is not trusted.
	if got := shell(t, root, "id -u; echo $HOME", "--bind-user=daemon", "-u", "daemon"); !strings.HasPrefix(got, "60514\n/run/host/home/daemon") {
		t.Errorf("bound user: %q", got)
	}
	writeFile(t, filepath.Dir(root)+"/web.nspawn", "[Exec]\nUser=bob\n")
	if got := shell(t, root, "id -u"); got != "1000" {
		t.Errorf("by a file: %q", got)
	}
}

// The host's users are nobody inside, and what is no user ends the start.
func TestUserRefused(t *testing.T) {
	root := newUsersRoot(t)
	for user, text := range map[string]string{
		"games": "--uid: user games: the container has no such user", "4711": "--uid: user 4711: the container has no such user",
		"far": "--uid: user far: 70000 is not a user or group of the container, which has 65536", "broken": "malformed entry",
	} {
		refused(t, run(t, root, "--uid="+user, "/bin/echo", "payload runs"), "look up user", text)
	}
	must(t, os.Remove(root+"/etc/passwd"))
	outside := newOutside(t)
	writeFile(t, outside+"/passwd", "bob:x:0:0::/:\n")
	must(t, os.Symlink(outside+"/passwd", root+"/etc/passwd"))
	refused(t, run(t, root, "--uid=bob", "/bin/echo", "payload runs"), "the container has no such user")
	must(t, os.Remove(root+"/etc/passwd"))
	command(t, "mkfifo", root+"/etc/passwd")
	refused(t, run(t, root, "--uid=bob", "/bin/echo", "payload runs"), "not a regular file")
	clean(t, root)
}
