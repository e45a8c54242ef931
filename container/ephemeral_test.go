package container

import (
	"strings"
	"testing"

	"nspawnkit/image"
	"nspawnkit/settings"
)

func TestEphemeralMachine(t *testing.T) {
	const suffix = "0123456789abcdef"
	for base, want := range map[string]string{
		"web": "web-" + suffix, strings.Repeat("a", 64): strings.Repeat("a", 47) + "-" + suffix,
		strings.Repeat("a", 46) + ".b": strings.Repeat("a", 46) + "-" + suffix,
	} {
		got := EphemeralMachine(base, suffix)
		if got != want || !settings.ValidMachineName(got) {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
	if one, two := RandomSuffix(), RandomSuffix(); !image.ValidSuffix(one) || one == two {
		t.Errorf("suffixes %s and %s", one, two)
	}
}

func TestEphemeralOfHost(t *testing.T) {
	plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Directory, s.Exec.Ephemeral = "/", true })
	if !plan.Inside.Ephemeral {
		t.Error("not ephemeral")
	}
	if got := MachineName("/var/lib/machines/web_1"); got != "web1" {
		t.Errorf("machine %q", got)
	}
}
