package image

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFind(t *testing.T) {
	host := fstest.MapFS{
		"var/lib/machines/web/usr/bin": {Mode: fs.ModeDir},
		"run/machines/web/usr":         {Mode: fs.ModeDir},
		"var/lib/machines/db/usr":      {Mode: fs.ModeDir},
		"var/lib/machines/disk.raw":    {},
		"var/lib/machines/file":        {},
		"etc/machines/volume":          {Mode: fs.ModeDevice},
		"etc/machines/terminal":        {Mode: fs.ModeDevice | fs.ModeCharDevice},
		"run/machines/both/usr":        {Mode: fs.ModeDir},
		"run/machines/both.raw":        {},
		"run/machines/tree.raw/usr":    {Mode: fs.ModeDir},
		"var/lib/machines/other.v/a":   {},
	}
	for machine, want := range map[string]string{
		"web": "/run/machines/web", "db": "/var/lib/machines/db", "disk": "/var/lib/machines/disk.raw", "volume": "/etc/machines/volume",
		"both": "/run/machines/both",
	} {
		got, isDisk, err := Find(host, machine)
		if got != want || err != nil || isDisk != (machine == "disk" || machine == "volume") {
			t.Errorf("Find(%s) = %q, %v, %v; want %q", machine, got, isDisk, err, want)
		}
	}
	if _, _, err := Find(host, "other"); err == nil || !strings.Contains(err.Error(), "/var/lib/machines/other.v") {
		t.Errorf("versioned image: %v", err)
	}
	for _, machine := range []string{"file", "none", "terminal", "tree"} {
		if _, _, err := Find(host, machine); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Find(%s): %v", machine, err)
		}
	}
}
