package container

import (
	"slices"
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

func TestPickCandidates(t *testing.T) {
	const owner, hashed = 0x100000, 1587085312
	for name, test := range map[string]struct {
		owner uint32
		busy  int
		want  []uint32
	}{
		"owner":                 {owner, 0, []uint32{owner}},
		"owner busy":            {owner, 1, []uint32{owner, hashed}},
		"both busy":             {owner, 2, []uint32{owner, hashed, NextRange("web", 0)}},
		"of the host":           {0, 0, []uint32{hashed}},
		"shared image":          {foreignUsers, 0, []uint32{hashed}},
		"half changed":          {busyUsers, 0, []uint32{hashed}},
		"the first, the last":   {FirstPick, 0, []uint32{FirstPick}},
		"one beyond the last":   {LastPick + UserRange, 1, []uint32{hashed, NextRange("web", 0)}},
		"everything is in use":  {owner, 1000, nil},
		"one before the first":  {FirstPick - UserRange, 0, []uint32{hashed}},
		"the last of the range": {LastPick, 0, []uint32{LastPick}},
	} {
		t.Run(name, func(t *testing.T) {
			var tried []uint32
			taken := pickCandidates("web", test.owner, func(start uint32) bool {
				tried = append(tried, start)
				return len(tried) > test.busy
			})
			if taken != (test.want != nil) || taken && !slices.Equal(tried, test.want) || !taken && len(tried) != 100 {
				t.Errorf("taken %v after %d", taken, tried)
			}
		})
	}
}

func TestChooseUsers(t *testing.T) {
	const web, shifted = 1587085312, 0x100000
	wanted := func(mode settings.UserMode, ownership string) settings.PrivateUsers {
		return settings.PrivateUsers{Mode: mode, Start: 655360, Count: 1000, Ownership: ownership}
	}
	users := func(start, owner, onDisk uint32) Users {
		return Users{Namespace: true, Start: start, Count: UserRange, Owner: owner, OnDisk: onDisk}
	}
	pick := func(start, owner, onDisk uint32) Users { u := users(start, owner, onDisk); u.Pick = true; return u }
	managed := func(owner uint32) Users { u := users(web, owner, owner); u.Managed = true; return u }
	few := users(655360, 0, 655360)
	few.Count = 1000
	fewMapped := few
	fewMapped.OnDisk = 0
	for name, test := range map[string]struct {
		wanted settings.PrivateUsers
		owner  uint32
		want   Users
		err    string
	}{
		"no":                 {wanted(settings.UsersNo, ""), 0, Users{}, ""},
		"no, shifted":        {wanted(settings.UsersNo, ""), shifted, Users{}, ""},
		"not given":          {wanted("", "auto"), 0, Users{}, ""},
		"identity":           {wanted(settings.UsersIdentity, "auto"), 0, users(0, 0, 0), ""},
		"pick":               {wanted(settings.UsersPick, "auto"), 0, pick(web, 0, 0), ""},
		"pick, shifted":      {wanted(settings.UsersPick, "auto"), shifted + 5, pick(shifted, shifted, shifted), ""},
		"pick, of others":    {wanted(settings.UsersPick, "auto"), 0x70000000, pick(web, 0x70000000, web), ""},
		"pick, shared image": {wanted(settings.UsersPick, "auto"), foreignUsers + 7, pick(web, foreignUsers, foreignUsers), ""},
		"pick, off":          {wanted(settings.UsersPick, "off"), 0, pick(web, 0, web), ""},
		"pick, map":          {wanted(settings.UsersPick, "map"), 0, pick(web, 0, 0), ""},
		"pick, map, shifted": {wanted(settings.UsersPick, "map"), shifted, Users{}, "mapping (map) needs an owner of 0"},
		"pick, foreign":      {wanted(settings.UsersPick, "foreign"), foreignUsers, pick(web, foreignUsers, foreignUsers), ""},
		"foreign, not":       {wanted(settings.UsersPick, "foreign"), 0, Users{}, "needs an owner of 2147352576"},
		"pick, chown":        {wanted(settings.UsersPick, "chown"), 0, pick(web, 0, web), ""},
		"fixed":              {wanted(settings.UsersFixed, "auto"), 0, fewMapped, ""},
		"fixed, off":         {wanted(settings.UsersFixed, "off"), 0, few, ""},
		"fixed, chown":       {wanted(settings.UsersFixed, "chown"), 0, Users{}, "not to 1000 from 655360 on"},
		"fixed, other owner": {wanted(settings.UsersFixed, "auto"), shifted, Users{}, "not to 1000 from 655360 on"},
		"yes":                {wanted(settings.UsersYes, ""), shifted, users(shifted, shifted, shifted), ""},
		"yes, owner 0":       {wanted(settings.UsersYes, ""), 0, users(0, 0, 0), ""},
		"yes, half changed":  {wanted(settings.UsersYes, "chown"), busyUsers, Users{}, "was interrupted: name the range"},
		"half changed":       {wanted(settings.UsersPick, "off"), busyUsers, Users{}, "finish it with"},
		"half changed, auto": {wanted(settings.UsersPick, "auto"), busyUsers, pick(web, busyUsers, web), ""},
		"managed":            {wanted(settings.UsersManaged, "auto"), 0, managed(0), ""},
		"managed, foreign":   {wanted(settings.UsersManaged, "auto"), foreignUsers, managed(foreignUsers), ""},
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

// What is not to be written to keeps its owners, also where that is found out late.
func TestChownOfReadOnly(t *testing.T) {
	for option, change := range map[string]func(*settings.Settings){
		"--read-only": func(s *settings.Settings) { set(s, "Files.ReadOnly"); s.Files.ReadOnly = true },
		"marked":      func(s *settings.Settings) { s.Files.ReadOnly = true },
		"--volatile":  func(s *settings.Settings) { s.Files.Volatile = "overlay" },
	} {
		_, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
			set(s, "Files.PrivateUsersOwnership")
			s.Exec.PrivateUsers = settings.PrivateUsers{Mode: settings.UsersPick, Ownership: "chown"}
			change(s)
		})
		wantError(t, err, "web.nspawn:7: ", "/var/lib/machines/web", option)
	}
}

func TestUsersErrorHasOrigin(t *testing.T) {
	_, err := decide(t, func(s *settings.Settings, _ *Options, host *Host) {
		set(s, "Exec.PrivateUsers")
		s.Exec.PrivateUsers.Mode = settings.UsersPick
		host.Root.OwnerUID = 1 << 20
	})
	wantError(t, err, "web.nspawn:7: ", "/var/lib/machines/web", "differ")
}

func TestKernelWithoutUserNamespaces(t *testing.T) {
	origin := settings.Origin{Option: "-U"}
	start := func(mode settings.UserMode) (*Plan, error) {
		return decide(t, func(s *settings.Settings, _ *Options, host *Host) {
			s.Exec.PrivateUsers = settings.PrivateUsers{Mode: mode, Ownership: "auto"}
			s.Set["Exec.PrivateUsers"] = origin
			host.NoUserNamespaces = true
		})
	}
	if plan, err := start(settings.UsersPick); err != nil || plan.Users.Namespace || plan.Inside.UserNamespace {
		t.Errorf("-U: %+v, %v", plan, err)
	}
	origin = settings.Origin{Option: "--private-users"}
	_, err := start(settings.UsersPick)
	wantError(t, err, "--private-users: ", "no user namespaces")
	if _, err := start(settings.UsersNo); err != nil {
		t.Errorf("no: %v", err)
	}
}
