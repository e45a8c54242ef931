package machined

import "strings"

// remoteError is an error that a service returned over Varlink or D-Bus.
type remoteError struct{ name, detail string }

// Error implements error.
func (e remoteError) Error() string {
	if kind := e.Unwrap(); kind != nil {
		return kind.Error() + " (" + strings.TrimSuffix(e.name+": "+e.detail, ": ") + ")"
	}
	return strings.TrimSuffix(e.name+": "+e.detail, ": ")
}

// Unwrap returns what the error means for this package, nil if it has no name for it.
func (e remoteError) Unwrap() error {
	switch e.name {
	case "io.systemd.Machine.MachineExists", "org.freedesktop.machine1.MachineExists":
		return ErrMachineExists
	case "io.systemd.Machine.NoSuchMachine", "org.freedesktop.machine1.NoSuchMachine":
		return ErrNoSuchMachine
	case "org.varlink.service.InterfaceNotFound", "org.varlink.service.MethodNotFound", "org.varlink.service.MethodNotImplemented":
		return errNoVarlink
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		// What activation by systemd fails with where the unit of the service is not installed or masked.
		"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked", "org.freedesktop.systemd1.LoadFailed":
		return errNoService
	}
	if strings.HasPrefix(e.name, "org.freedesktop.DBus.Error.Spawn.") { // activation without systemd
		return errNoService
	}
	return nil
}
