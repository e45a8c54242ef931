package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// watched is [nspawn] in a unit with WatchdogSec=100ms.
func watched(manager *serviceManager, root string, arguments ...string) *exec.Cmd {
	cmd := manager.watch(nspawn(root, arguments...))
	cmd.Env = append(cmd.Env, "WATCHDOG_USEC=100000")
	return cmd
}

func signsOfLife(messages []string) []string {
	return slices.DeleteFunc(messages, func(message string) bool { return !strings.Contains(message, "WATCHDOG=1") })
}

// A container that knows nothing of a watchdog lives as long as its supervisor.
func TestWatchdog(t *testing.T) {
	manager := newServiceManager(t)
	launch(t, watched(manager, newRoot(t, "web"), sleeper...))
	for range 3 {
		manager.expect("WATCHDOG=1")
	}
}

// As soon as the container's init has said once that it is alive, it must go on: nobody covers up its silence. What others in the
// container say does not count.
func TestWatchdogOfInit(t *testing.T) {
	root := newRoot(t, "web")
	for name, option := range map[string]string{"process 1": "--notify-ready=no", "process 2": "--as-pid2", "notify-ready": "--notify-ready=yes"} {
		t.Run(name, func(t *testing.T) {
			manager := newServiceManager(t)
			launch(t, watched(manager, root, option, "/bin/payload", "init",
				"notify-from-child", "STATUS=spoofed\nWATCHDOG=1\nWATCHDOG_USEC=7", "pause", "500",
				"notify", "STATUS=lives\nWATCHDOG=1\nMAINPID=1",
				"pause", "1500", "notify-from-child", "WATCHDOG=1",
				"notify", "STATUS=lives again\nWATCHDOG=1",
				"notify", "WATCHDOG_USEC=50000", "notify", "WATCHDOG_USEC=999000000", "notify", "WATCHDOG=trigger",
				"notify", "STATUS=shuts down\nSTOPPING=1"))
			before := manager.expect("STATUS=Container running: lives")
			if !mentions(before, "WATCHDOG=1") || mentions(before, "WATCHDOG_USEC") || mentions(before, "spoofed") {
				t.Errorf("heard %q before the init spoke", before)
			}
			if silent := signsOfLife(manager.expect("STATUS=Container running: lives again")); len(silent) > 1 { // one may have been on its way
				t.Errorf("an init that hangs is said to live: %q", silent)
			}
			for _, line := range []string{"WATCHDOG_USEC=50000", "WATCHDOG_USEC=100000", "WATCHDOG=trigger"} {
				manager.expect(line)
			}
			if more := manager.expect("STATUS=Container running: shuts down"); mentions(more, "STOPPING") || mentions(more, "MAINPID") {
				t.Errorf("heard %q", more)
			}
			for range 3 { // which takes its time
				manager.expect("WATCHDOG=1")
			}
		})
	}
}

// SIGABRT is what the service manager sends when the watchdog has found that the container hangs.
func TestAbort(t *testing.T) {
	root := newRoot(t, "web")
	c := begin(t, root, sleeper...)
	init := c.init()
	c.signal(syscall.SIGABRT)
	if status := c.wait(); status != 1 || !strings.Contains(c.stderr.String(), "container web terminated by signal KILL") || strings.Contains(c.stderr.String(), "goroutine") {
		t.Errorf("status %d: %s", status, c.stderr.String())
	}
	if alive(init) {
		t.Error("the payload lives")
	}
	clean(t, root)
}

// A container that starts again is as new: what its init has said of the watchdog before does not count.
func TestWatchdogOfReboot(t *testing.T) {
	manager, root := newServiceManager(t), newRoot(t, "web")
	cmd := watched(manager, root, "/bin/sh", "-c", `if test -e /again; then echo up; exec sleep 1000; fi
		touch /again; exec payload init notify WATCHDOG_USEC=50000 pause 500 reboot x`)
	cmd.Args = removed(cmd.Args, "--keep-unit")
	c := launch(t, cmd)
	manager.expect("WATCHDOG_USEC=50000")
	if silent := signsOfLife(manager.expect("WATCHDOG_USEC=100000")); len(silent) > 1 {
		t.Errorf("an init that does not say so is said to live: %q", silent)
	}
	c.expect("up")
	for range 3 {
		manager.expect("WATCHDOG=1")
	}
}

// A container that says when it is ready is told that it is watched, as the service manager tells a service.
func TestWatchdogIsHandedOn(t *testing.T) {
	root := newRoot(t, "web")
	for want, options := range map[string][]string{
		"USEC=100000 PID=1": {"--notify-ready=yes"},
		"USEC=100000 PID=2": {"--notify-ready=yes", "--as-pid2"},
		"USEC=7 PID=1":      {"--notify-ready=yes", "--setenv=WATCHDOG_USEC=7"},
		"USEC= PID=":        {"--notify-ready=no"},
	} {
		cmd := watched(newServiceManager(t), root, append(options, "/bin/sh", "-c", "echo USEC=$WATCHDOG_USEC PID=$WATCHDOG_PID")...)
		if r := finish(t, cmd); r.stdout != want+"\n" {
			t.Errorf("%q: %q, want %q: %s", options, r.stdout, want, r.stderr)
		}
	}
	unwatched := nspawn(root, "--notify-ready=yes", "/bin/sh", "-c", "echo USEC=$WATCHDOG_USEC")
	unwatched.Env = append(unwatched.Env, "WATCHDOG_USEC=100000", "WATCHDOG_PID=1")
	if r := finish(t, unwatched); r.stdout != "USEC=\n" {
		t.Errorf("the watchdog is another process's: %q", r.stdout)
	}
}
