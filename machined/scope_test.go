package machined

import "testing"

func TestScopeName(t *testing.T) {
	// The expected names are from systemd-escape --suffix=scope, after "machine-".
	for machine, want := range map[string]string{
		"web":   "machine-web.scope",
		"web-1": `machine-web\x2d1.scope`,
		"a.b_c": "machine-a.b_c.scope",
		"x@y é": `machine-x\x40y\x20\xc3\xa9.scope`,
	} {
		if got := ScopeName(machine); got != want {
			t.Errorf("%s: %s, want %s", machine, got, want)
		}
	}
}
