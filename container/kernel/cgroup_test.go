package kernel

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestControlGroupUsage(t *testing.T) {
	group := ControlGroup{t.TempDir()}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(group.Directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if events, err := group.MemoryEvents(); err == nil {
		t.Errorf("without the controller: %+v", events)
	}
	write("memory.events", "low 0\nhigh 5\nmax 98\noom 7\noom_kill 3\noom_group_kill 0\n")
	if events, err := group.MemoryEvents(); err != nil || events != (MemoryEvents{Limited: 7, Killed: 3}) {
		t.Errorf("%+v, %v", events, err)
	}
	write("cpu.stat", "usage_usec 1500000\nuser_usec 3\n")
	if used, err := group.ProcessorTime(); err != nil || used != 1500*time.Millisecond {
		t.Errorf("%s, %v", used, err)
	}
	write("cpu.stat", "usage_usec many\n")
	if used, err := group.ProcessorTime(); err == nil {
		t.Errorf("no number: %s", used)
	}
}

func TestUnifiedPath(t *testing.T) {
	for table, want := range map[string]string{
		"0::/\n":              "/",
		"0::/a.slice/b\n":     "/a.slice/b",
		"1:cpu:/x\n0::/y\n":   "/y",
		"1:cpu:/x\n":          "-",
		"":                    "-",
		"0::/..\n":            "-", // of a process that was put into the container from outside
		"0::/../../etc\n":     "-",
		"0::/..a/b\n":         "/..a/b",
		"0::/a (deleted)\n":   "/a (deleted)",
		"0::/with 0::/b in\n": "/with 0::/b in",
	} {
		got, ok := unifiedPath(table)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", table, got, want)
		}
	}
}
