package container

import (
	"strings"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

func TestDelegateNeedsManaged(t *testing.T) {
	for mode, want := range map[settings.UserMode]string{
		settings.UsersNo: "web.nspawn:7: needs --private-users=managed", settings.UsersPick: "web.nspawn:7: needs --private-users=managed", settings.UsersManaged: "",
	} {
		plan, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.PrivateUsers.Mode, s.Exec.PrivateUsers.Delegate = mode, 3
			set(s, "Exec.PrivateUsersDelegate")
		})
		if want != "" {
			wantError(t, err, want)
		} else if err != nil || plan.Users.Delegate != 3 || !plan.Inside.Delegated {
			t.Errorf("%s: %v, %+v", mode, err, plan)
		}
	}
	if plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.PrivateUsers.Mode = settings.UsersManaged }); plan.Inside.Delegated {
		t.Error("delegated without being asked")
	}
}

func TestDelegateWarnsOfOverlays(t *testing.T) {
	for name, test := range map[string]struct {
		delegate uint
		change   func(*settings.Settings)
		want     string
	}{
		"volatile": {1, func(s *settings.Settings) { s.Files.Volatile = "overlay"; set(s, "Files.Volatile") }, "/etc/systemd/nspawn/web.nspawn:7: with --private-users-delegate="},
		"overlay": {1, func(s *settings.Settings) {
			s.Files.Overlays = []settings.Overlay{{Origin: settings.Origin{Option: "--overlay"}}}
		}, "--overlay: with --private-users-delegate="},
		"read-only overlay": {1, func(s *settings.Settings) { s.Files.Overlays = []settings.Overlay{{ReadOnly: true}} }, ""},
		"state":             {1, func(s *settings.Settings) { s.Files.Volatile = "state" }, ""},
		"not delegated":     {0, func(s *settings.Settings) { s.Files.Volatile = "overlay" }, ""},
	} {
		plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) {
			s.Exec.PrivateUsers.Mode, s.Exec.PrivateUsers.Delegate = settings.UsersManaged, test.delegate
			test.change(s)
		})
		if got := strings.Join(plan.Warnings, "\n"); (test.want == "") != (got == "") || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is not what was asked for is not taken: users of somebody else, or of nobody.
func TestCheckGiven(t *testing.T) {
	own := kernel.IDExtent{From: 0, To: 0x80000, Count: UserRange}
	inner := kernel.IDExtent{From: 0x90000, To: 0x90000, Count: UserRange}
	for name, test := range map[string]struct {
		given    []kernel.IDExtent
		delegate uint
		good     bool
	}{
		"own":                {[]kernel.IDExtent{own}, 0, true},
		"one":                {[]kernel.IDExtent{own, inner}, 1, true},
		"one too few":        {[]kernel.IDExtent{own}, 1, false},
		"one too many":       {[]kernel.IDExtent{own, inner}, 0, false},
		"half":               {[]kernel.IDExtent{{From: 0, To: 0x80000, Count: 0x8000}}, 0, false},
		"half a range":       {[]kernel.IDExtent{own, {From: 0x90000, To: 0x90000, Count: 1}}, 1, false},
		"not to themselves":  {[]kernel.IDExtent{own, {From: 0x10000, To: 0x90000, Count: UserRange}}, 1, false},
		"the host's at last": {[]kernel.IDExtent{own, {From: 0x10000, To: 0, Count: UserRange}}, 1, false},
	} {
		if err := checkGiven(test.given, test.delegate); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Users that systemd-nsresourced hands out are never owners on disk: 61184 to 65519 and 524288 to 1879048191 (https://systemd.io/UIDS-GIDS).
func TestTemporaryUsers(t *testing.T) {
	s := &Supervisor{plan: &Plan{Users: Users{Start: 0x80000, Count: UserRange, Delegate: 16}}}
	for i := range uint32(16) {
		s.delegated = append(s.delegated, 0x90000+i*UserRange)
	}
	onDisk, inside := map[uint32]bool{}, map[uint32]bool{}
	for _, e := range s.temporaryUsers() {
		if last := e.From + e.Count - 1; e.From <= 65519 && last >= 61184 || e.From <= 1879048191 && last >= 524288 || last < e.From {
			t.Errorf("%+v", e)
		}
		for i := range e.Count {
			if onDisk[e.From+i] || inside[e.To+i] {
				t.Fatalf("%+v overlaps", e)
			}
			onDisk[e.From+i], inside[e.To+i] = true, true
		}
	}
	for _, start := range append(s.delegated, s.plan.Users.Start) {
		if !inside[start] || !inside[start+UserRange-1] {
			t.Errorf("the users from %d on are missing", start)
		}
	}
	if !onDisk[s.plan.Users.onTemporary()] || !inside[0] {
		t.Error("the container's root or the host's is missing")
	}
}
