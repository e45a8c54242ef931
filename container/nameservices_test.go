package container

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"

	"nspawnkit/machined"
)

func TestKnowRange(t *testing.T) {
	failed := errors.New("failed")
	for name, test := range map[string]struct {
		nsswitch, file, text string
		asked, want          bool // of getent, which knows all
	}{
		"none":                {nsswitch: "passwd: files systemd\ngroup: files systemd\n"},
		"no nsswitch.conf":    {},
		"user":                {nsswitch: "passwd: files", file: "etc/passwd", text: "ann:x:65536:1::/:\n", want: true},
		"last but one":        {file: "etc/passwd", text: "ann:x:131070:1::/:\n", want: true},
		"group":               {file: "etc/group", text: "ann:x:131070:\n", want: true},
		"in between":          {nsswitch: "passwd: files systemd", file: "etc/passwd", text: "ann:x:65537:1::/:\n"},
		"user record":         {nsswitch: "passwd: files [SUCCESS=merge] systemd # here", file: "run/userdb/65536.user", want: true},
		"group record":        {nsswitch: "group: mymachines systemd", file: "usr/lib/userdb/131070.group", want: true},
		"record, but systemd": {nsswitch: "passwd: files", file: "run/userdb/65536.user"},
		"compat":              {nsswitch: "passwd: compat systemd", asked: true, want: true},
		"sss":                 {nsswitch: "passwd: files\ngroup: sss[NOTFOUND=return]files", asked: true, want: true},
		"of hosts":            {nsswitch: "passwd: files\nhosts: files dns"},
	} {
		root := fstest.MapFS{}
		if test.nsswitch != "" {
			root["etc/nsswitch.conf"] = &fstest.MapFile{Data: []byte(test.nsswitch)}
		}
		if test.file != "" {
			root[test.file] = &fstest.MapFile{Data: []byte(test.text)}
		}
		var asked []string
		services := nameServices{root: root, database: machined.UserDatabase{Directory: t.TempDir()}, getent: func(ids ...string) (bool, error) {
			asked = ids
			return true, failed
		}}
		known, err := services.knowRange(t.Context(), 65536)
		if known != test.want || (err == failed) != test.asked || test.asked != slices.Equal(asked, []string{"65536", "131070"}) {
			t.Errorf("%s: %v, %v, asked for %q", name, known, err, asked)
		}
	}
}
