package main_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"nspawnkit/settings"
)

// readRecord returns the record of a machine's settings; nil if there is none.
func readRecord(t *testing.T, machine string) *settings.Record {
	t.Helper()
	file := settings.RecordFile(machine)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("%s has mode %v, and Environment= may hold secrets", file, info.Mode())
	}
	r := new(settings.Record)
	must(t, json.Unmarshal(data, r))
	return r
}

// What a container was started with is on record while it runs, and not longer.
func TestRecord(t *testing.T) {
	root := newRoot(t, "web")
	options := append([]string{"--setenv=SECRET=1"}, sleeper...)
	c := begin(t, root, options...)
	r := readRecord(t, "web")
	if r == nil {
		t.Fatal("no record")
	}
	line := settings.RecordLine{Key: "Exec.Environment", Value: "SECRET=1", Option: "--setenv"}
	if r.Name != "web" || r.Directory != root || r.Supervisor != c.cmd.Process.Pid || !slices.Contains(r.Lines, line) ||
		!slices.Contains(r.Arguments, "--setenv=SECRET=1") {
		t.Errorf("%+v", r)
	}
	cleanup(t, root)
	if readRecord(t, "web") == nil {
		t.Error("--cleanup removed the record of a running container")
	}
	c.kill()
	if readRecord(t, "web") == nil {
		t.Error("nobody was there to remove the record of a killed container, but it is gone")
	}
	cleanup(t, root)
	if r := readRecord(t, "web"); r != nil {
		t.Errorf("--cleanup left %+v", r)
	}
	// The next start writes its own over that of a killed one.
	begin(t, root, options...).kill()
	d := begin(t, root, sleeper...)
	if r := readRecord(t, "web"); r == nil || r.Supervisor != d.cmd.Process.Pid || slices.Contains(r.Lines, line) {
		t.Errorf("after a second start: %+v", r)
	}
	d.signal(15)
	d.signal(15)
	d.wait()
	clean(t, root)
	// A start that fails leaves none.
	refused(t, run(t, root, "--bind=/nowhere", "/bin/echo", "payload runs"), "/nowhere")
	clean(t, root)
}

// A record that cannot be written costs a warning, not the container.
func TestNoRecord(t *testing.T) {
	root := newRoot(t, "web")
	must(t, os.RemoveAll(settings.RecordsDirectory))
	writeFile(t, settings.RecordsDirectory, "in the way")
	defer os.Remove(settings.RecordsDirectory)
	r := run(t, root, "/bin/true")
	if r.status != 0 || r.stderr == "" {
		t.Errorf("status %d, %q", r.status, r.stderr)
	}
}
