package main_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// asSystemd runs the same with the real systemd-nspawn, and removes what that leaves.
func asSystemd(t *testing.T, root string, arguments ...string) result {
	t.Helper()
	r := finish(t, oracle(t, root, arguments...))
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	return r
}

// With --as-pid2 the payload is process 2, and the rest is as with systemd-nspawn.
func TestProcessTwo(t *testing.T) {
	root := newUsersRoot(t)
	for _, applet := range []string{"tr", "wc", "ps"} {
		must(t, os.Symlink("busybox", root+"/bin/"+applet))
	}
	for script, status := range map[string]int{
		"echo $$ $PPID; cat /proc/1/comm; exit 7": 7,
		"id -u; ls /proc/self/fd | wc -l; grep -E '^(NoNew|Seccomp:|CapBnd|CapEff)' /proc/self/status; cat /proc/self/comm; " + printSignals: 0,
		"for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.2 & sleep 0.2 &); done; sleep 0.6; ps -o stat | grep -c Z; true":                            0,
		"kill -TERM 1; kill -HUP 1; kill -USR1 1; kill -9 1; sleep 0.05; echo still here; exit 3":                                            3,
		"kill -9 $$":                          255,
		"exit 133":                            1,
		"echo $$; exec /bin/payload poweroff": 0,
		"kill -INT 1; sleep 100":              133,
		"kill -37 1; sleep 100":               0,
		"kill -40 1; sleep 100":               133,
		"trap 'echo asked' TERM; trap 'echo hung up; exit 5' HUP; kill -47 1; while :; do sleep 0.01; done": 0,
	} {
		want := asSystemd(t, root, "--as-pid2", "/bin/sh", "-c", script)
		if want.status != status {
			t.Errorf("systemd-nspawn: %s: %+v", script, want)
		}
		for _, users := range []string{"no", "pick"} {
			got := run(t, root, hostNetwork, "--private-users="+users, "-a", "/bin/sh", "-c", script)
			if got.status != status || got.stdout != want.stdout && !(users == "pick" && strings.Contains(script, "CapBnd")) {
				t.Errorf("%s: users %s: %+v\nsystemd-nspawn: %+v", script, users, got, want)
			}
		}
	}
	const want = "(sd-stubinit) container=systemd-nspawn container_uuid=01234567-89ab-cdef-0123-456789abcdef 0"
	if got := shell(t, root, "echo $(tr '\\0' ' ' </proc/1/cmdline) $(tr '\\0' ' ' </proc/1/environ) $(ls /proc/1/fd | wc -l)", "-a",
		"--uuid=0123456789abcdef0123456789abcdef"); got != want {
		t.Errorf("the stub: %q", got)
	}
	clean(t, root)
}

// The stub can do nothing for a payload that traces it, and needs next to nothing.
func TestStubIsConfined(t *testing.T) {
	root := newRoot(t, "web")
	for _, options := range [][]string{nil, {"--private-users=no"}, {"--drop-capability=CAP_SYS_BOOT"}} {
		kept := "0000000000400020" // CAP_SYS_BOOT, CAP_KILL
		if len(options) > 0 && strings.Contains(options[0], "BOOT") {
			kept = "0000000000000020"
		}
		c := begin(t, root, append(options, append([]string{"-a"}, sleeper...)...)...)
		init := c.init()
		for name, want := range map[string]string{
			"CapInh": "0000000000000000", "CapPrm": kept, "CapEff": kept, "CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
			"NoNewPrivs": "1", "Seccomp": "2", "Threads": "1", "Name": "(sd-stubinit)",
		} {
			if got := statusField(init, name); got != want {
				t.Errorf("%q: %s is %s, want %s", options, name, got, want)
			}
		}
		if size, _, _ := strings.Cut(statusField(init, "VmRSS"), " "); len(size) > 2 { // KiB
			t.Errorf("the stub has %s kB in memory", size)
		}
		for _, name := range []string{"mnt", "pid", "net", "user", "cgroup", "uts", "ipc"} {
			two, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", secondOf(t, init), name))
			must(t, err)
			one, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", init, name))
			must(t, err)
			// It has a control group namespace of its own, of the same control group.
			if host, _ := os.Readlink("/proc/self/ns/" + name); (one == two) == (name == "cgroup") || name == "cgroup" && one == host {
				t.Errorf("%s namespace: %s; the payload's is %s", name, one, two)
			}
		}
		c.kill()
		if r := run(t, root, "--cleanup"); r.status != 0 || r.stderr != "" {
			t.Errorf("--cleanup: %+v", r)
		}
		clean(t, root)
	}
}

// secondOf returns the one child of the stub.
func secondOf(t *testing.T, init int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", init))
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	must(t, err)
	return pid
}

// What is set for the payload is set for process 2.
func TestProcessTwoSettings(t *testing.T) {
	root := newUsersRoot(t)
	for _, test := range []struct{ options, script, want string }{
		{"--rlimit=NOFILE=77:88", "ulimit -n; ulimit -Hn", "77\n88"},
		{"--oom-score-adjust=321", "cat /proc/self/oom_score_adj", "321"},
		{"--cpu-affinity=0", "grep Cpus_allowed_list: /proc/self/status", "Cpus_allowed_list:\t0"},
		{"--uid=bob", "id -u; echo $$ $HOME", "1000\n2 /home/bob"},
		{"--no-new-privileges=yes --drop-capability=all", "grep -E '^(NoNew|CapBnd)' /proc/self/status; echo $$", "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\n2"},
		{"--chdir=/tmp --read-only", "pwd; echo $$", "/tmp\n2"},
		{"--console=read-only", "test -t 0 && echo terminal; echo >/dev/tty && echo $$", "terminal\r\n\r\n2"},
		{"--system-call-filter=~ptrace", "payload syscall 101; echo $$", "1\n2"},
	} {
		if got := shell(t, root, test.script, append(strings.Fields(test.options), "-a")...); got != test.want {
			t.Errorf("%s: %q, want %q", test.options, got, test.want)
		}
	}
	refused(t, run(t, root, "-a", "/bin/nothing"), "execute payload: execute /bin/nothing: no such file or directory")
	refused(t, run(t, root, "-a", "--tmpfs=/proc/x", "/bin/echo", "payload runs"), "/proc/x")
	const file = "/run/systemd/nspawn/web.nspawn"
	writeFile(t, file, "[Exec]\nProcessTwo=yes\nParameters=/bin/sh -c 'echo $$'\n")
	if r := run(t, root); r.stdout != "2\n" {
		t.Errorf("a file: %+v", r)
	}
	must(t, os.Remove(file))
	clean(t, root)
}

// The signal for PID 1 reaches the stub, which ends the payload; twice it is killed.
func TestStopProcessTwo(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, "-a", "--kill-signal=SIGRTMIN+3", "/bin/sh", "-c", "trap 'echo asked; exit 9' TERM HUP; echo up; while :; do sleep 0.01; done")
	c.signal(syscall.SIGTERM)
	c.expect("asked")
	if status := c.wait(); status != 0 { // a power-off, whatever the payload says
		t.Errorf("status %d", status)
	}
	c = begin(t, root, "-a", "--kill-signal=SIGINT", "/bin/sh", "-c", "trap 'echo asked' TERM HUP; echo up; while :; do sleep 0.01; done")
	c.signal(syscall.SIGTERM)
	c.expect("asked")
	c.signal(syscall.SIGTERM)
	if status := c.wait(); status != 1 {
		t.Errorf("status %d", status)
	}
	clean(t, root)

	// The payload may say that it is ready.
	manager := newServiceManager(t)
	launch(t, manager.watch(nspawn(root, "-a", "--notify-ready=yes", "/bin/payload", "init", "notify", "READY=1")))
	manager.expect("READY=1")
}
