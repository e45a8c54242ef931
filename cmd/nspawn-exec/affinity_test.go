package main_test

import (
	"os"
	"strings"
	"testing"
)

// --cpu-affinity= as systemd-nspawn has it.
func TestCPUAffinity(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/os-release", "ID=test\n")
	const script = "grep Cpus_allowed_list /proc/self/status"
	everywhere := shell(t, root, script)
	for _, value := range []string{"0", "0,8191", "1-2000"} { // CPUs that are not there do not count
		want := finish(t, oracle(t, root, "--cpu-affinity="+value, "/bin/sh", "-c", script))
		if want.status != 0 || !strings.HasPrefix(want.stdout, "Cpus_allowed_list:") {
			t.Fatalf("systemd-nspawn: %+v", want)
		}
		if got := shell(t, root, script, "--cpu-affinity="+value); got != strings.TrimSpace(want.stdout) || got == everywhere {
			t.Errorf("%s: %q, want %q", value, got, want.stdout)
		}
	}
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	const file = "/run/systemd/nspawn/web.nspawn"
	defer os.Remove(file)
	writeFile(t, file, "[Exec]\nCPUAffinity=1\nCPUAffinity=0\n")
	if got := shell(t, root, script); got != everywhere && !strings.HasSuffix(got, "0-1") {
		t.Errorf("lines do not add up: %q", got)
	}
	writeFile(t, file, "[Exec]\nCPUAffinity=1\nCPUAffinity=\nCPUAffinity=0\n")
	if got := shell(t, root, script); !strings.HasSuffix(got, "\t0") {
		t.Errorf("an empty value takes nothing back: %q", got)
	}
	writeFile(t, file, "[Exec]\n\nCPUAffinity=8000-8191\n")
	refused(t, run(t, root, "/bin/echo", "payload runs"), file+":3: set CPU affinity: none of these CPUs")
	must(t, os.Remove(file))
	clean(t, root)
}
