// Package busname follows whether a program runs that has a well-known name on the system bus.
package busname

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

// Watch has the connection tell when the owner of a name changes (D-Bus specification, NameOwnerChanged), among the signals that it was
// asked for otherwise, and returns whether the name has one now. signals ends with the connection.
func Watch(conn *dbus.Conn, name string) (signals <-chan *dbus.Signal, owned bool, err error) {
	received := make(chan *dbus.Signal, 16)
	conn.Signal(received)
	err = conn.AddMatchSignal(
		dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name))
	if err == nil {
		err = conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
	}
	if err != nil {
		return nil, false, fmt.Errorf("watch the owner of %s: %w", name, err)
	}
	return received, owned, nil
}

// Changed reads a signal: whether it is one of [Watch] about the name, and whether the name has an owner since.
func Changed(signal *dbus.Signal, name string) (owned, changed bool) {
	if signal.Name != "org.freedesktop.DBus.NameOwnerChanged" || len(signal.Body) != 3 || signal.Body[0] != name {
		return false, false
	}
	if signal.Sender != "org.freedesktop.DBus" {
		return false, false // any program may send a signal of that name to us
	}
	owner, ok := signal.Body[2].(string)
	return owner != "", ok
}
