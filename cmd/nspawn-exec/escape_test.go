package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal makes a terminal the controlling one of a command, as if it was started from a shell there.
func onTerminal(cmd *exec.Cmd, terminal *os.File) *exec.Cmd {
	cmd.ExtraFiles = []*os.File{terminal}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	return cmd
}

// TIOCSTI and what is like it: the terminal that nspawn-exec was started from is out of reach, whatever the payload's console is.
func TestTerminalOfHost(t *testing.T) {
	root := newRoot(t, "web")
	for _, console := range []string{"pipe", "read-only", "passive"} {
		t.Run(console, func(t *testing.T) {
			person, path := newTerminal(t)
			terminal, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
			must(t, err)
			defer terminal.Close()
			r := finish(t, onTerminal(nspawn(root, "--console="+console, "/bin/payload", "type", "owned"), terminal))
			if console == "pipe" && !strings.Contains(r.stdout, "/dev/tty: no such device or address") {
				t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
			}
			waiting, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCINQ)
			must(t, err)
			must(t, person.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			shown := make([]byte, 4096)
			n, _ := person.Read(shown)
			if waiting != 0 || n > 0 {
				t.Errorf("%d bytes were typed into the host's terminal, it shows %q", waiting, shown[:max(n, 0)])
			}
		})
	}
}

// CVE-2025-52565: what was put over the terminals of the container does not become the payload's console, and keeps nobody waiting.
func TestConsoleIsExchanged(t *testing.T) {
	for name, hostile := range map[string]func(t *testing.T, path string){
		"link to descriptor": func(t *testing.T, path string) { must(t, os.Symlink("/proc/self/fd/9", path)) },
		"FIFO":               func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o666)) },
		"file":               func(t *testing.T, path string) { writeFile(t, path, "") },
	} {
		t.Run(name, func(t *testing.T) {
			root, outside := newRoot(t, "web"), newOutside(t)
			secret := filepath.Join(outside, "secret")
			writeFile(t, secret, "")
			hostile(t, outside+"/0")
			writeFile(t, outside+"/ptmx", "")
			cmd := nspawn(root, "--private-users=no", "--console=read-only", "--bind="+outside+":/dev/pts", "/bin/sh", "-c", "echo on the console")
			file, err := os.OpenFile(secret, os.O_RDWR, 0)
			must(t, err)
			defer file.Close()
			for range 18 {
				cmd.ExtraFiles = append(cmd.ExtraFiles, file)
			}
			if r := finish(t, cmd); !strings.Contains(r.stdout, "on the console") {
				t.Errorf("status %d: %q; %s", r.status, r.stdout, r.stderr)
			}
			for _, path := range []string{secret, outside + "/0"} {
				if info, err := os.Stat(path); err == nil && info.Size() > 0 {
					t.Errorf("%s was written to", path)
				}
			}
			clean(t, root)
		})
	}
}

// CVE-2025-31133: nothing can be put in the place of the files that hide others.
func TestMaskIsLink(t *testing.T) {
	root, masks := newRoot(t, "web"), newOutside(t)
	must(t, os.Symlink("/proc/sys/kernel/core_pattern", masks+"/reg"))
	for _, place := range []string{"/run/host/inaccessible", "/run/host"} {
		refused(t, run(t, root, "--bind="+masks+":"+place, "/bin/echo", "payload runs"), "--bind: cannot mount on "+place)
	}
	clean(t, root)
}

// CVE-2025-52881, CVE-2019-19921: what is mounted on /proc does not get what is meant for the kernel.
func TestKernelParametersReachKernel(t *testing.T) {
	bundle := newBundle(t, "runc", "web")
	writeFile(t, bundle+"/trap/msg_max", "untouched")
	edit(t, bundle, func(config, process, linux object) {
		config["mounts"] = append(config["mounts"].([]any), object{"destination": "/proc/sys/fs/mqueue", "source": "trap", "options": []string{"rbind"}})
		linux["sysctl"] = object{"fs.mqueue.msg_max": "20"}
		process["args"] = script("cat /proc/sys/fs/mqueue/msg_max")
	})
	r := finish(t, ociBundle(bundle))
	if data, err := os.ReadFile(bundle + "/trap/msg_max"); err != nil || string(data) != "untouched" || r.stdout != "untouched" {
		t.Errorf("the host's file has %q, %v; status %d: %s%s", data, err, r.status, r.stdout, r.stderr)
	}
	clean(t, bundle+"/rootfs")
}

// CVE-2022-0492: no hierarchy of version 1, whose release agent the host would run, can be mounted, not even without user namespace.
func TestReleaseAgent(t *testing.T) {
	root := newRoot(t, "web")
	for _, users := range []string{"pick", "no"} {
		script := "mkdir /tmp/v1; mount -t cgroup -o none,name=escape v1 /tmp/v1 && ls /tmp/v1/release_agent"
		r := run(t, root, "--private-users="+users, "/bin/sh", "-c", script)
		if r.status == 0 || !strings.Contains(r.stderr, "mount") {
			t.Errorf("private-users=%s: status %d: %s%s", users, r.status, r.stdout, r.stderr)
		}
	}
}

// Descriptors that come with notifications do not pile up in the supervisor.
func TestNotifiedDescriptorsAreClosed(t *testing.T) {
	manager := newServiceManager(t)
	steps := []string{"/bin/payload", "init"}
	for range 20 {
		steps = append(steps, "notify-with-files", "STATUS=with files")
	}
	c := launch(t, manager.watch(nspawn(newRoot(t, "web"), append(steps, "notify", "STATUS=last", "say", "up")...)))
	c.expect("up")
	manager.expect("STATUS=Container running: last")
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid))
	must(t, err)
	if len(entries) > 40 {
		t.Errorf("the supervisor has %d descriptors open", len(entries))
	}
}

// Names that lead elsewhere in paths, units, nft or DNS are refused before anything is made.
func TestHostileNames(t *testing.T) {
	root := newRoot(t, "web")
	for _, name := range []string{
		"..", "../x", "a/b", "/", "a..b", "a b", "a\nb", "a'b", `a"b`, "a`b", "a;b", "a$b", "a%ib", `a\b`, "a{b", "ä", "\xff", "a\tb", "\x1b[2J", strings.Repeat("x", 65),
	} {
		for _, option := range []string{"--machine", "--hostname", "--network-zone", "--network-interface", "--network-bridge"} {
			begun := time.Now()
			r := run(t, root, option+"="+name, "/bin/echo", "payload runs")
			refused(t, r, option)
			if strings.ContainsAny(strings.TrimSuffix(r.stderr, "\n"), "\n\x1b\t") || !utf8.ValidString(r.stderr) {
				t.Errorf("%s: the message has the name as it is: %q", option, r.stderr)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s=%q takes %v", option, name, took)
			}
		}
	}
	clean(t, root)
}
