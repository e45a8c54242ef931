package settings

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestUnread(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, want := range map[string]string{
		"etc/systemd/nspawn/web.nspawn":              "",
		"etc/systemd/nspawn/web.nspawn.d/10.conf":    "",
		"etc/systemd/nspawn/web-.nspawn.d/10.conf":   "",
		"etc/systemd/nspawn/nspawn.d/10.conf":        "",
		"etc/nspawnkit/networkd-lite.conf":           "",
		"etc/systemd/nspawn/README":                  "",
		"etc/systemd/nspawn/web.nspawn~":             "",
		"etc/systemd/nspawn/.web.nspawn.swp":         "",
		"etc/systemd/nspawn/web.nspawn.dpkg-old":     "",
		"etc/systemd/nspawn/web.nspawn.d/10.conf~":   "",
		"etc/systemd/nspawn/sub/web.nspwn":           "",
		"etc/systemd/nspawn/A.NSPAWN":                "nobody reads this, did you mean A.nspawn?",
		"run/systemd/nspawn/web.nspwn":               "nobody reads this, did you mean web.nspawn?",
		"etc/nspawnkit/web.nspawns":                  "nobody reads this, did you mean web.nspawn?",
		"etc/nspawnkit/web.conf":                     "nobody reads this, settings are in NAME.nspawn, drop-ins in NAME.nspawn.d/*.conf",
		"etc/systemd/nspawn/web.d/x.conf":            "nobody reads this, settings are in NAME.nspawn, drop-ins in NAME.nspawn.d/*.conf",
		"etc/systemd/nspawn/web.nspwn.d/x.conf":      "nobody reads this, did you mean web.nspawn.d?",
		"etc/systemd/nspawn/web.Nspawn.d/x.conf":     "nobody reads this, did you mean web.nspawn.d?",
		"etc/systemd/nspawn/a_b.nspawn.d/x.conf":     "nobody reads this folder, a_b is not a valid container name",
		"etc/systemd/nspawn/.nspawn.d/x.conf":        "",
		"etc/systemd/nspawn/Nspawn.d/x.conf":         "nobody reads this folder, did you mean nspawn.d?",
		"etc/systemd/nspawn/web.nspawn.d/20-limits":  "nobody reads this, the name of a drop-in ends in .conf",
		"etc/systemd/nspawn/nspawn.d/20.nspawn":      "nobody reads this, the name of a drop-in ends in .conf",
		"usr/lib/systemd/nspawn/web-.nspawn.d/x.cnf": "nobody reads this, the name of a drop-in ends in .conf",
	} {
		fsys[name] = text("")
		var got []string
		for _, p := range Unread(fsys) {
			if !strings.HasPrefix("/"+name, p.Origin.File) {
				t.Errorf("%s: %s", name, p)
			}
			got = append(got, p.Text)
		}
		if strings.Join(got, ";") != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		delete(fsys, name)
	}
}

func TestInstead(t *testing.T) {
	folders := Scan(fstest.MapFS{
		"etc/systemd/nspawn/web.nspawn":     text(""),
		"usr/lib/systemd/nspawn/web.nspawn": text(""),
		"usr/lib/systemd/nspawn/db.nspawn":  text(""),
	})
	for file, want := range map[string]string{
		"/etc/systemd/nspawn/web.nspawn":           "",
		"/usr/lib/systemd/nspawn/web.nspawn":       "/etc/systemd/nspawn/web.nspawn",
		"/usr/lib/systemd/nspawn/db.nspawn":        "",
		"/root/web.nspawn":                         "",
		"/etc/systemd/nspawn/web.nspawn.d/10.conf": "",
	} {
		if got := folders.Instead(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestDropInMachine(t *testing.T) {
	for file, want := range map[string]string{
		"/etc/systemd/nspawn/web.nspawn.d/10.conf":  "web",
		"/etc/systemd/nspawn/web-.nspawn.d/10.conf": "web-NAME",
		"nspawn.d/10.conf":                          "NAME",
		"/etc/systemd/nspawn/web.nspawn.d/10":       "",
		"/etc/systemd/nspawn/web.conf":              "",
		"/etc/systemd/nspawn/a_b.nspawn.d/10.conf":  "",
	} {
		if got, ok := DropInMachine(file); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", file, got, ok)
		}
	}
}
