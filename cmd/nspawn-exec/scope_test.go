package main_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// scopeManager is a service manager that takes down what it is asked to start, as NAME:TYPE=VALUE by name.
type scopeManager struct {
	conn  *dbus.Conn
	units chan map[string]string
}

func (m scopeManager) StartTransientUnit(unit, mode string, properties []struct {
	Name  string
	Value dbus.Variant
}, _ []struct {
	Name       string
	Properties []struct {
		Name  string
		Value dbus.Variant
	}
},
) (dbus.ObjectPath, *dbus.Error) {
	got := map[string]string{"unit": unit, "mode": mode}
	for _, p := range properties {
		got[p.Name] += fmt.Sprintf("%s=%v ", p.Value.Signature(), p.Value.Value())
		got[p.Name] = strings.ReplaceAll(got[p.Name], "]] a(ss)=[[", "] [") // the same in one list or in several
	}
	m.units <- got
	if err := m.conn.Emit("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.JobRemoved", uint32(1), dbus.ObjectPath("/job"), unit, "done"); err != nil {
		return "", dbus.MakeFailedError(err)
	}
	return "/job", nil
}

// newScopeManager makes this private host one that systemd seems to run on.
func newScopeManager(t *testing.T) scopeManager {
	t.Helper()
	needKernel(t)
	must(t, os.MkdirAll("/run/dbus", 0o755))
	must(t, os.MkdirAll("/run/systemd/system", 0o755))
	writeFile(t, "/run/dbus/config", `<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen>
		<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`)
	daemon := exec.Command("dbus-daemon", "--nofork", "--config-file=/run/dbus/config")
	must(t, daemon.Start())
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		must(t, os.RemoveAll("/run/dbus"))
		must(t, os.RemoveAll("/run/systemd/system"))
	})
	m := scopeManager{units: make(chan map[string]string, 10)}
	eventually(t, "the bus answers", func() bool {
		conn, err := dbus.Connect("unix:path=/run/dbus/system_bus_socket")
		m.conn = conn
		return err == nil
	})
	must(t, m.conn.Export(m, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"))
	_, err := m.conn.RequestName("org.freedesktop.systemd1", dbus.NameFlagDoNotQueue)
	must(t, err)
	return m
}

// started returns the unit that a command asks for, without what is different each time.
func (m scopeManager) started(t *testing.T, cmd *exec.Cmd) map[string]string {
	t.Helper()
	r := finish(t, cmd)
	select {
	case unit := <-m.units:
		if unit["PIDs"] == "" {
			t.Errorf("no process is put into the unit: %v", unit)
		}
		for _, name := range []string{"PIDs", "Controller", "AddRef"} {
			delete(unit, name)
		}
		return unit
	default:
		t.Fatalf("no unit is asked for: status %d, %s", r.status, r.stderr)
		return nil
	}
}

// The scope is asked for as by systemd-nspawn 252, with each kind of property.
func TestScopeLikeOracle(t *testing.T) {
	manager, root := newScopeManager(t), newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	must(t, os.Mkdir(root+"/sbin", 0o755))
	copyFile(t, root+"/bin/payload", root+"/sbin/init")
	for _, options := range [][]string{
		{}, {"--slice=a-b.slice"}, {"-S", "other"}, {"--boot"}, {"--kill-signal=SIGUSR1"}, {"--bind=/dev/null:/mnt/null", "--bind-ro=/dev/zero:/mnt/zero"},
		{"--property=MemoryMax=64M", "--property=CPUQuota=150%", "--property=CPUQuotaPeriodSec=10ms", "--property=TasksMax=10"},
		{"--property=MemoryMax=50%", "--property=MemoryLow=33.3%", "--property=TasksMax=1%", "--property=MemorySwapMax=infinity"},
		{"--property=MemoryMax=", "--property=TasksMax=", "--property=CPUQuota=", "--property=CPUWeight=", "--property=MemoryMin=", "--property=MemoryLow="},
		{"--property=CPUWeight=idle", "--property=IOWeight=7", "--property=StartupCPUWeight=8", "--property=AllowedCPUs=0-1,9"},
		{"--property=IOReadBandwidthMax=/dev/vda 5M", "--property=IOWriteIOPSMax=/dev/vda infinity", "--property=IODeviceWeight=/dev/vda 7"},
		{"--property=IODeviceLatencyTargetSec=/ 5ms", "--property=IODeviceWeight="},
		{"--property=DeviceAllow=/dev/fuse rw", "--property=DeviceAllow=char-drm r", "--property=DevicePolicy=auto"},
		{"--property=IPAddressDeny=any", "--property=IPAddressAllow=localhost", "--property=IPAddressAllow=link-local", "--property=IPAddressAllow=192.0.2.0/24 2001:db8::1"},
		{"--property=ManagedOOMSwap=kill", "--property=ManagedOOMMemoryPressureLimit=60%", "--property=CPUAccounting=yes"},
		{"--property=KillSignal=SIGHUP", "--property=SendSIGHUP=yes", "--property=TimeoutStopSec=1min 30s", "--property=RuntimeMaxSec=1h"},
		{"--property=After=a.service b.service", "--property=Description=My container", "--property=DisableControllers=cpu io"},
		{"--property=MemoryMax=1M", "--property=MemoryMax=2M"},
	} {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			ours := nspawn(root, append(options, "/bin/true")...)
			theirs := oracle(t, root, append(options, "/bin/true")...)
			var units [2]map[string]string
			for i, cmd := range []*exec.Cmd{ours, theirs} {
				cmd.Args = removed(cmd.Args, "--keep-unit")
				units[i] = manager.started(t, cmd)
			}
			// systemd-nspawn registers the machine with a unit of this name, and without machined leaves "machine-" out.
			units[1]["unit"] = "machine-" + units[1]["unit"]
			delete(units[0], "CoredumpReceive") // since 254
			for _, name := range slices.Sorted(maps.Keys(units[1])) {
				if units[0][name] != units[1][name] {
					t.Errorf("%s: %q, systemd-nspawn %q", name, units[0][name], units[1][name])
				}
				delete(units[0], name)
			}
			if len(units[0]) > 0 {
				t.Errorf("only here: %v", units[0])
			}
		})
	}
	refused(t, run(t, root, "--property=Banana=1", "/bin/true"), "--property=Banana=1: Banana is not a property that can be set for a scope")
	r := run(t, root, "--property=MemoryMax=1M", "/bin/true")
	if r.status != 0 || !strings.Contains(r.stderr, "no effect with --keep-unit") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}
