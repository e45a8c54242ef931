package settings

import (
	"reflect"
	"strings"
	"testing"
)

func TestForwardJournal(t *testing.T) {
	c, err := ParseCommandLine([]string{"--forward-journal=a", "--forward-journal-max-files=3", "--forward-journal-max-use=1.5K",
		"--forward-journal=/b.journal", "--forward-journal-max-files=4", "-D/x"})
	want := ForwardJournal{"/b.journal", []JournalLimit{{"max-files", 4}, {"max-use", 1536}}}
	if err != nil || !reflect.DeepEqual(c.ForwardJournal, want) {
		t.Errorf("%+v, %v", c.ForwardJournal, err)
	}
	if len(c.Credentials) != 1 || c.Credentials[0].ID != "journal.forward_to_socket" || string(c.Credentials[0].Value) != "/run/host/journal/socket" {
		t.Errorf("credentials %v", c.Credentials)
	}
	for arguments, text := range map[string]string{
		"--forward-journal=":                                                  "path is empty",
		"--forward-journal-max-use=1":                                         "--forward-journal-max-use needs --forward-journal=",
		"--forward-journal-max-use=x":                                         "--forward-journal-max-use=x: not a size",
		"--forward-journal-keep-free=":                                        "not a size",
		"--forward-journal-max-file-size=1 2":                                 "--forward-journal-max-file-size",
		"--forward-journal-max-files=-1":                                      "--forward-journal-max-files=-1: not a number",
		"--forward-journal-max-files=1K":                                      "not a number",
		"--forward-journal":                                                   "argument",
		"--forward-journal=/a --load-credential=journal.forward_to_socket:/a": "there is a credential",
	} {
		if _, err := ParseCommandLine(strings.Split(arguments, " ")); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", arguments, err, text)
		}
	}
}

func TestBindUserGroup(t *testing.T) {
	c, err := ParseCommandLine([]string{"--bind-user-group=wheel", "--bind-user-group=adm", "--bind-user-group=wheel"})
	if err != nil || !reflect.DeepEqual(c.BindUserGroups, []string{"wheel", "adm"}) {
		t.Errorf("%q, %v", c.BindUserGroups, err)
	}
	for _, name := range []string{"", "a/b", "a:b", "1"} {
		if _, err := ParseCommandLine([]string{"--bind-user-group=" + name}); err == nil || !strings.Contains(err.Error(), "not the name of a group") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
