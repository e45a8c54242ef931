package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serviceManager is the other end of $NOTIFY_SOCKET.
type serviceManager struct {
	t        *testing.T
	path     string
	messages chan string
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	m := &serviceManager{t, filepath.Join(t.TempDir(), "notify"), make(chan string, 1000)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 8192)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.messages <- string(buffer[:n])
		}
	}()
	return m
}

func (m *serviceManager) watch(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+m.path)
	return cmd
}

// expect waits for a message with the line and returns all that came before it.
func (m *serviceManager) expect(line string) (before []string) {
	m.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case message := <-m.messages:
			if slices.Contains(strings.Split(message, "\n"), line) {
				return before
			}
			before = append(before, message)
		case <-timeout:
			m.t.Fatalf("the service manager never heard %q, but %q", line, before)
		}
	}
}

func mentions(messages []string, text string) bool {
	return slices.ContainsFunc(messages, func(message string) bool { return strings.Contains(message, text) })
}

func TestReadyWhenStarted(t *testing.T) {
	manager := newServiceManager(t)
	c := launch(t, manager.watch(nspawn(newRoot(t, "web"), sleeper...)))
	before := manager.expect("READY=1")
	if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", c.init())); err != nil || !strings.HasSuffix(program, "/bin/busybox") {
		t.Errorf("ready when %s runs as process 1: %v", program, err)
	}
	if !mentions(before, fmt.Sprintf("X_NSPAWN_LEADER_PID=%d", c.init())) {
		t.Errorf("no process 1 in %q", before)
	}
	c.signal(syscall.SIGTERM)
	c.wait()
}

// A container that dies at once was never ready, unless it has done what it was to do; with NotifyReady=yes its word counts.
func TestReadyOnlyWhenTrue(t *testing.T) {
	for name, test := range map[string]struct {
		payload []string
		last    string
		ready   bool
	}{
		"not there":        {[]string{"/bin/nothing"}, "STATUS=execute payload: execute /bin/nothing: no such file or directory", false},
		"not to be set up": {[]string{"--chdir=/no/such", "/bin/true"}, "STATUS=execute payload: change directory: open /no/such: no such file or directory", false},
		"fails at once":    {[]string{"/bin/sh", "-c", "exit 7"}, "STATUS=Container web failed with exit status 7.", false},
		"done at once":     {[]string{"/bin/true"}, "READY=1", true},
		"reboots at once":  {[]string{"/bin/payload", "reboot"}, "READY=1", true},
		"says nothing":     {[]string{"--notify-ready=yes", "/bin/sh", "-c", "sleep 0.1; exit 1"}, "STATUS=Container web failed with exit status 1.", false},
		"says it is ready": {[]string{"--notify-ready=yes", "/bin/payload", "notify", "READY=1"}, "READY=1", true},
	} {
		t.Run(name, func(t *testing.T) {
			manager := newServiceManager(t)
			finish(t, manager.watch(nspawn(newRoot(t, "web"), test.payload...)))
			if before := manager.expect(test.last); mentions(before, "READY=1") {
				t.Errorf("ready too early: %q", before)
			}
			if !test.ready && len(manager.messages) > 0 {
				t.Errorf("more after the end: %q", <-manager.messages)
			}
		})
	}
}

// The start may take longer as long as the container's init speaks, or its processes work; not while they wait.
func TestMoreTimeWhileBooting(t *testing.T) {
	const more = "EXTEND_TIMEOUT_USEC=60000000"
	t.Run("speaks once", func(t *testing.T) {
		manager := newServiceManager(t)
		launch(t, manager.watch(nspawn(newRoot(t, "web"), "--notify-ready=yes", "/bin/payload", "init",
			"notify", "STATUS=booting\nX_SYSTEMD_UNIT_ACTIVE=basic.target", "pause", "11000", "notify", "READY=1")))
		manager.expect("STATUS=Container running: booting")
		if before := manager.expect("READY=1"); len(before) != 1 || before[0] != more {
			t.Errorf("heard %q", before)
		}
	})
	t.Run("works", func(t *testing.T) {
		manager, unit := newServiceManager(t), newControlGroup(t)
		directory, err := os.Open(unit)
		must(t, err)
		defer directory.Close()
		cmd := manager.watch(nspawn(newRoot(t, "web"), "--notify-ready=yes", "--kill-signal=SIGKILL", "/bin/sh", "-c", "while :; do :; done"))
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
		c := launch(t, cmd)
		manager.expect(more)
		c.signal(syscall.SIGTERM)
		c.wait()
	})
	t.Run("ready at once", func(t *testing.T) {
		manager := newServiceManager(t)
		launch(t, manager.watch(nspawn(newRoot(t, "web"), sleeper...)))
		manager.expect("READY=1")
		select {
		case message := <-manager.messages:
			t.Errorf("heard %q", message)
		case <-time.After(6 * time.Second):
		}
	})
}

// NotifyReady=yes: only the container's init says when it is ready, and nothing that would govern the host's unit passes.
func TestNotifyReady(t *testing.T) {
	manager := newServiceManager(t)
	root := newRoot(t, "web")
	launch(t, manager.watch(nspawn(root, "--notify-ready=yes", "/bin/payload", "init",
		"notify-from-child", "READY=1\nSTATUS=spoofed", // believed only from the init
		"notify", "STATUS=first\x1b[2J\nMAINPID=1\nWATCHDOG=trigger\nFDSTORE=1\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=5000000",
		"notify-from-child", "EXTEND_TIMEOUT_USEC=666",
		"notify-with-files", "STATUS=with files",
		"notify", "STATUS="+strings.Repeat("x", 5000)+"\nREADY=1", // too long
		"notify", "no assignment",
		"notify", "STATUS=second\nREADY=1",
		"notify", "EXTEND_TIMEOUT_USEC=777",
		"notify", "STATUS=third")))
	before := manager.expect("READY=1")
	for _, forbidden := range []string{"READY=1", "spoofed", "MAINPID", "WATCHDOG", "FDSTORE", "STOPPING", "666", "\x1b", "xxxx"} {
		if mentions(before, forbidden) {
			t.Errorf("%q reached the service manager: %q", forbidden, before)
		}
	}
	for _, wanted := range []string{"STATUS=Container running: first", "STATUS=Container running: with files", "EXTEND_TIMEOUT_USEC=5000000", "X_NSPAWN_LEADER_PID="} {
		if !mentions(before, wanted) {
			t.Errorf("%q did not reach the service manager: %q", wanted, before)
		}
	}
}

// Descriptors of the container are kept by the service manager of the host, and come back when it starts again.
func TestDescriptorStore(t *testing.T) {
	root := newRoot(t, "web")
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer conn.Close()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	writeFile(t, root+"/kept", "of the container\n")
	cmd := nspawn(root, "/bin/sh", "-c", `exec 0</kept; exec payload init notify-from-child "FDSTORE=1
FDNAME=spoofed" notify "FDSTORE=1
FDNAME=nothing" notify-with-files "FDSTORE=1
FDNAME=keep
MAINPID=1" notify "FDSTOREREMOVE=1
FDNAME=other" notify STATUS=end`)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path)
	launch(t, cmd)
	var heard []string
	var kept []int
	for !slices.Contains(heard, "STATUS=Container running: end") {
		message, control := make([]byte, 4096), make([]byte, 4096)
		n, length, _, _, err := conn.ReadMsgUnix(message, control)
		must(t, err)
		heard = append(heard, string(message[:n]))
		messages, err := syscall.ParseSocketControlMessage(control[:length])
		must(t, err)
		for i := range messages {
			descriptors, err := syscall.ParseUnixRights(&messages[i])
			must(t, err)
			kept = append(kept, descriptors...)
		}
	}
	if text := strings.Join(heard, "; "); len(kept) != 3 || !strings.Contains(text, "; FDSTORE=1\nFDNAME=keep; FDSTOREREMOVE=1\nFDNAME=other; ") || strings.Contains(text, "spoofed") || strings.Contains(text, "nothing") {
		t.Fatalf("%d descriptors, %q", len(kept), heard)
	}
	var files []*os.File
	for _, fd := range kept {
		files = append(files, os.NewFile(uintptr(fd), "kept"))
	}
	defer func() {
		for _, file := range files {
			file.Close()
		}
	}()
	second := activated(t, nspawn(newRoot(t, "again"), "/bin/sh", "-c", "echo $LISTEN_FDNAMES; cat <&3"), "keep", files[0])
	if r := finish(t, second); r.stdout != "keep\nof the container\n" {
		t.Errorf("%+v", r)
	}
}

func TestStatusOfFailure(t *testing.T) {
	manager := newServiceManager(t)
	cmd := manager.watch(nspawn(newRoot(t, "web"), "--bind=/no/such/source", "/bin/true"))
	refused(t, finish(t, cmd), "/no/such/source")
	manager.expect("STATUS=open sources of mounts: --bind: clone mount /no/such/source: no such file or directory")
}

func TestStoppingIsTold(t *testing.T) {
	manager := newServiceManager(t)
	cmd := nspawn(newRoot(t, "web"), "--kill-signal=SIGUSR2", "/bin/sh", "-c", "trap 'exit 0' USR2; echo up; while :; do sleep 0.05; done")
	c := launch(t, manager.watch(cmd))
	c.expect("up")
	c.signal(syscall.SIGTERM)
	manager.expect("STOPPING=1")
	if status := c.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// Everything that is wrong with the files is said at once, each with FILE:LINE and the priority of an error; the service
// manager hears the first and how many more there are.
func TestAllErrorsAtOnce(t *testing.T) {
	const file = "/run/systemd/nspawn/web.nspawn"
	root := newRoot(t, "web")
	writeFile(t, file, "[Exec]\nBoot=maybe\nLimitNOFILE=many\n[Files]\nBind=relative\n[Service]\nMemoryMax=banana\n[Unit]\nDescription=%h\nAfter=../x.nspawn\n")
	defer os.Remove(file)
	manager := newServiceManager(t)
	cmd := manager.watch(nspawn(root, "/bin/echo", "payload runs"))
	cmd.Env = append(cmd.Env, "SYSTEMD_LOG_TARGET=console-prefixed")
	r := finish(t, cmd)
	refused(t, r,
		"<4>"+file+":2: warning: Boot=maybe: not a boolean, ignored\n",
		"<3>"+file+":3: error: LimitNOFILE=many: ",
		"<3>"+file+":5: error: Bind=relative: ",
		"<3>"+file+":7: error: MemoryMax=banana: not a size\n",
		"<3>"+file+":9: error: Description=%h: ",
		"<3>"+file+":10: error: After=../x.nspawn: ",
	)
	manager.expect("STATUS=" + file + ":3: error: LimitNOFILE=many: not a number (and 4 more errors)")

	// A single one is said once.
	writeFile(t, file, "[Service]\nMemoryMax=banana\n")
	r = finish(t, manager.watch(nspawn(root, "/bin/echo", "payload runs")))
	const text = file + ":2: error: MemoryMax=banana: not a size"
	refused(t, r)
	if r.stderr != text+"\n" {
		t.Errorf("%q", r.stderr)
	}
	manager.expect("STATUS=" + text)
}
