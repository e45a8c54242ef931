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
	want := map[string]settings.Origin{
		"Service.MemoryMax": {File: control, Line: 3},
		"Service.CPUQuota":  {File: etc + "override.conf", Line: 2},
		"Unit.Description":  {File: etc + "override.conf", Line: 4},
		"Service.IOWeight":  {File: etc + "10-all.conf", Line: 3},
	}
	if got := Overrides(root, "web"); !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
