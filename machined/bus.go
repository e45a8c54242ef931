package machined

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/godbus/dbus/v5"
)

const (
	machineService   = "org.freedesktop.machine1"
	machinePath      = dbus.ObjectPath("/org/freedesktop/machine1")
	machineInterface = "org.freedesktop.machine1.Manager"
)

// errNoService says that there is no bus, or nobody on it has or can get the name called.
var errNoService = errors.New("no such service on the system bus")

// connect connects to the bus; the caller closes the connection.
func (c Client) connect(ctx context.Context) (*dbus.Conn, error) {
	address := c.Bus
	if address == "" {
		address = "unix:path=/run/dbus/system_bus_socket"
	}
	conn, err := dbus.Connect(address, dbus.WithContext(ctx)) // the end of ctx closes the connection
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("%w: %w", errNoService, err)
	}
	return nil, fmt.Errorf("connect to system bus: %w", err)
}

// callMachine calls a method of systemd-machined's manager object.
func (c Client) callMachine(ctx context.Context, method string, reply any, arguments ...any) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return machinedError(err)
	}
	defer conn.Close()
	return machinedError(call(ctx, conn.Object(machineService, machinePath), machineInterface+"."+method, reply, arguments...))
}

// busLeader asks for the property Leader of a machine's object.
func (c Client) busLeader(ctx context.Context, name string) (int, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return 0, machinedError(err)
	}
	defer conn.Close()

	var path dbus.ObjectPath
	if err := call(ctx, conn.Object(machineService, machinePath), machineInterface+".GetMachine", &path, name); err != nil {
		return 0, machinedError(err)
	}
	var pid uint32
	err = call(ctx, conn.Object(machineService, path), "org.freedesktop.DBus.Properties.Get", &pid,
		"org.freedesktop.machine1.Machine", "Leader")
	return int(pid), machinedError(err)
}

// call calls a method and stores its result in reply unless that is nil.
func call(ctx context.Context, object dbus.BusObject, method string, reply any, arguments ...any) error {
	result := object.CallWithContext(ctx, method, 0, arguments...)
	if result.Err == nil && reply != nil {
		result.Err = result.Store(reply)
	}
	if result.Err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
	var failure dbus.Error
	if errors.As(result.Err, &failure) {
		detail := ""
		if len(failure.Body) > 0 {
			detail, _ = failure.Body[0].(string)
		}
		return fmt.Errorf("%s: %w", method, remoteError{failure.Name, detail})
	}
	return fmt.Errorf("%s: %w", method, result.Err)
}

// machinedError makes a missing service [ErrNoMachined].
func machinedError(err error) error {
	if errors.Is(err, errNoService) {
		return fmt.Errorf("%w: %w", ErrNoMachined, err)
	}
	return err
}
