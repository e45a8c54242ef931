package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// allSeen is what somebody sees of a process that he may trace.
const allSeen = "mem environ maps fd/0 root exe trace"

// membersOf lists the processes of a namespace that a process is in.
func membersOf(t *testing.T, kind string, process int) (members []int) {
	t.Helper()
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", process, kind))
	must(t, err)
	links, err := filepath.Glob("/proc/[0-9]*/ns/" + kind)
	must(t, err)
	for _, link := range links {
		if other, err := os.Readlink(link); err == nil && other == namespace {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			must(t, err)
			members = append(members, pid)
		}
	}
	slices.Sort(members)
	return members
}

// peek returns what the root of a user namespace of its own, whose users are count of the host's from start on, sees of a process; with
// count 0, what root sees.
func peek(t *testing.T, process, start, count int) string {
	t.Helper()
	copyFile(t, program("payload"), "/run/peek") // where everybody may execute it
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/run/peek", "peek", strconv.Itoa(process))
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, "/"
	if count > 0 {
		ids := []syscall.SysProcIDMap{{HostID: start, Size: count}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
			Credential: &syscall.Credential{},
		}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	must(t, os.Remove("/run/peek"))
	return strings.TrimSpace(stdout.String())
}

// Before the payload is executed, what sets the container up has descriptors of the host. Nobody else is in its namespaces then, not
// even when it has just given up capabilities; and root of another container with the same users, if he knew its number, would see
// nothing of it, nor of the supervisor (CVE-2016-9962).
func TestFirstProcessIsNotSeen(t *testing.T) {
	halting := newHalting(t)
	root := newRoot(t, "web")
	for option, processes := range map[string]int{"--as-pid2=no": 1, "--as-pid2": 2} {
		t.Run(option, func(t *testing.T) {
			writeFile(t, "/run/halt-after", "inner limit capabilities")
			cmd := nspawn(root, removed([]string{option, "/bin/true"}, "--as-pid2=no")...)
			cmd.Path = halting
			c := launch(t, cmd)
			c.expect("halted")
			for _, kind := range []string{"pid", "user", "mnt"} {
				if members := membersOf(t, kind, c.init()); len(members) != processes {
					t.Errorf("%d processes in the %s namespace, want %d", len(members), kind, processes)
				}
			}
			users, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", c.init()))
			must(t, err)
			start, err := strconv.Atoi(strings.Fields(string(users))[1])
			must(t, err)
			for _, process := range append(membersOf(t, "pid", c.init()), cmd.Process.Pid) {
				if seen := peek(t, process, start, 65536); seen != "" {
					t.Errorf("root of another container sees %s of process %d", seen, process)
				}
				if seen := peek(t, process, 0, 0); !strings.HasSuffix(seen, "trace") { // a stub has no descriptors
					t.Errorf("root sees only %s of process %d", seen, process)
				}
			}
			c.kill()
			cleanup(t, root)
		})
	}
}

// The payload may be traced by its own users, and its files in /proc are theirs, as with systemd-nspawn; other processes of the host are
// not there.
func TestPayloadIsDumpable(t *testing.T) {
	root := newRoot(t, "web")
	script := `cd /proc/self; stat -c '%n %u:%g %a' status mem environ maps fd ns attr auxv cmdline
		grep -E '^(NoNewPrivs|CoreDumping|TracerPid|PPid)' /proc/1/status; cd /proc; echo [0-9]*; payload peek 1; true`
	users := []string{"--private-users=1048576:65536", "--private-users-ownership=map"}
	ours := shell(t, root, script, users...)
	theirs := finish(t, oracle(t, root, append(users, "/bin/sh", "-c", script)...))
	if ours != strings.TrimSpace(theirs.stdout) || !strings.HasSuffix(ours, "\n"+allSeen) {
		t.Errorf("ours:\n%s\nsystemd-nspawn:\n%s%s", ours, theirs.stdout, theirs.stderr)
	}
}
