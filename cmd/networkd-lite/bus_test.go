package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

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

// A bus that takes connections and never says a word keeps neither the service manager waiting, although there is a link to serve, nor the
// container from its network.
func TestMuteBus(t *testing.T) {
	w := newWorld(t)
	bus, err := net.Listen("unix", filepath.Join(w.root, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	web := w.addContainer("web")
	w.startDaemon()
	if said := w.daemon.said(); strings.Contains(said, "ve-web") {
		t.Errorf("ready only after a look at the links: %s", said)
	}
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease %q, want %q", lease, webLease)
	}
}
