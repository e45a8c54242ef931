package main_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// activated is the command with descriptors from 3 on, as a service manager starts it.
func activated(t *testing.T, cmd *exec.Cmd, names string, files ...*os.File) *exec.Cmd {
	t.Helper()
	sh, err := exec.LookPath("sh")
	must(t, err)
	cmd.Args = append([]string{sh, "-c", `export LISTEN_PID=$$; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.ExtraFiles = sh, files
	cmd.Env = append(cmd.Env, "LISTEN_FDS="+string(rune('0'+len(files))))
	if names != "" {
		cmd.Env = append(cmd.Env, "LISTEN_FDNAMES="+names)
	}
	return cmd
}

// named are files that say who they are when they are read.
func named(t *testing.T, names ...string) (files []*os.File) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path, name+"\n")
		file, err := os.Open(path)
		must(t, err)
		t.Cleanup(func() { file.Close() })
		files = append(files, file)
	}
	return files
}

// Descriptors of the service manager are the payload's, with the same numbers, and no others.
func TestSockets(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	const script = "echo $$ $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES; cat <&3; cat <&4; cat <&5; ls /proc/self/fd | grep -c ."
	want := finish(t, activated(t, oracle(t, root, "/bin/sh", "-c", script), "", named(t, "a", "b", "c")...))
	if want.stdout != "1 1 3\na\nb\nc\n7\n" {
		t.Errorf("systemd-nspawn: %+v", want)
	}
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	for _, options := range [][]string{nil, {"--private-users=no"}, {"--no-new-privileges=yes", "--uid=0"}} {
		arguments := append(options, "/bin/sh", "-c", script)
		if r := finish(t, activated(t, nspawn(root, arguments...), "", named(t, "a", "b", "c")...)); r.stdout != want.stdout {
			t.Errorf("%q: %+v", options, r)
		}
	}
	// With names; process 2 has its own number, where systemd-nspawn says 1.
	r := finish(t, activated(t, nspawn(root, "-a", "/bin/sh", "-c", script+"; ls /proc/1/fd"), "x:y:z", named(t, "a", "b", "c")...))
	if r.stdout != "2 2 3 x:y:z\na\nb\nc\n7\n" {
		t.Errorf("as process 2: %+v", r)
	}
	// For somebody else; and what is none.
	cmd := activated(t, nspawn(root, "/bin/sh", "-c", "echo $LISTEN_FDS; ls /proc/self/fd | grep -c ."), "", named(t, "a")...)
	cmd.Args[2] = `export LISTEN_PID=1; exec "$0" "$@"`
	if r := finish(t, cmd); r.stdout != "\n4\n" {
		t.Errorf("of another process: %+v", r)
	}
	cmd = activated(t, nspawn(root, "/bin/echo", "payload runs"), "", named(t, "a")...)
	cmd.Env = append(cmd.Env, "LISTEN_FDS=2")
	refused(t, finish(t, cmd), "LISTEN_FDS=2: descriptor 4: bad file descriptor")
	clean(t, root)
}

// A service of the container answers on a socket of the host, also after a reboot.
func TestSocketActivation(t *testing.T) {
	root := newRoot(t, "web")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "socket"), Net: "unix"})
	must(t, err)
	defer listener.Close()
	file, err := listener.File()
	must(t, err)
	defer file.Close()
	cmd := nspawn(root, "/bin/sh", "-c", "payload answer hello; test -e /second && exit 5; touch /second; exec /bin/payload reboot")
	cmd.Args = removed(cmd.Args, "--keep-unit")
	c := launch(t, activated(t, cmd, "", file))
	for range 2 {
		connection, err := net.Dial("unix", listener.Addr().String())
		must(t, err)
		answer, err := io.ReadAll(connection)
		must(t, err)
		connection.Close()
		if strings.TrimSpace(string(answer)) != "hello" {
			t.Errorf("%q", answer)
		}
	}
	if status := c.wait(); status != 5 {
		t.Errorf("status %d", status)
	}
	clean(t, root)
}
