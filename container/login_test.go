package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

func TestLoginProblems(t *testing.T) {
	const securetty, locale = "/etc/securetty lets root log in on no terminal", "asks for the locale"
	for name, test := range map[string]struct {
		files map[string]string
		want  string // part of the only problem
	}{
		"none":                      {nil, ""},
		"securetty":                 {map[string]string{"etc/securetty": "console\ntty1\n"}, securetty},
		"empty securetty":           {map[string]string{"etc/securetty": ""}, securetty},
		"securetty with pts":        {map[string]string{"etc/securetty": "console\n  pts/0\n"}, ""},
		"securetty, PAM":            {map[string]string{"etc/securetty": "tty1\n", "etc/pam.d/login": "auth required pam_securetty.so\n"}, securetty},
		"securetty, PAM without":    {map[string]string{"etc/securetty": "tty1\n", "etc/pam.d/login": "# pam_securetty.so\nauth include common\n"}, ""},
		"locale":                    {map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n", "usr/lib/locale/C.utf8/x": ""}, locale + ` "de_DE.UTF-8"`},
		"Debian's locale":           {map[string]string{"etc/default/locale": "LANG=\"de_DE.UTF-8\"\n", "usr/lib/locale/C.utf8/x": ""}, "its /etc/default/locale " + locale},
		"the first file counts":     {map[string]string{"etc/locale.conf": "LANG=C.UTF-8\n", "etc/default/locale": "LANG=xx\n", "usr/lib/locale/C.utf8/x": ""}, ""},
		"locale is there":           {map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8@euro\n", "usr/lib/locale/de_DE.utf8@euro/x": ""}, ""},
		"locale may be there":       {map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n", "usr/lib/locale/locale-archive": "x"}, ""},
		"no locales, another libc":  {map[string]string{"etc/locale.conf": "LANG=de_DE.UTF-8\n"}, ""},
		"built in":                  {map[string]string{"etc/locale.conf": "LANG=POSIX\n", "usr/lib/locale/x/x": ""}, ""},
		"locale that is a path":     {map[string]string{"etc/locale.conf": "LANG=../../x\n", "usr/lib/locale/x/x": ""}, ""},
		"locale without a codeset":  {map[string]string{"etc/locale.conf": "LANG=de_DE\n", "usr/lib/locale/de_DE/x": ""}, ""},
		"locale that is missing":    {map[string]string{"etc/locale.conf": "LANG=de_DE\n", "usr/lib/locale/de_DE.utf8/x": ""}, locale},
		"locale of other variables": {map[string]string{"etc/locale.conf": "LC_TIME=de_DE\n", "usr/lib/locale/x/x": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			for path, content := range test.files {
				path = filepath.Join(directory, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			root, err := kernel.OpenRoot(directory)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			problems := loginProblems(root)
			if len(problems) > 1 || (len(problems) == 1) != (test.want != "") || len(problems) == 1 && !strings.Contains(problems[0], test.want) {
				t.Errorf("%q, want %q", problems, test.want)
			}
		})
	}
	for _, boot := range []bool{false, true} {
		plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
			s.Exec.Boot, h.Root.LoginProblems = boot, []string{"problem"}
		})
		if got := strings.Join(plan.Warnings, ";"); boot != strings.Contains(got, "/var/lib/machines/web: problem") {
			t.Errorf("boot %v: warnings %q", boot, got)
		}
	}
}
