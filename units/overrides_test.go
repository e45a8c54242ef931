package units

import (
	"maps"
	"testing"
	"testing/fstest"

	"nspawnkit/settings"
)

func TestOverrides(t *testing.T) {
	const (
		control = "/etc/systemd/system.control/systemd-nspawn@web.service.d/50-MemoryMax.conf"
		etc     = "/etc/systemd/system/systemd-nspawn@web.service.d/"
		all     = "/etc/systemd/system/systemd-nspawn@.service.d/10-all.conf"
	)
	root := fstest.MapFS{}
	for file, text := range map[string]string{
		control:                "# set-property\n[Service]\nMemoryMax=1G\n",
		etc + "override.conf":  "[Service]\nCPUQuota=1%\n[Unit]\nDescription=x\n",
		etc + "01-before.conf": "[Service]\nTasksMax=1\n",
		etc + "10-all.conf":    "[Service]\nMemoryMax=2G\nIOWeight=1\n",
		all:                    "[Service]\nIOWeight=2\n", // hidden by the file of the same name for the instance
		"/usr/lib/systemd/system/systemd-nspawn@.service.d/00-nspawn-exec.conf": "[Service]\nTasksMax=16384\n",
	} {
		root[file[1:]] = &fstest.MapFile{Data: []byte(text)}
	}
	line := func(file string, header, line int, section, key, value string) settings.Statement {
		origin := settings.Origin{File: file, Line: line}
		return settings.Statement{Origin: origin, Section: section, Key: key, Value: value, SectionLine: header}
	}
	want := map[string]settings.Statement{
		"Service.MemoryMax": line(control, 2, 3, "Service", "MemoryMax", "1G"),
		"Service.CPUQuota":  line(etc+"override.conf", 1, 2, "Service", "CPUQuota", "1%"),
		"Unit.Description":  line(etc+"override.conf", 3, 4, "Unit", "Description", "x"),
		"Service.IOWeight":  line(etc+"10-all.conf", 1, 3, "Service", "IOWeight", "1"),
	}
	if got := Overrides(root, "web"); !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
