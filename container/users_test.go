package container

import (
	"testing"

	"nspawnkit/settings"
)

// systemd-nspawn chose these ranges for these names: both can run side by side and find the same owners on disk.
func TestHashedRange(t *testing.T) {
	for machine, want := range map[string]uint32{"bb": 406061056, "web": 1587085312} {
		if got := HashedRange(machine); got != want {
			t.Errorf("HashedRange(%q) = %d, want %d", machine, got, want)
		}
	}
}

func TestRangesAreAligned(t *testing.T) {
	seen := make(map[uint32]bool)
	for step := range uint64(100) {
		got := NextRange("web", step)
		if got%UserRange != 0 || got < FirstPick || got > LastPick {
			t.Errorf("NextRange(web, %d) = %d", step, got)
		}
		seen[got] = true
	}
	if len(seen) < 95 {
		t.Errorf("100 tries give only %d ranges", len(seen))
	}
}

func TestChooseUsers(t *testing.T) {
	const web, shifted = 1587085312, 0x100000
	wanted := func(mode settings.UserMode, ownership string) settings.PrivateUsers {
		return settings.PrivateUsers{Mode: mode, Start: 655360, Count: 1000, Ownership: ownership}
	}
	for name, test := range map[string]struct {
		wanted settings.PrivateUsers
		owner  uint32
		want   Users
		err    string
	}{
		"no":                    {wanted(settings.UsersNo, ""), 0, Users{}, ""},
		"no, shifted":           {wanted(settings.UsersNo, ""), shifted, Users{}, ""},
		"not given":             {wanted("", "auto"), 0, Users{}, ""},
		"identity":              {wanted(settings.UsersIdentity, "auto"), 0, Users{Namespace: true, Count: UserRange}, ""},
		"pick":                  {wanted(settings.UsersPick, "auto"), 0, Users{Namespace: true, Start: web, Count: UserRange, MapRoot: true, Pick: true}, ""},
		"pick, shifted":         {wanted(settings.UsersPick, "auto"), shifted + 5, Users{Namespace: true, Start: shifted, Count: UserRange}, ""},
		"pick, first range":     {wanted(settings.UsersPick, "auto"), FirstPick, Users{Namespace: true, Start: FirstPick, Count: UserRange}, ""},
		"pick, owned by others": {wanted(settings.UsersPick, "auto"), 0x70000000, Users{}, "owned by the user range"},
		"pick, off":             {wanted(settings.UsersPick, "off"), 0, Users{Namespace: true, Start: web, Count: UserRange, Pick: true}, ""},
		"pick, map":             {wanted(settings.UsersPick, "map"), 0, Users{Namespace: true, Start: web, Count: UserRange, MapRoot: true, Pick: true}, ""},
		"pick, map, shifted":    {wanted(settings.UsersPick, "map"), shifted, Users{}, "mapping needs an owner of 0"},
		"pick, chown":           {wanted(settings.UsersPick, "chown"), 0, Users{}, `"chown" is not supported yet`},
		"fixed":                 {wanted(settings.UsersFixed, "auto"), 0, Users{Namespace: true, Start: 655360, Count: 1000, MapRoot: true}, ""},
		"fixed, owned":          {wanted(settings.UsersFixed, "auto"), 655360, Users{Namespace: true, Start: 655360, Count: 1000}, ""},
		"fixed, off":            {wanted(settings.UsersFixed, "off"), 0, Users{Namespace: true, Start: 655360, Count: 1000}, ""},
		"fixed, other owner":    {wanted(settings.UsersFixed, "auto"), shifted, Users{}, "neither 0 nor the container's 655360"},
		"yes":                   {wanted(settings.UsersYes, ""), shifted, Users{Namespace: true, Start: shifted, Count: UserRange}, ""},
		"yes, owner 0":          {wanted(settings.UsersYes, ""), 0, Users{Namespace: true, Count: UserRange}, ""},
		"managed":               {wanted("managed", ""), 0, Users{}, `"managed" is not supported yet`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooseUsers(test.wanted, Root{OwnerUID: test.owner, OwnerGID: test.owner}, "web")
			if test.err != "" {
				wantError(t, err, test.err)
			} else if err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
	_, err := chooseUsers(wanted(settings.UsersPick, "auto"), Root{OwnerUID: shifted, OwnerGID: 0}, "web")
	wantError(t, err, "differ")
}

func TestUsersErrorHasOrigin(t *testing.T) {
	_, err := decide(t, func(s *settings.Settings, _ *Options, host *Host) {
		set(s, "Exec.PrivateUsers")
		s.Exec.PrivateUsers.Mode = "managed"
	})
	wantError(t, err, "web.nspawn:7: ", "/var/lib/machines/web", "managed")
}
