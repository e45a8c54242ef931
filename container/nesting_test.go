package container

import (
	"slices"
	"testing"

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
