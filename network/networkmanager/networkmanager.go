// Package networkmanager finds out whether NetworkManager manages a link, and by which file it was told not to.
//
// It stands beside network/kernel because it asks another program, over D-Bus and files, instead of the kernel.
package networkmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/godbus/dbus/v5"
)

const (
	busName = "org.freedesktop.NetworkManager"

	// unmanaged is NM_DEVICE_STATE_UNMANAGED of its D-Bus API; greater ones are steps of its work on the link.
	unmanaged = 10
)

// Manages reports whether NetworkManager runs and manages the link of that name.
func Manages(ctx context.Context, conn *dbus.Conn, link string) (bool, error) {
	var device dbus.ObjectPath
	err := conn.Object(busName, "/org/freedesktop/NetworkManager").
		CallWithContext(ctx, busName+".GetDeviceByIpIface", dbus.FlagNoAutoStart, link).Store(&device)
	if says := (dbus.Error{}); errors.As(err, &says) && absent(says.Name) {
		return false, nil
	}
	var state uint32
	if err == nil {
		err = conn.Object(busName, device).
			CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, busName+".Device", "State").Store(&state)
	}
	if err != nil {
		return false, fmt.Errorf("ask NetworkManager about %s: %w", link, err)
	}
	return state > unmanaged, nil
}

// absent reports whether an error says that it does not run, or knows no such link.
func absent(name string) bool {
	return name == "org.freedesktop.DBus.Error.ServiceUnknown" || name == "org.freedesktop.DBus.Error.NameHasNoOwner" || name == busName+".UnknownDevice"
}

// Shipped is the file, below root, that comes with this program and has NetworkManager leave the links of containers alone.
const (
	file    = "NetworkManager/conf.d/nspawnkit.conf"
	Shipped = "usr/lib/" + file
)

// File returns the path below root of the file that has NetworkManager leave the links of containers alone: the first of those of that name
// (NetworkManager.conf(5)). Empty: there is none.
func File(root fs.FS) string {
	for _, path := range []string{"etc/" + file, "run/" + file, Shipped} {
		if _, err := fs.Stat(root, path); err == nil {
			return path
		}
	}
	return ""
}
