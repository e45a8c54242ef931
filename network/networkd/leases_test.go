package networkd

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/dhcp"
)

func TestChangedLink(t *testing.T) {
	for text, test := range map[string]struct {
		signal dbus.Signal
		index  int
	}{
		"one digit":     {dbus.Signal{Name: propertyChanged, Path: linkPath + "7", Body: []any{serverInterface}}, 7},
		"three":         {dbus.Signal{Name: propertyChanged, Path: linkPath + "120", Body: []any{serverInterface}}, 120},
		"another kind":  {dbus.Signal{Name: "org.example.Changed", Path: linkPath + "7", Body: []any{serverInterface}}, 0},
		"of a link":     {dbus.Signal{Name: propertyChanged, Path: linkPath + "7", Body: []any{busName + ".Link"}}, 0},
		"another path":  {dbus.Signal{Name: propertyChanged, Path: "/org/example/_37", Body: []any{serverInterface}}, 0},
		"no number":     {dbus.Signal{Name: propertyChanged, Path: linkPath + "x", Body: []any{serverInterface}}, 0},
		"below nothing": {dbus.Signal{Name: propertyChanged, Path: linkPath + "-7", Body: []any{serverInterface}}, 0},
		"empty":         {dbus.Signal{Name: propertyChanged, Path: linkPath + "7"}, 0},
	} {
		if index, about := changedLink(&test.signal); about != (test.index != 0) || about && index != test.index {
			t.Errorf("%s: link %d, %v", text, index, about)
		}
	}
}

func TestParseLeases(t *testing.T) {
	type given struct {
		Family                             uint32
		Client, Address, Gateway, Hardware []byte
		Expires                            uint64
	}
	booted := time.Unix(1e9, 0)
	hardware := append([]byte{2, 0, 0, 0, 0, 5}, make([]byte, 10)...) // systemd 252 gives all of chaddr
	list, err := parseLeases(dbus.MakeVariant([]given{
		{2, []byte{255, 1}, []byte{192, 168, 1, 2}, []byte{192, 168, 1, 1}, hardware, 3e6},
		{2, nil, []byte{192, 168, 1, 3}, nil, hardware[:6], math.MaxUint64},
		{2, nil, []byte{192, 168, 1}, nil, hardware, 0},
		{2, nil, []byte{192, 168, 1, 4}, nil, []byte{2}, 0},
		{10, nil, make([]byte, 16), nil, hardware, 0},
	}), booted)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	want := dhcp.Lease{
		Address: netip.MustParseAddr("192.168.1.2"), Client: "\xff\x01", Hardware: dhcp.HardwareAddr{2, 0, 0, 0, 0, 5}, Expires: booted.Add(3 * time.Second),
	}
	if !reflect.DeepEqual(list[0], want) {
		t.Errorf("lease %+v, want %+v", list[0], want)
	}
	if end := list[1].Expires; end.Before(booted.AddDate(100, 0, 0)) {
		t.Errorf("one that does not expire ends %v", end)
	}
	for _, value := range []any{"none", []string{"none"}, []given(nil)} {
		if list, _ := parseLeases(dbus.MakeVariant(value), booted); len(list) != 0 {
			t.Errorf("%v: %v", value, list)
		}
	}
}
