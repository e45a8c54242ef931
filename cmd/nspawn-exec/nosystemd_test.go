package main_test

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// withoutSystemd makes a host that systemd does not run on: there is no /run/systemd and no bus, but the unified hierarchy with a
// control group.
func withoutSystemd(t *testing.T) (unit string) {
	t.Helper()
	unit = newControlGroup(t)
	must(t, os.RemoveAll("/run/systemd"))
	must(t, os.RemoveAll("/run/dbus"))
	t.Cleanup(func() { must(t, os.MkdirAll("/run/systemd/netif/state", 0o755)) }) // as the other tests want it
	return unit
}

// alone is a container as a user of such a host starts it.
func alone(root string, arguments ...string) *exec.Cmd {
	cmd := nspawn(root, "--network-veth", "--link-journal=try-guest")
	cmd.Args = append(removed(removed(cmd.Args, "--keep-unit"), "--register=no"), arguments...)
	return cmd
}

// noAddress is what is said where nothing gives the container an address.
const noAddress = "neither networkd-lite nor systemd-networkd runs, so the container gets no address: start networkd-lite\n"

const groupOfLonely = controlGroups + "/machine-lonely"

// A container's whole life on a host without systemd: started, stopped in order, rebooted, killed, started again, cleaned up.
func TestWithoutSystemd(t *testing.T) {
	unit, root := withoutSystemd(t), newRoot(t, "lonely")
	const script = `trap 'echo asked; exit 3' USR2; hostname; mkdir /sys/fs/cgroup/below && echo divided; echo up; while :; do sleep 0.05; done`
	for _, register := range [][]string{nil, {"--register=auto"}, {"--register=no"}, {"--keep-unit"}} {
		t.Run("register "+strings.Join(register, " "), func(t *testing.T) {
			cmd := alone(root, append(register, "--kill-signal=SIGUSR2", "/bin/sh", "-c", script)...)
			keepUnit := slices.Contains(register, "--keep-unit")
			if keepUnit { // the control group it was started in is its own
				group, err := os.Open(unit)
				must(t, err)
				defer group.Close()
				cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
			}
			c := launch(t, cmd)
			c.expect("lonely")
			c.expect("divided")
			c.expect("up")
			if _, err := net.InterfaceByName("ve-lonely"); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(groupOfLonely); (err == nil) == keepUnit {
				t.Errorf("control group: %v", err)
			}
			c.signal(syscall.SIGTERM)
			c.expect("asked")
			if status := c.wait(); status != 3 || c.stderr.String() != noAddress {
				t.Errorf("status %d: %s", status, c.stderr.String())
			}
			cleanLonely(t, root)
		})
	}
	t.Run("reboot", func(t *testing.T) {
		r := finish(t, alone(root, "/bin/sh", "-c", "test -e /second && exit 5; touch /second; exec /bin/payload reboot"))
		if r.status != 5 || r.stderr != noAddress+noAddress {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
		cleanLonely(t, root)
	})
	t.Run("ephemeral", func(t *testing.T) {
		if r := finish(t, alone(root, "--ephemeral", "/bin/true")); r.status != 0 || r.stderr != noAddress {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
		cleanLonely(t, root)
	})
}

// A container that was killed on such a host is cleaned up, or starts again, and leaves nothing.
func TestKilledWithoutSystemd(t *testing.T) {
	withoutSystemd(t)
	root := newRoot(t, "lonely")
	for _, end := range []func(){
		func() { cleanup(t, root) },
		func() {
			if r := finish(t, alone(root, "/bin/true")); r.status != 0 {
				t.Errorf("status %d: %s", r.status, r.stderr)
			}
		},
	} {
		c := launch(t, alone(root, sleeper...))
		c.expect("up")
		c.kill()
		if _, err := os.Stat(groupOfLonely); err != nil {
			t.Errorf("nothing to clean up: %v", err)
		}
		end()
		cleanLonely(t, root)
	}
}

func cleanLonely(t *testing.T, root string) {
	t.Helper()
	clean(t, root, controlGroups)
	if _, err := os.Stat(groupOfLonely); err == nil {
		t.Errorf("%s is left over", groupOfLonely)
	}
}

// Who asks for a registration is told that there is nobody to register with; nothing is left of the try.
func TestRegisterWithoutSystemd(t *testing.T) {
	withoutSystemd(t)
	root := newRoot(t, "lonely")
	r := finish(t, alone(root, "--register=yes", "/bin/echo", "payload runs"))
	refused(t, r, "register with machined: register machine lonely: systemd-machined is not available")
	if !strings.HasPrefix(r.stderr, noAddress) || strings.Count(r.stderr, "\n") != 2 {
		t.Errorf("not one line: %s", r.stderr)
	}
	cleanLonely(t, root)
}
