package container

import (
	"fmt"
	"strings"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// The order was compared with that of the mounts in containers of systemd-nspawn 252.
func TestOrderOfMounts(t *testing.T) {
	files := settings.Files{
		Inaccessible:        []settings.Inaccessible{{Path: "/a"}},
		Binds:               []settings.Bind{{Destination: "/a/b/c"}, {Destination: "/a/b", Source: "/1"}, {Destination: "/a"}, {Destination: "/a/b", Source: "/2"}},
		TemporaryFileSystem: []settings.TemporaryFileSystem{{Path: "/a/b"}, {Path: "/a-b"}},
		Overlays:            []settings.Overlay{{Destination: "/a/b"}},
	}
	var got []string
	for _, m := range customMounts(&files) {
		text := fmt.Sprint(m.destination, " ", m.kind)
		if m.bind != nil {
			text += m.bind.Source
		}
		got = append(got, text)
	}
	want := "/a 0;/a 3;/a/b 0/1;/a/b 0/2;/a/b 1;/a/b 2;/a/b/c 0;/a-b 1"
	if strings.Join(got, ";") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBindMapping(t *testing.T) {
	shifted := Users{Namespace: true, Start: 1 << 20, Count: UserRange}
	chowned := shifted
	chowned.OnDisk = chowned.Start
	for _, test := range []struct {
		source, option, byDefault string
		users                     Users
		want                      string
	}{
		{"/a", "", "no", shifted, "noidmap"},
		{"/a", "", "", shifted, "noidmap"},
		{"/a", "", "owner", shifted, "owneridmap"},
		{"/a", "", "root", shifted, "rootidmap"},
		{"/a", "noidmap", "owner", shifted, "noidmap"},
		{"/a", "idmap", "owner", shifted, "idmap"},
		{"/a", "idmap", "no", Users{}, "noidmap"},
		{"/a", "rootidmap", "no", Users{}, "rootidmap"},
		{"/a", "", "root", Users{}, "rootidmap"},
		{"+/a", "", "root", shifted, "idmap"},
		{"+/a", "", "no", shifted, "idmap"},
		{"+/a", "noidmap", "no", shifted, "idmap"},
		{"+/a", "rootidmap", "no", shifted, "rootidmap"},
		{"+/a", "", "root", chowned, "noidmap"},
		{"+/a", "", "no", Users{}, "noidmap"},
	} {
		bind := &settings.Bind{Source: test.source, IDMap: test.option}
		if got := bindMapping(bind, test.byDefault, test.users); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

func TestDescribeOwner(t *testing.T) {
	shifted := Users{Namespace: true, Start: 1 << 20, Count: UserRange}
	for _, test := range []struct {
		bind     settings.Bind
		mapping  string
		uid, gid uint32
		users    Users
		want     string // part of the warning; empty: none
	}{
		{settings.Bind{}, "noidmap", 0, 0, shifted, "write /srv:/mnt:idmap to show it as the user 0"},
		{settings.Bind{ReadOnly: true}, "noidmap", 1000, 100, shifted, "write /srv:/mnt:idmap to show it as the user 1000"},
		{settings.Bind{}, "noidmap", UserRange, 0, shifted, "write /srv:/mnt:rootidmap to show it as root"},
		{settings.Bind{IDMap: "noidmap"}, "noidmap", 0, 0, shifted, ""}, // asked for
		{settings.Bind{}, "noidmap", 1 << 20, 1 << 20, shifted, ""},
		{settings.Bind{}, "noidmap", 1<<20 + UserRange, 0, shifted, "rootidmap"},
		{settings.Bind{}, "noidmap", 0, 0, Users{}, ""},
		{settings.Bind{}, "idmap", 0, 0, shifted, ""},
		{settings.Bind{}, "rootidmap", 1000, 1000, shifted, ""},
		{settings.Bind{}, "rootidmap", 1000, 100, shifted, "chgrp 1000 /srv"},
		{settings.Bind{ReadOnly: true}, "rootidmap", 1000, 100, shifted, ""},
	} {
		test.bind.Source, test.bind.Destination = "/srv", "/mnt"
		got := describeOwner(&test.bind, test.mapping, test.uid, test.gid, test.users)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}

func TestTemporaryOptions(t *testing.T) {
	shifted := Users{Namespace: true, Start: 1 << 20, Count: UserRange}
	value := func(list []kernel.Option, name string) (last string) {
		for _, option := range list {
			if option.Name == name {
				last = option.Value
			}
		}
		return last
	}
	list, attributes, err := temporaryOptions("size=1m,uid=5,noswap,ro,noexec,nosuid", shifted)
	if err != nil || attributes != kernel.ReadOnly|kernel.NoExec || value(list, "nosuid") != "" || value(list, "uid") != "1048581" || value(list, "gid") != "" || value(list, "size") != "1m" || value(list, "mode") != "" {
		t.Errorf("got %v, %v", list, err)
	}
	for _, bad := range []string{"uid=65536", "uid=root", "gid=-1", "uid"} {
		_, _, err := temporaryOptions(bad, shifted)
		wantError(t, err, bad)
	}
	if list, _, err := temporaryOptions("uid=70000", Users{}); err != nil || value(list, "uid") != "70000" {
		t.Errorf("got %v, %v", list, err)
	}
}
