package machined

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// varlinkServer answers the calls on a socket with these bytes, the last ones again and again, and returns the client for it and
// what it was sent.
func varlinkServer(t *testing.T, answers ...string) (Client, <-chan map[string]any) {
	t.Helper()
	directory := t.TempDir()
	client := Client{
		Socket: filepath.Join(directory, "varlink"),
		Bus:    "unix:path=" + filepath.Join(directory, "no-bus"),
	}
	listener, err := net.Listen("unix", client.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	calls := make(chan map[string]any, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			message, err := bufio.NewReader(conn).ReadBytes(0)
			var call map[string]any
			if err != nil || json.Unmarshal(message[:len(message)-1], &call) != nil {
				call = map[string]any{"invalid": string(message)}
			}
			calls <- call
			_, _ = conn.Write([]byte(answers[0]))
			if len(answers) > 1 {
				answers = answers[1:]
			}
			_ = conn.Close()
		}
	}()
	return client, calls
}

func testRegistration() Registration {
	return Registration{
		Name: "web", ID: [16]byte{0x01, 0x23, 0x45, 0x67, 15: 0xff}, Service: Service, Class: ClassContainer, Leader: 4711,
		RootDirectory: "/var/lib/machines/web", Interfaces: []int{3, 4},
	}
}

func checkCall(t *testing.T, calls <-chan map[string]any, want string) {
	t.Helper()
	got, err := json.Marshal(<-calls)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("call\n%s, want\n%s", got, want)
	}
}

func TestRegister(t *testing.T) {
	client, calls := varlinkServer(t, "{\"parameters\":{}}\x00")
	if err := client.Register(t.Context(), testRegistration()); err != nil {
		t.Error(err)
	}
	checkCall(t, calls, `{"method":"io.systemd.Machine.Register","parameters":{"class":"container",`+
		`"id":"012345670000000000000000000000ff","ifIndices":[3,4],"leader":4711,"name":"web",`+
		`"rootDirectory":"/var/lib/machines/web","service":"systemd-nspawn"}}`)

	if err := client.Register(t.Context(), Registration{Name: "web", Service: Service, Class: ClassContainer, Leader: 2}); err != nil {
		t.Error(err)
	}
	checkCall(t, calls, `{"method":"io.systemd.Machine.Register","parameters":{"class":"container","leader":2,"name":"web","service":"systemd-nspawn"}}`)
}

// systemd-machined may list a machine still after it said that it is unregistered: see waitGone.
func TestUnregister(t *testing.T) {
	client, calls := varlinkServer(t, "{}\x00", `{"parameters":{"leader":{"pid":4711}}}`+"\x00",
		`{"error":"io.systemd.Machine.NoSuchMachine"}`+"\x00")
	if err := client.Unregister(t.Context(), "web"); err != nil {
		t.Error(err)
	}
	checkCall(t, calls, `{"method":"io.systemd.Machine.Unregister","parameters":{"name":"web"}}`)
	checkCall(t, calls, `{"method":"io.systemd.Machine.List","parameters":{"name":"web"}}`)
	checkCall(t, calls, `{"method":"io.systemd.Machine.List","parameters":{"name":"web"}}`)

	client, _ = varlinkServer(t, `{"parameters":{"leader":{"pid":4711}}}`+"\x00")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := client.Unregister(ctx, "web"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("machine that stays: %v", err)
	}
}

func TestLeader(t *testing.T) {
	for answer, want := range map[string]int{
		`{"parameters":{"name":"web","leader":4711}}`:                          4711, // 256
		`{"parameters":{"name":"web","leader":{"pid":4712,"pidfdId":987654}}}`: 4712, // 257
		`{"parameters":{"name":"web"}}`:                                        0,
	} {
		client, calls := varlinkServer(t, answer+"\x00")
		pid, err := client.Leader(t.Context(), "web")
		if pid != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", answer, pid, err, want)
		}
		checkCall(t, calls, `{"method":"io.systemd.Machine.List","parameters":{"name":"web"}}`)
	}
}

func TestVarlinkErrors(t *testing.T) {
	tests := []struct {
		answer string
		is     error  // nil: none of this package's
		text   string // part of the error
	}{
		{`{"error":"io.systemd.Machine.MachineExists","parameters":{}}` + "\x00", ErrMachineExists, "find leader of machine web: "},
		{`{"error":"io.systemd.Machine.NoSuchMachine"}` + "\x00", ErrNoSuchMachine,
			"find leader of machine web: io.systemd.Machine.List: no such machine (io.systemd.Machine.NoSuchMachine)"},
		{`{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"name"}}` + "\x00", nil,
			`org.varlink.service.InvalidParameter: "parameter":"name"`},
		{`{"error":"org.varlink.service.MethodNotFound","parameters":{}}` + "\x00", ErrNoMachined, "connect to system bus"},
		{"", ErrNoMachined, "connect to system bus"}, // as where systemd-machined.service is masked
		{`{"parameters":`, ErrNoMachined, "connect to system bus"},
		{"nonsense\x00", nil, "decode answer"},
		{`{"parameters":{"leader":"x"}}` + "\x00", nil, "decode answer"},
		{`{"parameters":[]}` + "\x00", nil, "decode answer"},
		{strings.Repeat("x", maxReply+1), nil, "more than 1048576 bytes"},
	}
	for _, test := range tests {
		client, _ := varlinkServer(t, test.answer)
		_, err := client.Leader(t.Context(), "web")
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%.80q: %v, want %s", test.answer, err, test.text)
		}
		for _, kind := range []error{ErrNoMachined, ErrMachineExists, ErrNoSuchMachine} {
			if errors.Is(err, kind) != (kind == test.is) {
				t.Errorf("%.80q: %v is %v: %v", test.answer, err, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestNoMachined(t *testing.T) {
	directory := t.TempDir()
	client := Client{Socket: filepath.Join(directory, "none"), Bus: "unix:path=" + filepath.Join(directory, "none")}
	if err := client.Register(t.Context(), testRegistration()); !errors.Is(err, ErrNoMachined) {
		t.Errorf("no sockets: %v", err)
	}
	// A socket that its service left behind.
	listener, err := net.Listen("unix", client.Socket)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = listener.Close()
	if err := client.Unregister(t.Context(), "web"); !errors.Is(err, ErrNoMachined) {
		t.Errorf("dead sockets: %v", err)
	}
	if err := client.KillScope(t.Context(), "web"); !errors.Is(err, ErrNoSystemd) {
		t.Errorf("no systemd: %v", err)
	}
}

// A service that accepts and never answers must not hold up the start of a container beyond its context.
func TestHungServices(t *testing.T) {
	directory := t.TempDir()
	hung := filepath.Join(directory, "hung")
	listener, err := net.Listen("unix", hung)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, client := range map[string]Client{
		"varlink": {Socket: hung, Bus: "unix:path=" + hung},
		"bus":     {Socket: filepath.Join(directory, "none"), Bus: "unix:path=" + hung},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := client.Register(ctx, testRegistration()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoMachined) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
