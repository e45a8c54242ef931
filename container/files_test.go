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

func TestResolvConf(t *testing.T) {
	for _, test := range []struct {
		mode              string
		private           bool
		copied, overwrite bool
		err               string
	}{
		{"auto", false, true, false, ""},
		{"", false, true, false, ""},
		{"auto", true, false, false, ""},
		{"off", false, false, false, ""},
		{"copy-host", true, true, false, ""},
		{"replace-host", false, true, true, ""},
		{"bind-stub", false, false, false, "web.nspawn:7: --resolv-conf=bind-stub is not supported yet"},
	} {
		plan, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
			set(s, "Exec.ResolvConf")
			s.Exec.ResolvConf, s.Network.Private = test.mode, test.private
		})
		if test.err != "" {
			wantError(t, err, test.err)
			continue
		}
		got := plan.Inside.ResolvConf
		if err != nil || (got != nil) != test.copied || (got != nil && (got.Overwrite != test.overwrite || len(got.Content) == 0)) {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}

func TestTimezone(t *testing.T) {
	link, remove := &Timezone{Zone: "Europe/Berlin"}, &Timezone{}
	for _, test := range []struct {
		mode, host        string
		hasZone, readOnly bool
		want              *Timezone
		err               string
	}{
		{"auto", "Europe/Berlin", true, false, link, ""},
		{"", "Europe/Berlin", true, false, link, ""},
		{"auto", "Europe/Berlin", false, false, nil, ""},
		{"auto", "Europe/Berlin", true, true, nil, ""},
		{"auto", "", true, false, nil, ""},
		{"symlink", "Europe/Berlin", true, false, link, ""},
		{"symlink", "Europe/Berlin", false, false, nil, "web.nspawn:7: --timezone=symlink"},
		{"delete", "Europe/Berlin", true, false, remove, ""},
		{"off", "Europe/Berlin", true, false, nil, ""},
		{"bind", "Europe/Berlin", true, false, nil, "--timezone=bind is not supported yet"},
	} {
		plan, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
			set(s, "Exec.Timezone")
			s.Exec.Timezone, s.Files.ReadOnly, h.Timezone, h.Root.HasZone = test.mode, test.readOnly, test.host, test.hasZone
		})
		if test.err != "" {
			wantError(t, err, test.err)
			continue
		}
		if got := plan.Inside.Timezone; err != nil || (got == nil) != (test.want == nil) || (got != nil && *got != *test.want) {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}
