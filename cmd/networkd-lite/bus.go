package main

import (
	"cmp"
	"context"
	"os"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network/kernel"
)

// busConnector returns a function that connects to the system bus, for one who tries again and again. After a failure the next attempt
// waits for the socket of the bus, until ctx ends: a host without a bus has no work with it. Where nobody answers at the socket the
// attempts become rarer.
func busConnector(ctx context.Context) func(context.Context) (*dbus.Conn, error) {
	failures := 0
	return func(inner context.Context) (*dbus.Conn, error) {
		if failures > 0 {
			awaitBus(ctx, min(time.Second<<min(failures, 10), time.Minute))
		}
		conn, err := dbus.ConnectSystemBus(dbus.WithContext(inner))
		if failures++; err == nil {
			failures = 0
		}
		return conn, err
	}
}

// awaitBus waits for the socket, or for a while where it exists, or where the bus has another kind of address.
func awaitBus(ctx context.Context, while time.Duration) {
	path := busSocket(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"))
	if _, err := os.Stat(path); os.IsNotExist(err) && path != "" {
		if kernel.AwaitFile(ctx, path) == nil {
			return
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(while):
	}
}

// busSocket returns the path in an address of the system bus (D-Bus specification, "Server Addresses"); empty: it has none. Without an
// address it is the usual one.
func busSocket(address string) string {
	path, isPath := strings.CutPrefix(cmp.Or(address, "unix:path=/var/run/dbus/system_bus_socket"), "unix:path=")
	if !isPath || strings.ContainsAny(path, ",;%") {
		return ""
	}
	return path
}
