package machined

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	systemdService   = "org.freedesktop.systemd1"
	systemdPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	systemdInterface = "org.freedesktop.systemd1.Manager"
)

// ErrNoSystemd says that there is no service manager on the system bus.
var ErrNoSystemd = errors.New("systemd is not available")

// Scope is the unit of a container that runs outside of a unit of its own (systemd.scope(5)), without --keep-unit.
type Scope struct {
	Machine    string
	Slice      string         // empty: machine.slice
	PIDs       []int          // moved into the scope
	KillSignal syscall.Signal // what stops the container's init; 0: SIGTERM to all
	Devices    []Device       // device nodes besides those of every container
	Properties []Property     // win over those above
}

// Property is a property of a transient unit. Its value has the type that the bus wants.
type Property struct {
	Name  string
	Value any
}

// Device is a DeviceAllow= entry (systemd.resource-control(5)).
type Device struct {
	Node   string // "/dev/fuse", "char-drm"
	Access string // of "rwm"
}

// ScopeName returns the name of the scope of a machine: "machine-web.scope".
func ScopeName(machine string) string {
	var name strings.Builder
	name.WriteString("machine-")
	for i := range len(machine) {
		switch c := machine[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == ':', c == '.' && i > 0:
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, `\x%02x`, c) // systemd.unit(5), "String escaping for inclusion in unit names"
		}
	}
	name.WriteString(".scope")
	return name.String()
}

// StartScope starts the scope and waits until its processes are in it.
func (c Client) StartScope(ctx context.Context, s Scope) error {
	return systemdError(ScopeName(s.Machine), "start", c.startScope(ctx, s))
}

func (c Client) startScope(ctx context.Context, s Scope) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	// Listen first: the job may be done before its path is known here.
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(systemdInterface), dbus.WithMatchMember("JobRemoved"),
		dbus.WithMatchObjectPath(systemdPath)); err != nil {
		return fmt.Errorf("watch jobs: %w", err)
	}
	var job dbus.ObjectPath
	var auxiliary []struct {
		Name       string
		Properties []property
	}
	properties := append([]property{{"CoredumpReceive", dbus.MakeVariant(true)}}, scopeProperties(s)...)
	for end := time.Now().Add(leaveTime); ; {
		err = call(ctx, conn.Object(systemdService, systemdPath), systemdInterface+".StartTransientUnit", &job,
			ScopeName(s.Machine), "fail", properties, auxiliary)
		if isRemote(err, "org.freedesktop.DBus.Error.PropertyReadOnly") && properties[0].Name == "CoredumpReceive" {
			properties = properties[1:] // systemd before 255
			continue
		}
		if !isRemote(err, "org.freedesktop.systemd1.UnitExists") {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: a container of this name runs", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	return waitForJob(ctx, signals, job)
}

// leaveTime is how long the scope of a container that has just ended may take to go: systemd is told by the kernel, and its
// processes may have been killed a moment ago.
const leaveTime = 3 * time.Second

func isRemote(err error, name string) bool {
	var remote remoteError
	return errors.As(err, &remote) && remote.name == name
}

// waitForJob waits for the signal JobRemoved(id, job, unit, result).
func waitForJob(ctx context.Context, signals <-chan *dbus.Signal, job dbus.ObjectPath) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for job %s: %w", job, context.Cause(ctx))
		case signal, open := <-signals:
			switch {
			case !open:
				return fmt.Errorf("wait for job %s: connection to the bus lost", job)
			case signal.Name != systemdInterface+".JobRemoved" || len(signal.Body) < 4 || signal.Body[1] != job:
				continue
			case signal.Body[3] != "done":
				return fmt.Errorf("job %s: %v", job, signal.Body[3])
			}
			return nil
		}
	}
}

// property is one (sv) of a transient unit.
type property struct {
	Name  string
	Value dbus.Variant
}

// scopeProperties returns what systemd-nspawn sets for its scopes, without Controller and AddRef: both hold only as long as
// a connection to the bus that is not kept here.
func scopeProperties(s Scope) []property {
	slice := s.Slice
	if slice == "" {
		slice = "machine.slice"
	}
	pids := make([]uint32, len(s.PIDs))
	for i, pid := range s.PIDs {
		pids[i] = uint32(pid)
	}
	// The same devices as in systemd-nspawn@.service.
	devices := append([]Device{{"/dev/net/tun", "rwm"}, {"char-pts", "rw"}}, s.Devices...)

	properties := []property{
		{"PIDs", dbus.MakeVariant(pids)},
		{"Description", dbus.MakeVariant("Container " + s.Machine)},
		{"Delegate", dbus.MakeVariant(true)},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
		{"Slice", dbus.MakeVariant(slice)},
		{"DevicePolicy", dbus.MakeVariant("closed")},
		{"DeviceAllow", dbus.MakeVariant(devices)},
	}
	if s.KillSignal != 0 {
		properties = append(properties,
			property{"KillSignal", dbus.MakeVariant(int32(s.KillSignal))},
			property{"KillMode", dbus.MakeVariant("mixed")})
	}
	for _, p := range s.Properties {
		properties = append(properties, property{p.Name, dbus.MakeVariant(p.Value)})
	}
	return properties
}

// KillScope kills every process that is left in the scope of a machine, which ends the scope. It is no error if there is none.
func (c Client) KillScope(ctx context.Context, machine string) error {
	conn, err := c.connect(ctx)
	if err == nil {
		defer conn.Close()
		err = call(ctx, conn.Object(systemdService, systemdPath), systemdInterface+".KillUnit", nil,
			ScopeName(machine), "all", int32(syscall.SIGKILL))
	}
	if isRemote(err, "org.freedesktop.systemd1.NoSuchUnit") {
		return nil
	}
	return systemdError(ScopeName(machine), "kill", err)
}

// systemdError names the unit, and makes a missing service [ErrNoSystemd].
func systemdError(unit, step string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errNoService) {
		err = fmt.Errorf("%w: %w", ErrNoSystemd, err)
	}
	return fmt.Errorf("%s %s: %w", step, unit, err)
}
