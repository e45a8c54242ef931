package generator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nspawnkit/units"
)

// TestShared: drop-ins for all containers also reach those that no file describes, and no container twice.
func TestShared(t *testing.T) {
	host, root := newHost(t, map[string]string{
		nspawn + "nspawn.d/50-all.conf": "[Service]\nTasksMax=9\nExecStartPre=/bin/true %i\n[Install]\nWantedBy=machines.target\n",
		nspawn + "web.nspawn":           "[Service]\nMemoryMax=256M\n",
	})
	out := filepath.Join(root, "run/systemd/generator")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, problems, err := Run(host, out, out); err != nil || len(problems) > 0 {
		t.Fatalf("%v %s", err, problemsOf(problems))
	}
	got := tree(t, out)
	const lines = "\n[Service]\nTasksMax=9\nExecStartPre=/bin/true %i\n"
	for file, want := range map[string]string{
		"systemd-nspawn@.service.d/05-nspawn.d.conf":      lines,
		"systemd-nspawn@web.service.d/05-web.nspawn.conf": lines[:len(lines)-1],
		"systemd-nspawn@web.service.d/05-nspawn.d.conf":   "-> /dev/null",
	} {
		if !strings.Contains(got[file], strings.TrimPrefix(want, "\n[Service]\n")) {
			t.Errorf("%s: %q, want %q in it", file, got[file], want)
		}
	}
	for file := range got {
		if strings.HasSuffix(file, "systemd-nspawn@.service") && strings.Contains(file, ".wants/") {
			t.Errorf("the template itself is wanted: %s", file)
		}
	}
	plan, _ := Make(host)
	if len(plan.Normal.Files) != 2 {
		t.Errorf("--dry-run has the files %v", plan.Normal.Files)
	}
}

// TestDiffShared: a container that no file describes goes by the template's drop-in.
func TestDiffShared(t *testing.T) {
	h := newDiffHost(t)
	all := func(limit string) {
		h.write(map[string]string{nspawn + "nspawn.d/50-all.conf": "[Service]\nTasksMax=" + limit + "\n[Install]\nWantedBy=machines.target\n"})
	}
	all("9")
	h.reload()
	h.start(units.Arguments()...)
	if got := h.text(); got != "" {
		t.Errorf("after the start: %s", got)
	}
	all("10")
	if got, want := h.text(), "web nspawn.d/50-all.conf:2: Service.TasksMax: 9 to 10: live\n$ systemctl daemon-reload\n$ systemctl set-property systemd-nspawn@web Markers=\n"; got != want {
		t.Errorf("after an edit: %s, want %s", got, want)
	}
}
