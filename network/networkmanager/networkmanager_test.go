package networkmanager

import (
	"testing"
	"testing/fstest"
)

func TestFile(t *testing.T) {
	const etc, run = "etc/NetworkManager/conf.d/nspawnkit.conf", "run/NetworkManager/conf.d/nspawnkit.conf"
	for want, files := range map[string][]string{"": nil, Shipped: {Shipped}, run: {Shipped, run}, etc: {Shipped, run, etc}} {
		root := fstest.MapFS{"usr/lib/NetworkManager/conf.d/other.conf": {}}
		for _, path := range files {
			root[path] = &fstest.MapFile{}
		}
		if got := File(root); got != want {
			t.Errorf("of %q: %q", files, got)
		}
	}
}

func TestAbsent(t *testing.T) {
	for name, want := range map[string]bool{
		"org.freedesktop.DBus.Error.ServiceUnknown":       true,
		"org.freedesktop.NetworkManager.UnknownDevice":    true,
		"org.freedesktop.DBus.Error.AccessDenied":         false,
		"org.freedesktop.DBus.Error.NameHasNoOwner":       true,
		"org.freedesktop.NetworkManager.PermissionDenied": false,
	} {
		if got := absent(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
