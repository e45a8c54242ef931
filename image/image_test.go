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
		"run/machines/tree.raw/usr":    {Mode: fs.ModeDir},

		"var/lib/machines/os.v/os_1.2/usr":          {Mode: fs.ModeDir},
		"var/lib/machines/os.v/os_1.10/usr":         {Mode: fs.ModeDir},
		"var/lib/machines/both/usr":                 {Mode: fs.ModeDir},
		"var/lib/machines/both.v/both_1":            {Mode: fs.ModeDir},
		"var/lib/machines/both.raw":                 {},
		"var/lib/machines/empty.v":                  {Mode: fs.ModeDir},
		"var/lib/machines/disks.raw.v/disks_1.raw":  {},
		"var/lib/machines/disks.raw.v/disks_1a.raw": {},
		"var/lib/machines/disks.raw.v/disks_2":      {},

		"var/lib/machines/stack.mstack/layer@0":              {Mode: fs.ModeDir},
		"var/lib/machines/stacks.mstack.v/stacks_1.mstack/x": {Mode: fs.ModeDir},
		"var/lib/machines/stacks.mstack.v/stacks_2.mstack/x": {Mode: fs.ModeDir},
	}
	for machine, want := range map[string]string{
		"web": "/run/machines/web", "db": "/var/lib/machines/db", "disk": "/var/lib/machines/disk.raw", "volume": "/etc/machines/volume",
		"os": "/var/lib/machines/os.v/os_1.10", "both": "/var/lib/machines/both", "disks": "/var/lib/machines/disks.raw.v/disks_1a.raw",
		"stack": "/var/lib/machines/stack.mstack", "stacks": "/var/lib/machines/stacks.mstack.v/stacks_2.mstack",
	} {
		got, err := Find(host, machine)
		isDisk := machine == "volume" || strings.HasSuffix(want, ".raw")
		if got.Path != want || got.Stack != strings.HasSuffix(want, ".mstack") || got.Disk != isDisk || err != nil {
			t.Errorf("Find(%s) = %+v, %v; want %q", machine, got, err, want)
		}
	}
	if _, err := Find(host, "empty"); err == nil || !strings.Contains(err.Error(), "/var/lib/machines/empty.v has no empty_VERSION") {
		t.Errorf("no version: %v", err)
	}
	for _, machine := range []string{"file", "none", "terminal", "tree"} {
		if _, err := Find(host, machine); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Find(%s): %v", machine, err)
		}
	}
}
