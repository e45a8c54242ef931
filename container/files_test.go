package container

import (
	"testing"

	"nspawnkit/settings"
)

func TestReservedPath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/proc": "/proc", "/proc/": "/proc", "//sys": "/sys", "/a/../dev": "/dev", "/run": "/run", "/run/host": "/run/host",
		"/run/host/x": "/run/host", "/run/./host/x/y": "/run/host", "/..": "/",
		"/proc/sys": "", "/process": "", "/run/hosts": "", "/dev/dri": "", "/sys/fs/bpf": "", "/mnt": "",
	} {
		if got := reservedPath(path); got != want {
			t.Errorf("reservedPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestMountsAreChecked(t *testing.T) {
	origin := settings.Origin{File: "web.nspawn", Line: 4}
	_, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
		s.Files.Binds = []settings.Bind{{Origin: origin, Source: "/srv", Destination: "/dev/"}}
	})
	wantError(t, err, "web.nspawn:4: ", "/dev")
	_, err = decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
		s.Files.TemporaryFileSystem = []settings.TemporaryFileSystem{{Origin: origin, Path: "/proc"}}
	})
	wantError(t, err, "web.nspawn:4: ", "/proc")
}
