package generator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	host, root := newHost(t, map[string]string{
		nspawn + "web.nspawn":           "[Exec]\nEnvironment=A=1\nEnvironment=B=2\nHostname=x\n[Files]\nBind=/srv/a\n[Service]\nMemoryMax=1M\nCPUQuota=5%\n",
		nspawn + "web.nspawn.d/10.conf": "[Exec]\nHostname=y\n[Files]\nBind=/srv/b\n[Unit]\nAfter=db.nspawn\n[Install]\nWantedBy=machines.target\n",
		"etc/systemd/system.control/systemd-nspawn@web.service.d/50-MemoryMax.conf": "[Service]\nMemoryMax=2M\n",
		// Beside the image, which a link leads to: not trusted.
		"srv/images/plain.nspawn": "[Exec]\nHostname=z\nCapability=CAP_SYS_TIME\n[Service]\nMemoryMax=1M\n",
	})
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "srv/images/plain"), 0o755),
		os.MkdirAll(filepath.Join(root, "var/lib/machines"), 0o755),
		os.Symlink("../../../srv/images/plain", filepath.Join(root, "var/lib/machines/plain")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const main, dropIn = "/etc/systemd/nspawn/web.nspawn", "/etc/systemd/nspawn/web.nspawn.d/10.conf"
	values, problems := Show(host, "web")
	for _, want := range []Value{
		{Key: "Exec.Environment", Value: "A=1", Origin: main + ":2"},
		{Key: "Exec.Environment", Value: "B=2", Origin: main + ":3"},
		{Key: "Exec.Hostname", Value: "y", Origin: dropIn + ":2"},
		{Key: "Exec.Boot", Value: "yes", Origin: "--boot"},
		{Key: "Exec.User", Value: "root", Origin: "default"},
		{Key: "Exec.MachineID", Value: "", Origin: "default"},
		{Key: "Exec.KillSignal", Value: "SIGRTMIN+3", Origin: "implied"},
		{Key: "Files.Bind", Value: "/srv/a", Origin: main + ":6"},
		{Key: "Files.Bind", Value: "/srv/b", Origin: dropIn + ":4"},
		{Key: "Network.Private", Value: "yes", Origin: "implied"},
		{Key: "Unit.After", Value: "db.nspawn", Origin: dropIn + ":6"},
		{Key: "Service.MemoryMax", Value: "1M", Origin: main + ":8", Again: "2M",
			SetAgain: "/etc/systemd/system.control/systemd-nspawn@web.service.d/50-MemoryMax.conf:2"},
		{Key: "Service.CPUQuota", Value: "5%", Origin: main + ":9"},
		{Key: "Install.WantedBy", Value: "machines.target", Origin: dropIn + ":8"},
	} {
		if !slices.Contains(values, want) {
			t.Errorf("%v is missing", want)
		}
	}
	if count := len(slices.DeleteFunc(values, func(v Value) bool { return v.Key != "Exec.Hostname" })); count != 1 || len(problems) > 0 {
		t.Errorf("%d host names, problems %v", count, problems)
	}

	values, problems = Show(host, "plain")
	if !slices.Contains(values, Value{Key: "Exec.Hostname", Value: "z", Origin: "/srv/images/plain.nspawn:2"}) {
		t.Errorf("the file beside the image does not count: %v", values)
	}
	if text := problemsOf(problems); strings.Count(text, "not trusted") != 2 {
		t.Errorf("problems:\n%s", text)
	}
}
