package machined

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const notFoundAnswer = `{"error":"io.systemd.UserDatabase.NoRecordFound"}` + "\x00"

func TestUserDatabase(t *testing.T) {
	const found = `{"parameters":{"record":{"userName":"vu-web-0"},"incomplete":false}}` + "\x00"
	for name, test := range map[string]struct {
		service string
		answers []string
		want    bool
	}{
		"first":         {"io.systemd.Machine", []string{found}, true},
		"last":          {"io.systemd.Machine", []string{notFoundAnswer, notFoundAnswer, notFoundAnswer, found}, true},
		"none":          {"io.systemd.Machine", []string{notFoundAnswer}, false},
		"fails":         {"io.systemd.Home", []string{`{"error":"io.systemd.UserDatabase.ServiceNotAvailable"}` + "\x00"}, false},
		"talks rubbish": {"io.systemd.Home", []string{"no\x00"}, false},
		"asks others":   {"io.systemd.Multiplexer", []string{found}, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, calls := varlinkServer(t, test.answers...)
			directory := t.TempDir()
			if err := os.Symlink(client.Socket, filepath.Join(directory, test.service)); err != nil {
				t.Fatal(err)
			}
			if known, err := (UserDatabase{Directory: directory}).Knows(t.Context(), 65536, 131070); known != test.want || err != nil {
				t.Errorf("%v, %v", known, err)
			}
			if name == "none" {
				seen := make(map[any]bool)
				for len(calls) > 0 {
					parameters := (<-calls)["parameters"].(map[string]any)
					seen[[2]any{parameters["uid"], parameters["gid"]}] = parameters["service"] == test.service
				}
				for _, want := range [][2]any{{65536.0, nil}, {nil, 65536.0}, {131070.0, nil}, {nil, 131070.0}} {
					if !seen[want] {
						t.Errorf("%v was not asked for", want)
					}
				}
			}
		})
	}
}

// What nobody serves or answers costs no more than the time limit.
func TestUserDatabaseSilent(t *testing.T) {
	directory := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(directory, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.WriteFile(filepath.Join(directory, "no-socket"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	known, err := UserDatabase{Directory: directory, Timeout: 20 * time.Millisecond}.Knows(t.Context(), 1, 2)
	if known || err != nil || time.Since(begin) > time.Second {
		t.Errorf("%v, %v after %v", known, err, time.Since(begin))
	}
	if known, err := (UserDatabase{Directory: directory + "/none"}).Knows(t.Context(), 1); known || err != nil {
		t.Errorf("no directory: %v, %v", known, err)
	}
}
