package firewalld

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

// object is firewalld with the zones of interfaces.
type object struct {
	dbus.BusObject // whose other methods are not called
	zones          map[string]string
	err            error
	changes        []string
}

func (o *object) CallWithContext(_ context.Context, method string, _ dbus.Flags, args ...any) *dbus.Call {
	switch method {
	case zoneInterface + ".getZoneOfInterface":
		return &dbus.Call{Body: []any{o.zones[args[0].(string)]}}
	case zoneInterface + ".addInterface":
		o.zones[args[1].(string)] = args[0].(string)
	case zoneInterface + ".removeInterface":
		delete(o.zones, args[1].(string))
	}
	o.changes = append(o.changes, fmt.Sprint(method[len(zoneInterface):], args))
	return &dbus.Call{Err: o.err}
}

func TestSet(t *testing.T) {
	for name, test := range map[string]struct {
		zones   map[string]string
		wanted  bool
		err     error
		changes []string
		done    string
		problem string
	}{
		"nothing wanted": {zones: map[string]string{}},
		"wanted": {zones: map[string]string{}, wanted: true, changes: []string{".addInterface[nspawnkit ve-+]", ".addInterface[nspawnkit vz-+]"},
			done: "firewalld: put the links of containers into the zone nspawnkit"},
		"there":             {zones: map[string]string{"ve-+": Zone, "vz-+": Zone}, wanted: true},
		"the administrator": {zones: map[string]string{"ve-+": "trusted", "vz-+": Zone}, wanted: true},
		"not wanted": {zones: map[string]string{"ve-+": "trusted", "vz-+": Zone}, changes: []string{".removeInterface[nspawnkit vz-+]"},
			done: "firewalld: took the links of containers out of the zone nspawnkit"},
		"not reloaded": {zones: map[string]string{}, wanted: true, err: errors.New("INVALID_ZONE: nspawnkit"), changes: []string{".addInterface[nspawnkit ve-+]"},
			problem: "firewalld does not know the zone nspawnkit of containers: firewall-cmd --reload"},
		"no": {zones: map[string]string{}, wanted: true, err: errors.New("no"), changes: []string{".addInterface[nspawnkit ve-+]"},
			problem: "change the zone of ve-+ in firewalld: no"},
	} {
		o := &object{zones: test.zones, err: test.err}
		done, err := NewKeeper(nil).set(t.Context(), o, test.wanted)
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if done != test.done || problem != test.problem || !slices.Equal(o.changes, test.changes) {
			t.Errorf("%s: %q, %q, %q", name, done, problem, o.changes)
		}
	}
}
