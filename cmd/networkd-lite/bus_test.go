package main

import "testing"

func TestBusSocket(t *testing.T) {
	for address, want := range map[string]string{
		"":                                   "/var/run/dbus/system_bus_socket",
		"unix:path=/run/bus":                 "/run/bus",
		"unix:abstract=/run/bus":             "",
		"unix:path=/run/a%20b":               "",
		"unix:path=/run/bus,guid=0123456789": "",
		"unix:path=/run/bus;tcp:host=::1":    "",
		"tcp:host=localhost,port=1":          "",
	} {
		if got := busSocket(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
