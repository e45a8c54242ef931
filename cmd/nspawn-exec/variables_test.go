package main_test

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// environmentReport says what the variables of the program's environment change inside.
const environmentReport = `for place in /tmp /sys /sys/block /sys/kernel /sys/fuse /proc/sys /proc/sys/net /proc/bus /proc/irq /proc/fs; do
		echo $place $(stat -f -c %T $place 2>/dev/null) $(grep " $place " /proc/self/mountinfo | busybox tail -n 1 | busybox cut -d ' ' -f 6 | busybox cut -c 1-2).
	done
	echo $container $(cat /run/host/container-manager)`

// Each variable of systemd-nspawn's ENVIRONMENT.md does the same for ours and for systemd-nspawn, in all kinds of namespaces.
func TestVariables(t *testing.T) {
	root := newMergedRoot(t, "web")
	kinds := map[string][]string{
		"users, network": {"--private-users=pick", "--private-network"}, "users": {"--private-users=pick", hostNetwork},
		"network": {"--private-users=no", "--private-network"}, "neither": {"--private-users=no", hostNetwork},
	}
	for variable, want := range map[string]string{
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=1": "/proc/sys proc .", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network": "/proc/sys/net proc rw.",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=no": "/proc/sys proc ro.", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=x": "",
		"SYSTEMD_NSPAWN_TMPFS_TMP=0": "/tmp ext2/ext3", "SYSTEMD_NSPAWN_TMPFS_TMP=yes": "/tmp tmpfs", "SYSTEMD_NSPAWN_TMPFS_TMP=x": "",
		"SYSTEMD_NSPAWN_CONTAINER_SERVICE=other": "other other", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=x": "", "SYSTEMD_NSPAWN_SHARE_NS_PID=x": "",
		"SYSTEMD_NSPAWN_SHARE_NS_PID=0": "/tmp tmpfs",
	} {
		t.Run(variable, func(t *testing.T) {
			seen := ""
			for kind, options := range kinds {
				arguments := append(options, "--timezone=off", "--resolv-conf=off", "/bin/sh", "-c", environmentReport)
				ours, theirs := nspawn(root, arguments...), oracle(t, root, removed(arguments, hostNetwork)...)
				ours.Env, theirs.Env = append(ours.Env, variable), append(theirs.Env, variable)
				got, oracle := finish(t, ours), finish(t, theirs)
				if got.status != oracle.status || got.stdout != oracle.stdout {
					t.Errorf("%s: status %d: %s%s\nsystemd-nspawn: status %d: %s%s", kind, got.status, got.stdout, got.stderr, oracle.status, oracle.stdout, oracle.stderr)
				}
				if name, _, _ := strings.Cut(variable, "="); got.status != 0 && !strings.Contains(got.stderr, "$"+name) {
					t.Errorf("%s: message %q", kind, got.stderr)
				}
				seen += got.stdout
			}
			if want == "" && seen != "" || !strings.Contains(seen, want) {
				t.Errorf("no %q in %q", want, seen)
			}
		})
	}
}

// withVariable runs a container with a variable in the program's environment.
func withVariable(t *testing.T, root, variable string, arguments ...string) result {
	t.Helper()
	cmd := nspawn(root, arguments...)
	cmd.Env = append(cmd.Env, variable)
	return finish(t, cmd)
}

func TestVariablesOfLocksAndTrees(t *testing.T) {
	root := newMergedRoot(t, "web")
	c := begin(t, root, sleeper...)
	for _, value := range []string{"0", "no"} {
		if r := withVariable(t, root, "SYSTEMD_NSPAWN_LOCK="+value, "--machine=other", "/bin/true"); r.status != 0 {
			t.Errorf("%s: status %d: %s", value, r.status, r.stderr)
		}
	}
	r := withVariable(t, root, "SYSTEMD_NSPAWN_LOCK=x", "--machine=other", "/bin/echo", "payload runs")
	refused(t, r, "$SYSTEMD_NSPAWN_LOCK=x: not a boolean", "ignoring\n", "currently busy")
	c.signal(syscall.SIGTERM)
	c.wait()

	must(t, os.RemoveAll(root+"/etc/os-release"))
	must(t, os.RemoveAll(root+"/usr/lib/os-release"))
	refused(t, withVariable(t, root, "A=1", "--boot"), "os-release file is missing), refusing")
	r = withVariable(t, root, "SYSTEMD_NSPAWN_CHECK_OS_RELEASE=off", "--boot")
	refused(t, r, "is missing an os-release file, continuing anyway\n", "none of /usr/lib/systemd/systemd")
	clean(t, root)
}

// $SYSTEMD_SECCOMP=0 takes the filter out, and says so.
func TestVariableOfFilter(t *testing.T) {
	root := newRoot(t, "web")
	const script = "grep ^Seccomp: /proc/self/status"
	if got := strings.Fields(shell(t, root, script)); got[1] != "2" {
		t.Errorf("without it: %q", got)
	}
	r := withVariable(t, root, "SYSTEMD_SECCOMP=0", "/bin/sh", "-c", script)
	if got := strings.Fields(r.stdout); len(got) != 2 || got[1] != "0" || r.stderr != "$SYSTEMD_SECCOMP=0: system calls are not filtered\n" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
}

// $SYSTEMD_NSPAWN_NETWORK_MAC is the container's address; the host's end keeps its own, by which it is found again.
func TestVariableOfHardwareAddress(t *testing.T) {
	root := newRoot(t, "web")
	before, after := "", ""
	for _, variable := range []string{"A=1", "SYSTEMD_NSPAWN_NETWORK_MAC=12:34:56:78:90:AB"} {
		cmd := nspawn(root, append([]string{"--network-veth"}, "/bin/sh", "-c", "cat /sys/class/net/host0/address; echo up; exec sleep 1000")...)
		cmd.Env = append(cmd.Env, variable)
		c := launch(t, cmd)
		if variable != "A=1" {
			c.expect("12:34:56:78:90:ab")
		}
		c.expect("up")
		link, err := net.InterfaceByName("ve-web")
		must(t, err)
		before, after = after, link.HardwareAddr.String()
		c.signal(syscall.SIGTERM)
		c.wait()
	}
	if before != after {
		t.Errorf("the host's end has %s, and had %s", after, before)
	}
	r := withVariable(t, root, "SYSTEMD_NSPAWN_NETWORK_MAC=12:34:56:78:90:AB", "/bin/true")
	if r.status != 0 || !strings.Contains(r.stderr, "$SYSTEMD_NSPAWN_NETWORK_MAC has no effect without --network-veth") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	clean(t, root)
}

// $SYSTEMD_LOG_… of systemd-nspawn(1): an error is not printed by both, or is by both.
func TestVariablesOfLogging(t *testing.T) {
	root := newMergedRoot(t, "web")
	for variable, silent := range map[string]bool{
		"SYSTEMD_LOG_LEVEL=crit": true, "SYSTEMD_LOG_LEVEL=2": true, "SYSTEMD_LOG_LEVEL=err": false,
		"SYSTEMD_LOG_LEVEL=loud": false, "SYSTEMD_LOG_TARGET=null": true, "SYSTEMD_LOG_TARGET=console": false,
	} {
		arguments := []string{"--private-users=no", "--private-network", "--timezone=off", "--resolv-conf=off", "--bind=/no/such", "/bin/echo", "payload runs"}
		ours, theirs := nspawn(root, arguments...), oracle(t, root, arguments...)
		ours.Env, theirs.Env = append(ours.Env, variable), append(theirs.Env, variable)
		got, oracle := finish(t, ours), finish(t, theirs)
		if refused(t, got); (got.stderr == "") != silent || (oracle.stderr == "") != silent {
			t.Errorf("%s: %q, systemd-nspawn %q", variable, got.stderr, oracle.stderr)
		}
	}
}
