package busname

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestChanged(t *testing.T) {
	const bus, member, name = "org.freedesktop.DBus", "org.freedesktop.DBus.NameOwnerChanged", "org.example.Web"
	for text, test := range map[string]struct {
		signal         dbus.Signal
		owned, changed bool
	}{
		"starts":        {dbus.Signal{Sender: bus, Name: member, Body: []any{name, "", ":1.7"}}, true, true},
		"ends":          {dbus.Signal{Sender: bus, Name: member, Body: []any{name, ":1.7", ""}}, false, true},
		"another name":  {dbus.Signal{Sender: bus, Name: member, Body: []any{"org.example.DB", "", ":1.7"}}, false, false},
		"another kind":  {dbus.Signal{Name: "org.example.Web.Reloaded", Body: []any{name, "", ":1.7"}}, false, false},
		"without owner": {dbus.Signal{Sender: bus, Name: member, Body: []any{name, ""}}, false, false},
		"of a liar":     {dbus.Signal{Sender: ":1.8", Name: member, Body: []any{name, ":1.7", ""}}, false, false},
		"no text":       {dbus.Signal{Sender: bus, Name: member, Body: []any{name, "", 7}}, false, false},
	} {
		if owned, changed := Changed(&test.signal, name); owned != test.owned || changed != test.changed {
			t.Errorf("%s: %v, %v", text, owned, changed)
		}
	}
}
