package container

import (
	"slices"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// Without users of its own a container's root is the host's, to whom the files of a new /proc belong.
func TestNestingNeedsUsers(t *testing.T) {
	for name, users := range map[string]settings.PrivateUsers{
		"no": {Mode: settings.UsersNo}, "identity": {Mode: settings.UsersIdentity}, "yes": {Mode: settings.UsersYes},
		"from 0 on": {Mode: settings.UsersFixed, Start: 0, Count: UserRange},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decide(t, func(s *settings.Settings, _ *Options, _ *Host) {
				s.Exec.Nesting, s.Exec.PrivateUsers = true, users
				s.Set["Exec.Nesting"] = settings.Origin{File: "/etc/systemd/nspawn/web.nspawn", Line: 2}
			})
			wantError(t, err, "/etc/systemd/nspawn/web.nspawn:2", "needs a user namespace whose root is not the host's", "PrivateUsers=pick")
		})
	}
	for name, users := range map[string]settings.PrivateUsers{
		"pick": {Mode: settings.UsersPick}, "managed": {Mode: settings.UsersManaged}, "fixed": {Mode: settings.UsersFixed, Start: 1 << 20, Count: UserRange},
	} {
		p := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) { s.Exec.Nesting, s.Exec.PrivateUsers = true, users })
		if !p.Inside.Nesting {
			t.Errorf("%s: not honoured", name)
		}
	}
}

// A container without Nesting= gets nothing of it.
func TestWithoutNesting(t *testing.T) {
	for _, in := range []Inside{{UserNamespace: true, PrivateNetwork: true}, {UserNamespace: true}, {}} {
		with := in
		with.Nesting = true
		if got, more := len(kernelTrees(&in)), len(kernelTrees(&with)); got > 2 || more <= got {
			t.Errorf("%+v: %d file systems, with Nesting= %d", in, got, more)
		}
		if len(procMounts(&with)) != len(procMounts(&in))+1 || len(deviceNodes(&with)) != len(deviceNodes(&in))+len(wholeNodes()) {
			t.Errorf("%+v: not one cover and its directories more with Nesting=", in)
		}
		if names := stepNames(inner(), &in); slices.Contains(names, "lay by a whole /proc and /sys") {
			t.Errorf("%+v: steps %q", in, names)
		}
	}
}

// In a container the users that a container of it may have are few.
func TestNestedUsers(t *testing.T) {
	inContainer := []kernel.IDExtent{{From: 0, To: 1 << 20, Count: UserRange}}
	for name, test := range map[string]struct {
		users   settings.PrivateUsers
		refused bool
	}{
		"no":       {settings.PrivateUsers{Mode: settings.UsersNo}, false},
		"identity": {settings.PrivateUsers{Mode: settings.UsersIdentity}, false},
		"within":   {settings.PrivateUsers{Mode: settings.UsersFixed, Start: 1000, Count: UserRange - 1000}, false},
		"too many": {settings.PrivateUsers{Mode: settings.UsersFixed, Start: 1000, Count: UserRange}, true},
		"beyond":   {settings.PrivateUsers{Mode: settings.UsersFixed, Start: 1 << 20, Count: UserRange}, true},
		"pick":     {settings.PrivateUsers{Mode: settings.UsersPick}, true},
		"managed":  {settings.PrivateUsers{Mode: settings.UsersManaged}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
				h.InUserNamespace, h.Users = true, inContainer
				s.Exec.PrivateUsers = test.users
			})
			if test.refused {
				wantError(t, err, "there are no users", "which is a container itself", "--private-users=identity")
			} else if err != nil || !p.Inside.BoundDevices {
				t.Errorf("%v", err)
			}
			mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
				h.Users = []kernel.IDExtent{{Count: 1<<32 - 1}}
				s.Exec.PrivateUsers = test.users
			})
		})
	}
}
