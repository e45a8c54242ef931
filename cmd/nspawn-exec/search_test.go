package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The root directory by the machine's name, also through a link as "machinectl import-fs" and admins make them, and the
// current directory without any name. Each also by systemd-nspawn.
func TestSearch(t *testing.T) {
	root := newMergedRoot(t, "tree")
	const machines = "/run/machines"
	must(t, os.MkdirAll(machines, 0o755))
	t.Cleanup(func() { must(t, os.RemoveAll(machines)) })
	must(t, os.Symlink(root, machines+"/linked"))
	command(t, "cp", "-a", newMergedRoot(t, "web"), machines+"/plain")
	const script = "cat /proc/sys/kernel/hostname; touch /found"
	for name, test := range map[string]struct {
		option, directory, host, found string
	}{
		"linked":            {"--machine=linked", "/", "linked", root},
		"in a search path":  {"--machine=plain", "/", "plain", machines + "/plain"},
		"current directory": {"--quiet", root, "tree", root},
		"relative":          {"--directory=tree/../tree", filepath.Dir(root), "tree", root},
		"through a link":    {"--directory=" + machines + "/linked", "/", "", root},
	} {
		real := oracle(t, "")
		real.Args = slices.DeleteFunc(real.Args, func(argument string) bool { return argument == "--directory=" })
		ours := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--private-network")
		for kind, cmd := range map[string]*exec.Cmd{"systemd-nspawn": real, "nspawn-exec": ours} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				cmd.Args = append(cmd.Args, test.option, "/bin/sh", "-c", script)
				cmd.Dir = test.directory
				r := finish(t, cmd)
				if got := strings.TrimSpace(r.stdout); r.status != 0 || test.host != "" && got != test.host {
					t.Errorf("status %d, host name %q: %s", r.status, got, r.stderr)
				}
				must(t, os.Remove(test.found+"/found"))
				_ = os.RemoveAll("/run/systemd/nspawn")
				_ = os.RemoveAll("/run/cgroup")
			})
		}
	}
	// The copy and the lock are beside the tree, not beside the link.
	cmd := exec.Command(program("nspawn-exec"), append([]string{"--quiet", "--register=no", "--keep-unit", "--console=pipe", "-x", "--machine=linked"}, sleeper...)...)
	c := launch(t, cmd)
	c.expect("up")
	copyOf(t, filepath.Dir(root)+"/.#machine.tree*")
	c.kill()
	if r := finish(t, exec.Command(program("nspawn-exec"), "--cleanup", "--machine=linked")); r.status != 0 {
		t.Errorf("--cleanup: %s", r.stderr)
	}
	clean(t, root)
}
