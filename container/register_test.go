package container

import (
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// A path that is not UTF-8 would reach systemd-machined as another one, or end the connection.
func TestRegisteredDirectory(t *testing.T) {
	for directory, want := range map[string]string{"/srv/web": "/srv/web", "/srv/wéb": "/srv/wéb", "/srv/w\xe9b": ""} {
		s := &Supervisor{Running: Running{child: &kernel.Child{PID: 1}}}
		s.plan = mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Directory = directory })
		if got := s.registration().RootDirectory; got != want {
			t.Errorf("%q: %q, want %q", directory, got, want)
		}
	}
}
