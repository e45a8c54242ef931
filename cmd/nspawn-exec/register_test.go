package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
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
	busy     int    // so many times Register says that a machine exists which List does not know
	stale    int    // dead leader of a machine that shows up just before Register
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
	case method == "Register" && r.busy > 0:
		r.busy--
		return failure("io.systemd.Machine.MachineExists")
	case method == "Register" && r.stale != 0:
		r.machines[name] = map[string]any{"leader": r.stale}
		r.stale = 0
		return failure("io.systemd.Machine.MachineExists")
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
	machined.refuse = "org.varlink.service.PermissionDenied"
	refused(t, run(t, root, "--register=yes", "/bin/echo", "payload runs"), "register with machined: register machine web: ", "PermissionDenied")
	r := run(t, root, "--register=auto", "/bin/true")
	if r.status != 0 || !strings.Contains(r.stderr, "cannot register with systemd-machined, ignoring") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if len(machined.calls) != 2 {
		t.Errorf("calls %q", machined.calls)
	}
	clean(t, root)
}

// A machine of that name that runs, whoever runs it, is not taken for a left-over; --register=no has nothing to do with it.
func TestRegisteredNameInUse(t *testing.T) {
	machined, root := newRegistry(t), newRoot(t, "web")
	machined.machines["web"] = map[string]any{"leader": os.Getpid()}
	before := digest(t, root)
	for _, mode := range []string{"yes", "auto"} {
		r := run(t, root, "--register="+mode, "/bin/echo", "payload runs")
		refused(t, r)
		want := fmt.Sprintf("clear what a killed container left: machine web is running already: systemd-machined knows it with process %d\n", os.Getpid())
		if r.stderr != want {
			t.Errorf("%s: %q, want %q", mode, r.stderr, want)
		}
	}
	if digest(t, root) != before {
		t.Error("the root directory changed")
	}
	shell(t, root, "true", "--register=no")
	if len(machined.calls) != 0 {
		t.Errorf("calls %q", machined.calls)
	}
	clean(t, root)
}

// A systemd-machined that has not noticed yet that the machine's former init is dead is waited for.
func TestRegisterSoonAfterTheEnd(t *testing.T) {
	dead := exec.Command("true")
	must(t, dead.Run())
	for name, test := range map[string]struct {
		prepare func(*registry)
		calls   string
	}{
		"known at the start":  {func(r *registry) { r.machines["web"] = map[string]any{"leader": dead.Process.Pid} }, "Unregister Register Unregister"},
		"known later":         {func(r *registry) { r.stale = dead.Process.Pid }, "Register Unregister Register Unregister"},
		"about to be removed": {func(r *registry) { r.busy = 3 }, "Register Register Register Register Unregister"},
	} {
		t.Run(name, func(t *testing.T) {
			machined, root := newRegistry(t), newRoot(t, "web")
			test.prepare(machined)
			shell(t, root, "true", "--register=yes")
			if got := strings.Join(machined.calls, " "); got != test.calls {
				t.Errorf("calls %q, want %q", got, test.calls)
			}
			clean(t, root)
		})
	}
}
