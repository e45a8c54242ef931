package container

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nspawnkit/settings"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update writes it):\n%s", path, got)
	}
}

const (
	testHostID  = "5f0e4b1c9a3d4e6f8071829304a5b6c7"
	testGuestID = "0123456789abcdef0123456789abcdef"
)

// testHost is an ordinary host with an ordinary image.
func testHost() Host {
	return Host{
		MachineID: testHostID, OSRelease: map[string]string{"ID": "debian", "VERSION_ID": "13", "NAME": "Debian"},
		Terminal: Terminal{Variables: map[string]string{"TERM": "xterm"}, Hostname: "host"}, LastCapability: 40, Architecture: "amd64", HasNetworkd: true, HasNetworkdLite: true,
		Localtime: Localtime{Exists: true, Link: true, Zone: "Europe/Berlin"}, HasResolvConf: true,
		Root: Root{HasOSRelease: true, HasUsr: true, MachineID: testGuestID},
	}
}

// testSettings are those of "nspawn-exec -D /var/lib/machines/web /bin/true".
func testSettings() settings.Settings {
	return settings.Settings{
		Machine: "web", Directory: "/var/lib/machines/web", Set: make(map[string]settings.Origin),
		Exec: settings.Exec{
			Parameters: []string{"/bin/true"}, PrivateUsers: settings.PrivateUsers{Mode: settings.UsersNo},
			LinkJournal: settings.LinkJournal{Mode: "no"},
		},
	}
}

// decide makes a plan of the test's host and settings, after change.
func decide(t *testing.T, change func(*settings.Settings, *Options, *Host)) (*Plan, error) {
	t.Helper()
	s, options, host := testSettings(), Options{}, testHost()
	if change != nil {
		change(&s, &options, &host)
	}
	return Decide(s, options, host)
}

func mustDecide(t *testing.T, change func(*settings.Settings, *Options, *Host)) *Plan {
	t.Helper()
	plan, err := decide(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// set marks a key as set at a line of the container's file.
func set(s *settings.Settings, key string) {
	s.Set[key] = settings.Origin{File: "/etc/systemd/nspawn/web.nspawn", Line: 7}
}

// wantError checks an error for all texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not mention %q", err, text)
		}
	}
}
