package machined

import (
	"maps"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func environment(values map[string]string) func(string) string {
	return func(key string) string { return values[key] }
}

func TestNotify(t *testing.T) {
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), "@nspawnkit-test-" + filepath.Base(t.TempDir())} {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		n, err := NewNotifier(environment(map[string]string{"NOTIFY_SOCKET": address}))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Notify(Ready, Status("Container running.\x1b[2J\n"), LeaderPID(42)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 4096)
		size, err := conn.Read(buffer)
		if want := "READY=1\nSTATUS=Container running.[2J\nX_NSPAWN_LEADER_PID=42"; err != nil || string(buffer[:size]) != want {
			t.Errorf("%s: %q, %v, want %q", address, buffer[:size], err, want)
		}
	}
}

func TestNotifyFailures(t *testing.T) {
	none, err := NewNotifier(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := none.Notify(Ready); err != nil {
		t.Errorf("no service manager: %v", err)
	}
	if err := none.Notify("STATUS=x\nMAINPID=1"); err == nil {
		t.Error("two lines in one")
	}
	if _, err := NewNotifier(environment(map[string]string{"NOTIFY_SOCKET": "vsock:2:1234"})); err == nil {
		t.Error("vsock address")
	}
	dead := Notifier{filepath.Join(t.TempDir(), "none")}
	if err := dead.Notify(Ready); err == nil {
		t.Error("no socket")
	}
}

func TestWatchdog(t *testing.T) {
	tests := []struct {
		usec, pid string
		interval  time.Duration
		ok        bool
	}{
		{"180000000", "42", 90 * time.Second, true},
		{"180000000", "", 90 * time.Second, true},
		{"180000000", "43", 0, false},
		{"", "", 0, false},
		{"0", "", 0, false},
		{"-1", "", 0, false},
		{"x", "", 0, false},
		{"18446744073709551615", "", 0, false},
		{"9223372036854775807", "", 0, false},
	}
	for _, test := range tests {
		interval, ok := Watchdog(environment(map[string]string{"WATCHDOG_USEC": test.usec, "WATCHDOG_PID": test.pid}), 42)
		if interval != test.interval || ok != test.ok {
			t.Errorf("%s, pid %s: %s, %v", test.usec, test.pid, interval, ok)
		}
	}
}

func TestParseNotification(t *testing.T) {
	tests := []struct {
		datagram string
		want     Notification
		forward  []string
	}{
		{"READY=1", Notification{"READY": "1"}, []string{"READY=1"}},
		{"READY=1\nSTATUS=Startup finished.\n", Notification{"READY": "1", "STATUS": "Startup finished."},
			[]string{"READY=1", "STATUS=Container running: Startup finished."}},
		{"READY=0", Notification{"READY": "0"}, nil},
		{"STATUS=", Notification{"STATUS": ""}, []string{"STATUS=Container running: "}},
		{"STATUS=a=b\rERRNO=2\x00", Notification{"STATUS": "a=b", "ERRNO": "2"}, []string{"STATUS=Container running: a=b"}},
		{"STATUS=first\nSTATUS=second", Notification{"STATUS": "first"}, []string{"STATUS=Container running: first"}},
		{"STATUS=\x1b[31mé\u202e\xff\u0085\t!", Notification{"STATUS": "[31mé!"}, []string{"STATUS=Container running: [31mé!"}},
		{"nonsense\n=x\nready=1\nRE ADY=1\n\n", Notification{}, nil},
		{"MAINPID=1\nFDSTORE=1\nWATCHDOG=1\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=9\nEXIT_STATUS=3\nX_SYSTEMD_UNIT_ACTIVE=ssh.service",
			Notification{"MAINPID": "1", "FDSTORE": "1", "WATCHDOG": "1", "STOPPING": "1", "EXTEND_TIMEOUT_USEC": "9",
				"EXIT_STATUS": "3", "X_SYSTEMD_UNIT_ACTIVE": "ssh.service"}, nil},
		{"", Notification{}, nil},
	}
	for _, test := range tests {
		n, err := ParseNotification([]byte(test.datagram))
		if err != nil || !maps.Equal(n, test.want) {
			t.Errorf("%q: %v, %v, want %v", test.datagram, n, err, test.want)
		}
		if got := n.Forward(true); !slices.Equal(got, test.forward) {
			t.Errorf("%q: forwards %q, want %q", test.datagram, got, test.forward)
		}
	}
	if got := (Notification{"READY": "1"}).Forward(false); got != nil {
		t.Errorf("without NotifyReady=: %q", got)
	}
	for _, datagram := range []string{"READY=1\x00STATUS=x", strings.Repeat("x", MaxNotification)} {
		if _, err := ParseNotification([]byte(datagram)); err == nil {
			t.Errorf("%.40q is accepted", datagram)
		}
	}
}

// Whatever a container sends, what goes on to the service manager is at most READY=1 and one STATUS= line.
func FuzzParseNotification(f *testing.F) {
	for _, seed := range []string{"READY=1\nSTATUS=x", "STATUS=\xff\x00", "STATUS=\u2028MAINPID=1", "STATUS=" + strings.Repeat("é", 2000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		n, err := ParseNotification(datagram)
		if err != nil {
			return
		}
		lines := n.Forward(true)
		message := strings.Join(lines, "\n")
		if len(lines) > 2 || strings.Count(message, "\n") != max(len(lines)-1, 0) || len(message) >= MaxNotification || !utf8.ValidString(message) {
			t.Fatalf("%q", message)
		}
		for _, line := range lines {
			if line != Ready && !strings.HasPrefix(line, "STATUS=Container running: ") {
				t.Fatalf("%q", line)
			}
		}
	})
}

// What may be kept in the store of the unit, and how much longer a start may take.
func TestStoreAndExtension(t *testing.T) {
	for datagram, want := range map[string][]string{
		"FDSTORE=1\nFDNAME=keep": {"FDSTORE=1", "FDNAME=keep"},
		"FDSTORE=1":              {"FDSTORE=1"},
		"FDSTORE=1\nFDNAME=a:b":  {"FDSTORE=1"},
		"FDSTORE=1\nFDNAME=" + strings.Repeat("x", 256):     {"FDSTORE=1"},
		"FDSTORE=1\nFDNAME=x\nFDPOLL=0\nMAINPID=1\nREADY=1": {"FDSTORE=1", "FDNAME=x"},
		"FDSTORE=0\nFDNAME=x":                               nil,
		"FDSTOREREMOVE=1\nFDNAME=keep":                      {"FDSTOREREMOVE=1", "FDNAME=keep"},
		"FDSTOREREMOVE=1":                                   nil,
		"FDSTOREREMOVE=1\nFDNAME=é":                         nil,
		"FDNAME=x":                                          nil,
	} {
		n, err := ParseNotification([]byte(datagram))
		if got := n.Store(2); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", datagram, got, err, want)
		}
	}
	if got := (Notification{"FDSTORE": "1"}).Store(0); got != nil {
		t.Errorf("without descriptors: %q", got)
	}
	for text, want := range map[string]time.Duration{"5000000": 5 * time.Second, "18446744073709551615": 10 * time.Minute, "0": 0, "-1": 0, "x": 0, "": 0} {
		if by, ok := (Notification{"EXTEND_TIMEOUT_USEC": text}).Extension(); by != want || ok != (want > 0) {
			t.Errorf("%s: %s, %v", text, by, ok)
		}
	}
}

func TestWatchdogTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20000000": 20 * time.Second, "1": time.Microsecond, "18446744073709551615": math.MaxInt64 / time.Microsecond * time.Microsecond,
		"": 0, "0": 0, "-1": 0, "1s": 0, "18446744073709551616": 0,
	} {
		if limit, ok := (Notification{"WATCHDOG_USEC": text}).WatchdogTime(); limit != want || ok != (want > 0) {
			t.Errorf("%q: %v, %v; want %v", text, limit, ok, want)
		}
	}
}
