package machined

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// busConfig lets everybody on the bus do everything; systemd's own services start on demand, and fail.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%[1]s/bus</listen>
  <servicedir>%[1]s</servicedir>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
`

// privateBus starts a message bus and returns a client whose only way is this bus, and a connection to it.
func privateBus(t *testing.T, services ...string) (Client, *dbus.Conn) {
	t.Helper()
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("set NSPAWNKIT_KERNEL_TESTS=1 to run tests that need dbus-daemon")
	}
	directory := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("config", fmt.Sprintf(busConfig, directory))
	for _, service := range services {
		write(service+".service", "[D-BUS Service]\nName="+service+"\nExec=/bin/false\n")
	}
	daemon := exec.Command("dbus-daemon", "--nofork", "--config-file="+filepath.Join(directory, "config"))
	daemon.Stderr = t.Output()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	client := Client{Socket: filepath.Join(directory, "no-varlink"), Bus: "unix:path=" + filepath.Join(directory, "bus")}
	for range 500 {
		if conn, err := dbus.Connect(client.Bus); err == nil {
			t.Cleanup(func() { _ = conn.Close() })
			return client, conn
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("dbus-daemon does not answer")
	return Client{}, nil
}

// serve puts an object on the bus under a name.
func serve(t *testing.T, conn *dbus.Conn, name string, path dbus.ObjectPath, iface string, object any) {
	t.Helper()
	if err := conn.Export(object, path, iface); err != nil {
		t.Fatal(err)
	}
	reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner && reply != dbus.RequestNameReplyAlreadyOwner {
		t.Fatalf("own %s: %v, %v", name, reply, err)
	}
}

// fakeMachined is the manager object of systemd-machined 252.
type fakeMachined struct {
	calls chan string
	gone  *atomic.Bool // web is unregistered
}

func (f fakeMachined) RegisterMachineWithNetwork(name string, id []byte, service, class string, leader uint32, root string,
	interfaces []int32,
) (dbus.ObjectPath, *dbus.Error) {
	f.calls <- fmt.Sprintf("register %s %x %s %s %d %s %v", name, id, service, class, leader, root, interfaces)
	if name == "twice" {
		return "", dbus.NewError("org.freedesktop.machine1.MachineExists", []any{"Machine 'twice' already exists"})
	}
	return "/org/freedesktop/machine1/machine/web", nil
}

func (f fakeMachined) UnregisterMachine(name string) *dbus.Error {
	f.calls <- "unregister " + name
	f.gone.Store(true)
	return nil
}

func (f fakeMachined) GetMachine(name string) (dbus.ObjectPath, *dbus.Error) {
	if name != "web" || f.gone.Load() {
		return "", dbus.NewError("org.freedesktop.machine1.NoSuchMachine", []any{"No machine '" + name + "' known"})
	}
	return "/org/freedesktop/machine1/machine/web", nil
}

// fakeProperties is the Properties interface of a machine's object.
type fakeProperties struct{}

func (fakeProperties) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	if iface != "org.freedesktop.machine1.Machine" || name != "Leader" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return dbus.MakeVariant(uint32(4711)), nil
}

func TestBus(t *testing.T) {
	client, conn := privateBus(t)
	calls := make(chan string, 1)
	serve(t, conn, machineService, machinePath, machineInterface, fakeMachined{calls, new(atomic.Bool)})
	serve(t, conn, machineService, "/org/freedesktop/machine1/machine/web", "org.freedesktop.DBus.Properties", fakeProperties{})

	if err := client.Register(t.Context(), testRegistration()); err != nil {
		t.Error(err)
	}
	want := "register web 012345670000000000000000000000ff systemd-nspawn container 4711 /var/lib/machines/web [3 4]"
	if got := <-calls; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	twice := testRegistration()
	twice.Name = "twice"
	if err := client.Register(t.Context(), twice); !errors.Is(err, ErrMachineExists) {
		t.Errorf("twice: %v", err)
	}
	<-calls
	if pid, err := client.Leader(t.Context(), "web"); pid != 4711 || err != nil {
		t.Errorf("leader: %d, %v", pid, err)
	}
	if _, err := client.Leader(t.Context(), "none"); !errors.Is(err, ErrNoSuchMachine) {
		t.Errorf("leader of none: %v", err)
	}
	if err := client.Unregister(t.Context(), "web"); err != nil {
		t.Error(err)
	}
	if got := <-calls; got != "unregister web" {
		t.Error(got)
	}
}

func TestBusWithoutServices(t *testing.T) {
	for _, activatable := range [][]string{nil, {machineService, systemdService}} {
		client, _ := privateBus(t, activatable...)
		if err := client.Register(t.Context(), testRegistration()); !errors.Is(err, ErrNoMachined) {
			t.Errorf("activatable %v: %v", activatable, err)
		}
		if err := client.StartScope(t.Context(), Scope{Machine: "web"}); !errors.Is(err, ErrNoSystemd) {
			t.Errorf("activatable %v: %v", activatable, err)
		}
	}
}

// fakeSystemd is the manager object of a service manager whose jobs end before their path is told.
type fakeSystemd struct {
	conn  *dbus.Conn
	calls chan string
	left  *atomic.Int32 // how often a unit that leaves was asked for
}

func (f fakeSystemd) StartTransientUnit(name, mode string, properties []property, auxiliary []struct {
	Name       string
	Properties []property
},
) (dbus.ObjectPath, *dbus.Error) {
	var text strings.Builder
	for _, p := range properties {
		fmt.Fprintf(&text, " %s:%s=%v", p.Name, p.Value.Signature(), p.Value.Value())
	}
	if strings.Contains(name, "taken") || strings.Contains(name, "leaving") && f.left.Add(1) < 3 {
		return "", dbus.NewError("org.freedesktop.systemd1.UnitExists", []any{"Unit " + name + " was already loaded"})
	}
	if strings.Contains(name, "old") && strings.Contains(text.String(), "CoredumpReceive") {
		return "", dbus.NewError("org.freedesktop.DBus.Error.PropertyReadOnly", []any{"Cannot set property CoredumpReceive, or unknown property."})
	}
	f.calls <- fmt.Sprintf("%s %s%s %d", name, mode, text.String(), len(auxiliary))
	result := "done"
	if strings.Contains(name, "bad") {
		result = "failed"
	}
	for job, outcome := range map[dbus.ObjectPath]string{"/job/1": "canceled", "/job/2": result} {
		if err := f.conn.Emit(systemdPath, systemdInterface+".JobRemoved", uint32(1), job, name, outcome); err != nil {
			return "", dbus.MakeFailedError(err)
		}
	}
	return "/job/2", nil
}

func (f fakeSystemd) KillUnit(name, whom string, signal int32) *dbus.Error {
	if strings.Contains(name, "gone") {
		return dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + name + " not loaded."})
	}
	f.calls <- fmt.Sprintf("kill %s %s %d", name, whom, signal)
	return nil
}

func TestScope(t *testing.T) {
	client, conn := privateBus(t)
	calls := make(chan string, 1)
	serve(t, conn, systemdService, systemdPath, systemdInterface, fakeSystemd{conn, calls, new(atomic.Int32)})

	err := client.StartScope(t.Context(), Scope{
		Machine: "web-1", PIDs: []int{42}, KillSignal: 37, Devices: []Device{{"/dev/fuse", "rw"}},
		Properties: []Property{
			{"MemoryMax", uint64(64 << 20)}, {"TasksMaxScale", uint32(1)}, {"IOReadBandwidthMax", []struct {
				Path  string
				Value uint64
			}{{"/dev/vda", 1000}}}, {"IPAddressDeny", []struct {
				Family  int32
				Address []byte
				Bits    uint32
			}{{2, []byte{10, 0, 0, 0}, 8}}}, {"AllowedCPUs", []byte{3}}, {"After", []string{"a.service"}}, {"IOWeight", uint64(5)},
		},
	})
	if err != nil {
		t.Error(err)
	}
	want := `machine-web\x2d1.scope fail CoredumpReceive:b=true PIDs:au=[42] Description:s=Container web-1 Delegate:b=true CollectMode:s=inactive-or-failed` +
		` Slice:s=machine.slice DevicePolicy:s=closed DeviceAllow:a(ss)=[[/dev/net/tun rwm] [char-pts rw] [/dev/fuse rw]]` +
		` KillSignal:i=37 KillMode:s=mixed MemoryMax:t=67108864 TasksMaxScale:u=1 IOReadBandwidthMax:a(st)=[[/dev/vda 1000]]` +
		` IPAddressDeny:a(iayu)=[[2 [10 0 0 0] 8]] AllowedCPUs:ay=[3] After:as=[a.service] IOWeight:t=5 0`
	if got := <-calls; got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	// Older versions of systemd do not know all of it.
	if err := client.StartScope(t.Context(), Scope{Machine: "old"}); err != nil {
		t.Error(err)
	}
	if got := <-calls; !strings.HasPrefix(got, "machine-old.scope fail PIDs:") {
		t.Error(got)
	}
	// The scope of a container that has just ended is waited for, that of one that runs is not.
	if err := client.StartScope(t.Context(), Scope{Machine: "leaving"}); err != nil {
		t.Error(err)
	}
	<-calls
	err = client.StartScope(t.Context(), Scope{Machine: "taken"})
	if err == nil || !strings.HasSuffix(err.Error(), "a container of this name runs") {
		t.Error(err)
	}
	err = client.StartScope(t.Context(), Scope{Machine: "bad"})
	if want := "start machine-bad.scope: job /job/2: failed"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	<-calls
	if err := client.KillScope(t.Context(), "web"); err != nil {
		t.Error(err)
	}
	if got := <-calls; got != "kill machine-web.scope all 9" {
		t.Error(got)
	}
	if err := client.KillScope(t.Context(), "gone"); err != nil {
		t.Errorf("no such unit: %v", err)
	}
}
