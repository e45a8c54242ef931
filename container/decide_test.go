package container

import (
	"slices"
	"strings"
	"testing"

	"nspawnkit/container/capability"
	"nspawnkit/container/seccomp"
	"nspawnkit/settings"
)

func TestRootMustBeATree(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*settings.Settings, *Options, *Host)
		err    string
	}{
		"host's root":        {func(s *settings.Settings, _ *Options, _ *Host) { s.Directory = "/./" }, "host's root directory"},
		"no /usr":            {func(_ *settings.Settings, _ *Options, h *Host) { h.Root.HasUsr = false }, "/usr/ directory is missing"},
		"boot, no OS":        {func(s *settings.Settings, _ *Options, h *Host) { s.Exec.Boot, h.Root.HasOSRelease = true, false }, "os-release file is missing"},
		"program, no OS":     {func(_ *settings.Settings, _ *Options, h *Host) { h.Root.HasOSRelease = false }, ""},
		"boot":               {func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.Boot = true }, ""},
		"kernel of tomorrow": {func(_ *settings.Settings, _ *Options, h *Host) { h.LastCapability = 100 }, "capability"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decide(t, test.change)
			if test.err != "" {
				wantError(t, err, test.err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConsoleModes(t *testing.T) {
	for _, test := range []struct {
		mode             string
		terminal, boot   bool
		want             string
		own, controlling bool
	}{
		{"", true, false, "interactive", true, true},
		{"", false, false, "read-only", true, true},
		{"", false, true, "read-only", true, false}, // systemd takes the terminal itself
		{"autopipe", true, false, "interactive", true, true},
		{"autopipe", false, false, "pipe", false, false},
		{"pipe", true, false, "pipe", false, false},
		{"passive", false, true, "passive", true, false},
		{"read-only", true, false, "read-only", true, true},
		{"interactive", true, false, "interactive", true, true},
		{"interactive", false, false, "interactive", true, true}, // with pipes
	} {
		plan := mustDecide(t, func(s *settings.Settings, o *Options, h *Host) {
			o.Console, s.Exec.Boot = test.mode, test.boot
			h.Terminal.Input, h.Terminal.Output = test.terminal, test.terminal
		})
		if plan.Options.Console != test.want || plan.Inside.Console != test.own || plan.Inside.Controlling != test.controlling {
			t.Errorf("%+v: got %s, own %v, controlling %v", test, plan.Options.Console, plan.Inside.Console, plan.Inside.Controlling)
		}
	}
}

func TestIdentity(t *testing.T) {
	const asked = "ffffffffffff4fffbfffffffffffffff"
	for name, test := range map[string]struct {
		image, asked string
		journal      settings.LinkJournal
		uuid, mode   string
		warning, err string
	}{
		"of the image":      {testGuestID, asked, settings.LinkJournal{Mode: "auto"}, testGuestID, "auto", "", ""},
		"asked for":         {"", asked, settings.LinkJournal{Mode: "auto"}, asked, "auto", "", ""},
		"none":              {"", "", settings.LinkJournal{Mode: "guest", Try: true}, "", "guest", "", ""},
		"host's, no":        {testHostID, "", settings.LinkJournal{Mode: "no"}, testHostID, "no", "", ""},
		"host's, auto":      {testHostID, "", settings.LinkJournal{Mode: "auto"}, testHostID, "no", "not linked", ""},
		"host's, try-guest": {testHostID, "", settings.LinkJournal{Mode: "guest", Try: true}, testHostID, "no", "not linked", ""},
		"host's, guest":     {testHostID, "", settings.LinkJournal{Mode: "guest"}, "", "", "", "refusing to link journals"},
		"host's, host":      {testHostID, "", settings.LinkJournal{Mode: "host"}, "", "", "", "refusing to link journals"},
		"host's, asked for": {"", testHostID, settings.LinkJournal{Mode: "host"}, "", "", "", "refusing to link journals"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
				set(s, "Exec.LinkJournal")
				s.Exec.MachineID, s.Exec.LinkJournal, h.Root.MachineID = test.asked, test.journal, test.image
			})
			if test.err != "" {
				wantError(t, err, "web.nspawn:7: ", test.err)
				return
			}
			if err != nil || plan.UUID != test.uuid || plan.Settings.Exec.LinkJournal.Mode != test.mode {
				t.Fatalf("UUID %q, mode %q, %v", plan.UUID, plan.Settings.Exec.LinkJournal.Mode, err)
			}
			if got := strings.Join(plan.Warnings, "\n"); (test.warning == "") != (got == "") || !strings.Contains(got, test.warning) {
				t.Errorf("warnings %q, want %q", got, test.warning)
			}
		})
	}
}

func TestHostname(t *testing.T) {
	if plan := mustDecide(t, nil); plan.Inside.Hostname != "web" {
		t.Errorf("host name %q by default", plan.Inside.Hostname)
	}
	plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.Hostname = "other" })
	if plan.Inside.Hostname != "other" || plan.Inside.Machine != "web" {
		t.Errorf("host name %q, machine %q", plan.Inside.Hostname, plan.Inside.Machine)
	}
}

func TestCapabilities(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(*settings.Settings)
		has, hasNot []int
	}{
		"default":         {func(*settings.Settings) {}, []int{capability.SYS_ADMIN, capability.NET_BIND_SERVICE}, []int{capability.NET_ADMIN, capability.SYS_TIME}},
		"private network": {func(s *settings.Settings) { s.Network.Private = true }, []int{capability.NET_ADMIN}, nil},
		"shifted users":   {func(s *settings.Settings) { s.Exec.PrivateUsers.Mode = settings.UsersPick }, nil, []int{capability.NET_BIND_SERVICE}},
		"identity":        {func(s *settings.Settings) { s.Exec.PrivateUsers.Mode = settings.UsersIdentity }, []int{capability.NET_BIND_SERVICE}, nil},
		"added":           {func(s *settings.Settings) { s.Exec.Capability = []string{"CAP_SYS_TIME"} }, []int{capability.SYS_TIME}, nil},
		"dropped":         {func(s *settings.Settings) { s.Exec.DropCapability = []string{"CAP_SYS_ADMIN"} }, nil, []int{capability.SYS_ADMIN}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { test.change(s) })
			for _, number := range test.has {
				if !plan.Inside.Capabilities.Has(number) {
					t.Errorf("%s is missing", capability.Name(number))
				}
			}
			for _, number := range test.hasNot {
				if plan.Inside.Capabilities.Has(number) {
					t.Errorf("%s is kept", capability.Name(number))
				}
			}
		})
	}
	_, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
		set(s, "Exec.Capability")
		s.Exec.Capability = []string{"CAP_BANANA"}
	})
	wantError(t, err, "web.nspawn:7: ", "CAP_BANANA")
}

func TestFilterIsPassedOn(t *testing.T) {
	plan := mustDecide(t, nil)
	program := decodeFilter(plan.Inside.Filter)
	want, err := seccomp.Program(seccomp.Policy{Capabilities: plan.Inside.Capabilities, Architecture: "amd64"})
	if err != nil || !slices.Equal(program, want) || len(program) == 0 {
		t.Errorf("%d instructions instead of %d: %v", len(program), len(want), err)
	}
	plan = mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) {
		set(s, "Exec.SystemCallFilter")
		s.Exec.SystemCallFilter = []string{"no_such_call"}
	})
	if got := strings.Join(plan.Warnings, ""); !strings.Contains(got, "web.nspawn:7: unknown system call no_such_call") {
		t.Errorf("warnings %q", got)
	}
	_, err = decide(t, func(_ *settings.Settings, _ *Options, h *Host) { h.Architecture = "pdp11" })
	wantError(t, err, "pdp11")
}

func TestLimits(t *testing.T) {
	plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
		h.Limits = map[string]settings.Limit{"NPROC": {Soft: 11, Hard: 12}}
		s.Exec.Limits = map[string]settings.Limit{"NOFILE": {Soft: 5, Hard: 6}}
	})
	for name, want := range map[string]settings.Limit{
		"NPROC": {Soft: 11, Hard: 12}, "NOFILE": {Soft: 5, Hard: 6}, "CORE": {Soft: 0, Hard: settings.Infinity},
		"MEMLOCK": {Soft: 8 << 20, Hard: 8 << 20},
	} {
		if got := plan.Limits[name]; got != want {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
}
