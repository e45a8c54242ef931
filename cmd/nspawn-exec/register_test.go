package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// registry is a systemd-machined that knows the Varlink methods that nspawn-exec calls.
type registry struct {
	mutex    sync.Mutex
	machines map[string]map[string]any // parameters of Register by name
	calls    []string
	refuse   string // error of Register
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	needKernel(t)
	path := "/run/systemd/machine/io.systemd.Machine"
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	listener, err := net.Listen("unix", path)
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	r := &registry{machines: make(map[string]map[string]any)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *registry) serve(conn net.Conn) {
	defer conn.Close()
	for reader := bufio.NewReader(conn); ; {
		message, err := reader.ReadBytes(0)
		if err != nil {
			return
		}
		var call struct {
			Method     string
			Parameters map[string]any
		}
		_ = json.Unmarshal(message[:len(message)-1], &call)
		reply, _ := json.Marshal(r.answer(strings.TrimPrefix(call.Method, "io.systemd.Machine."), call.Parameters))
		_, _ = conn.Write(append(reply, 0))
	}
}

func (r *registry) answer(method string, parameters map[string]any) map[string]any {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	name, _ := parameters["name"].(string)
	machine, known := r.machines[name]
	if method != "List" {
		r.calls = append(r.calls, method)
	}
	failure := func(name string) map[string]any { return map[string]any{"error": name, "parameters": map[string]any{}} }
	switch {
	case method == "Register" && r.refuse != "":
		return failure(r.refuse)
	case method == "Register" && known:
		return failure("io.systemd.Machine.MachineExists")
	case method == "Register":
		r.machines[name] = parameters
	case !known:
		return failure("io.systemd.Machine.NoSuchMachine")
	case method == "Unregister":
		delete(r.machines, name)
	case method == "List":
		return map[string]any{"parameters": map[string]any{"name": name, "leader": machine["leader"]}}
	}
	return map[string]any{"parameters": map[string]any{}}
}

func (r *registry) machine(name string) map[string]any {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.machines[name]
}

func TestRegister(t *testing.T) {
	machined, root := newRegistry(t), newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	options := append([]string{"--register=yes", "--network-veth"}, sleeper...)
	c := begin(t, root, options...)
	link, err := net.InterfaceByName("ve-web")
	must(t, err)
	got := machined.machine("web")
	want := map[string]any{
		"name": "web", "id": guestID, "service": "systemd-nspawn", "class": "container", "leader": c.init(),
		"rootDirectory": root, "ifIndices": []int{link.Index},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("registered %v, want %v", got, want)
	}
	// The record of a killed container is in nobody's way.
	c.kill()
	c = begin(t, root, options...)
	if leader := fmt.Sprint(machined.machine("web")["leader"]); leader != fmt.Sprint(c.init()) {
		t.Errorf("leader %s, want %d", leader, c.init())
	}
	c.signal(syscall.SIGTERM)
	c.wait()
	if machined.machine("web") != nil {
		t.Error("the machine stays registered")
	}
	// --cleanup drops the record of a container that was killed, but not of one that runs.
	c = begin(t, root, options...)
	cleanup(t, root)
	if machined.machine("web") == nil {
		t.Error("--cleanup unregistered a running container")
	}
	c.kill()
	cleanup(t, root)
	if machined.machine("web") != nil {
		t.Error("--cleanup leaves the record")
	}
	clean(t, root)
}

func TestRegisterRefused(t *testing.T) {
	machined, root := newRegistry(t), newRoot(t, "web")
	machined.refuse = "io.systemd.Machine.MachineExists"
	refused(t, run(t, root, "--register=yes", "/bin/echo", "payload runs"), "machine exists")
	r := run(t, root, "--register=auto", "/bin/true")
	if r.status != 0 || !strings.Contains(r.stderr, "cannot register with systemd-machined, ignoring") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if len(machined.calls) != 2 {
		t.Errorf("calls %q", machined.calls)
	}
	clean(t, root)
}
