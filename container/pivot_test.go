package container

import (
	"testing"

	"nspawnkit/settings"
)

func TestPivotRoot(t *testing.T) {
	pivot := func(from, to string) func(*settings.Settings, *Options, *Host) {
		return func(s *settings.Settings, _ *Options, _ *Host) {
			set(s, "Exec.PivotRoot")
			s.Exec.PivotRoot = settings.PivotRoot{New: from, Old: to}
		}
	}
	mustDecide(t, pivot("/ostree/a", "/sysroot"))
	_, err := decide(t, pivot("/ostree/a", "/"))
	wantError(t, err, "web.nspawn:7: ", "cannot go to /")
}
