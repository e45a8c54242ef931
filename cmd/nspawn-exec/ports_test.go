package main_test

import (
	"os"
	"syscall"
	"testing"
)

// Of two containers that want one port of the host the second is not started, unless the first one was killed.
func TestPortIsTaken(t *testing.T) {
	first, second := newRoot(t, "first"), newRoot(t, "second")
	owner := begin(t, first, append([]string{"--network-veth", "--port=8000-8080"}, sleeper...)...)
	if state := readMachine(t, "first"); len(state.Ports) != 1 || state.Ports[0].String() != "tcp:8000-8080" {
		t.Errorf("machine state %+v", state)
	}
	options := []string{"--network-veth", "--port=udp:8080", "--port=tcp:192.0.2.1:8080:80", "/bin/echo", "payload runs"}
	refused(t, run(t, second, options...),
		"--port: port tcp:192.0.2.1:8080 of the host is published by container first (--port)")
	if _, err := os.Stat(machineFile("second")); err == nil {
		t.Error("the machine state of the refused one stays")
	}
	state, err := os.ReadFile(machineFile("first"))
	must(t, err)
	owner.signal(syscall.SIGKILL)
	owner.wait()
	if _, err := os.Stat(machineFile("first")); err != nil {
		must(t, os.WriteFile(machineFile("first"), state, 0o644))
	}
	if r := run(t, second, options...); r.status != 0 {
		t.Errorf("after the owner was killed: %+v", r)
	}
	if r := run(t, first, "/bin/true"); r.status != 0 { // which removes what the killed one left
		t.Errorf("the owner does not start again: %+v", r)
	}
}
