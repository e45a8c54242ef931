package container

import (
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
