package units

import (
	"testing"
	"testing/fstest"
)

func TestNotInForce(t *testing.T) {
	web := container("web", "After=db.nspawn\n", "MemoryMax=256M\nCPUQuota=150%\n", "")
	text := func(service string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("[Unit]\nSourcePath=/etc/systemd/nspawn/web.nspawn\nAfter=systemd-nspawn@db.service\n[Service]\n" + service)}
	}
	own, shared := GeneratorFolder[1:]+"/"+DropIn("web"), GeneratorFolder[1:]+"/"+DropIn("")
	const line = "/etc/systemd/nspawn/web.nspawn:2: warning: MemoryMax=256M is not in force, "
	for _, test := range []struct {
		name   string
		root   fstest.MapFS
		inUnit bool
		source string
		want   string
	}{
		{"loaded", fstest.MapFS{own: text("MemoryMax=256M\nCPUQuota=150%\n")}, true, web.Source, ""},
		{"loaded for all", fstest.MapFS{shared: text("CPUQuota=150%\nMemoryMax=256M\n")}, true, "", ""},
		{"edited", fstest.MapFS{own: text("MemoryMax=1G\nCPUQuota=150%\n")}, true, web.Source, line + "systemd has not loaded it: systemctl daemon-reload"},
		{"no file", fstest.MapFS{shared: text("CPUQuota=150%\n")}, true, "", line + "the container needs a .nspawn file of its own for that, an empty one does"},
		{"in a scope", fstest.MapFS{own: text("MemoryMax=256M\nCPUQuota=150%\n")}, false, web.Source,
			"/etc/systemd/nspawn/web.nspawn:1: warning: After=systemd-nspawn@db.service is not in force, it counts in systemd-nspawn@web.service only"},
	} {
		c := web
		c.Source = test.source
		got := ""
		for _, p := range NotInForce(c, test.root, test.inUnit) {
			got += p.String()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
