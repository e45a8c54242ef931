package packages

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// host is a root in which scripts of packages run: with a shell (which is bash where pacman is), and a systemctl that writes down what it is asked.
type host struct {
	t    *testing.T
	root string
}

const (
	fakeSystemctl = "#!/bin/sh\necho systemctl \"$@\" >>/asked\ncase \"$*\" in *is-active*) exit 1 ;; esac\n"
	fakeTmpfiles  = "#!/bin/sh\necho systemd-tmpfiles \"$@\" >>/asked\nmkdir -p /run/nspawnkit\n"
)

func newHost(t *testing.T, shell string) host {
	t.Helper()
	h := host{t, t.TempDir()}
	for name, program := range map[string]string{"sh": shell, "mkdir": "mkdir", "rm": "rm", "rmdir": "rmdir", "find": "find", "readlink": "readlink"} {
		h.program(name, program)
	}
	if err := os.Mkdir(filepath.Join(h.root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(h.root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	h.write("usr/bin/systemctl", fakeSystemctl)
	h.write("usr/bin/systemd-tmpfiles", fakeTmpfiles)
	h.write("run/systemd/system/runs", "")
	for _, folder := range []string{
		"etc", "etc/systemd/system", "tmp", "var/tmp", "usr/lib/systemd/system", "usr/lib/systemd/system-generators", "usr/lib/systemd/system-preset", "usr/lib/tmpfiles.d",
		"usr/share/doc", "usr/share/man/man1", "usr/share/man/man5", "usr/share/man/man7", "usr/share/man/man8",
	} {
		h.write(folder+"/of-another-package", "")
	}
	h.write("var/lib/nspawnkit/network/subnets.json", "{}")
	return h
}

// write makes an executable file.
func (h host) write(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		h.t.Fatal(err)
	}
}

// program copies a program of this machine, and the libraries that it needs.
func (h host) program(name, program string) {
	h.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("bin/"+name, string(command(h.t, "cat", path)))
	for _, library := range regexp.MustCompile(`/\S+`).FindAllString(string(command(h.t, "ldd", path)), -1) {
		h.write(library, string(command(h.t, "cat", library)))
	}
}

// asked runs a package manager in a network of its own, since networkd-lite --cleanup is real, and returns what systemd was asked meanwhile.
func (h host) asked(name string, arguments ...string) []string {
	h.t.Helper()
	h.write("asked", "")
	c := exec.Command(name, arguments...)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	if err != nil || strings.Contains(string(out), "scriptlet failed") || strings.Contains(string(out), "error: ") ||
		strings.Contains(string(out), "warning: directory") {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	lines, err := os.ReadFile(filepath.Join(h.root, "asked"))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(lines)), "\n")
}

// step is what a package manager does, and what the scripts of the package ask systemd then.
type step struct {
	name    string
	command []string
	want    []string
}

// What the scripts ask systemd at each moment.
var (
	setUp = []string{"systemd-tmpfiles --create nspawnkit.conf", "systemctl daemon-reload", "systemctl -q is-active NetworkManager.service"}
	leave = []string{
		"systemctl list-units --full --plain --no-legend systemd-nspawn@*.service", "systemctl stop networkd-lite.service",
		"systemctl --no-reload disable networkd-lite.service", "systemctl daemon-reload", "systemctl -q is-active NetworkManager.service",
	}
	restart = append(slices.Clone(setUp), "systemctl try-restart networkd-lite.service")
)

// used is what a host without systemd-container has of containers after a while.
func (h host) used() step {
	const script = `cd "$0"; mkdir -p run/systemd/nspawn/locks run/systemd/nspawn-uid etc/systemd/system/machines.target.wants
ln -s /usr/lib/nspawnkit/systemd-nspawn@.service etc/systemd/system/systemd-nspawn@web.service
ln -s /usr/lib/nspawnkit/systemd-nspawn@.service etc/systemd/system/machines.target.wants/systemd-nspawn@web.service`
	return step{"use", []string{"sh", "-c", script, h.root}, []string{""}}
}

// play plays the life of a package, after which the host must be as before but for what is the package manager's.
func (h host) play(steps []step, others ...string) {
	h.t.Helper()
	h.write("asked", "")
	before := treeOf(h.t, h.root)
	for _, s := range steps {
		if got := h.asked(s.command[0], s.command[1:]...); !slices.Equal(got, s.want) {
			h.t.Errorf("%s asks systemd:\n%s\nwant\n%s", s.name, strings.Join(got, "\n"), strings.Join(s.want, "\n"))
		}
	}
	h.write("asked", "")
	after := treeOf(h.t, h.root)
	maps.DeleteFunc(after, func(path, _ string) bool {
		return slices.ContainsFunc(others, func(folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") })
	})
	compare(h.t, after, before)
}

// rpm runs the scripts of the new package, then those of the old; that of the removal of the old one must leave all alone.
func testScriptsOfRPM(t *testing.T, first, second string) {
	h := newHost(t, "dash")
	rpm := func(arguments ...string) []string {
		return append([]string{"rpm", "--root", h.root, "--dbpath", "/rpm", "--nodeps"}, arguments...)
	}
	preset := []string{"systemctl --no-reload preset networkd-lite.service", "systemctl -q is-active firewalld.service"}
	h.play([]step{
		{"installation", rpm("--install", first), slices.Concat(setUp, preset)},
		{"upgrade", rpm("--upgrade", second), restart},
		h.used(),
		{"removal", rpm("--erase", "nspawnkit"), leave},
	}, "/rpm")
}

func testScriptsOfArch(t *testing.T, first, second string) {
	h := newHost(t, "bash")
	call := pacmanOf(t, h.root)
	pacman := func(arguments ...string) []string { return slices.Concat(call, arguments) }
	h.play([]step{
		{"installation", pacman("-dd", "-U", first), setUp},
		{"upgrade", pacman("-dd", "-U", second), restart},
		h.used(),
		{"removal", pacman("-dd", "-R", "nspawnkit"), leave},
	})
}
