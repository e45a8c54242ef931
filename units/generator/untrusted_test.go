package generator

import "testing"

// The file beside an image is never read in the boot path, with or without a trusted file or drop-in for the container.
func TestFileBesideImageIsNotRead(t *testing.T) {
	const hostile = "[Exec]\nnosign\n[Service]\nMemoryMax=banana\nExecStartPre=/bin/touch /owned\n[Install]\nWantedBy=machines.target\n"
	trusted := map[string]string{nspawn + "web.nspawn": web, nspawn + "drops.nspawn.d/a.conf": "[Service]\nTasksMax=5\n"}
	write := func(files map[string]string) map[string]string {
		host, _ := newHost(t, files)
		out := t.TempDir()
		_, problems, err := Run(host, out, out)
		if len(problems) > 0 || err != nil {
			t.Errorf("problems: %s, error: %v", problemsOf(problems), err)
		}
		return tree(t, out)
	}
	without := write(trusted)
	for _, name := range []string{"web", "drops", "only"} {
		trusted["var/lib/machines/"+name+".nspawn"] = hostile
	}
	with := write(trusted)
	if len(with) != len(without) || len(with) == 0 {
		t.Errorf("%d files with, %d without", len(with), len(without))
	}
	for name, text := range with {
		if text != without[name] {
			t.Errorf("%s differs:\n%s", name, text)
		}
	}
}
