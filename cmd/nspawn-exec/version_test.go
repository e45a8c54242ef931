package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// newVersions makes a versioned directory with these entries, each with its name in /etc/version.
func newVersions(t *testing.T, name string, entries ...string) string {
	t.Helper()
	tree := newMergedRoot(t, "tree")
	directory := mkdir(t, filepath.Join(t.TempDir(), name+".v"))
	for _, entry := range entries {
		command(t, "cp", "-a", tree, filepath.Join(directory, entry))
		writeFile(t, filepath.Join(directory, entry, "etc/version"), entry+"\n")
	}
	return directory
}

// The newest version for this machine is what runs, under the name of the directory, see systemd.v(7).
func TestVersioned(t *testing.T) {
	directory := newVersions(t, "web", "web_1.2", "web_1.10", "web_2+0-3", "web_3_sparc", "my_app_7.os")
	writeFile(t, directory+"/web_9", "a file")
	const script = "cat /etc/version /proc/sys/kernel/hostname"
	for name, test := range map[string]struct{ path, want string }{
		"directory": {directory, "web_1.10\nweb"},
		"slash":     {directory + "/", "web_1.10\nweb"},
		"pattern":   {directory + "/web___", "web_1.10\nweb"},
		"suffix":    {directory + "/my_app___.os", "my_app_7.os\nmy"},
		"by name":   {directory + "/web_1.2", "web_1.2\nweb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shell(t, test.path, script); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			clean(t, directory+"/web_1.10")
		})
	}
	t.Run("relative", func(t *testing.T) {
		cmd := nspawn("web.v", "/bin/sh", "-c", script)
		cmd.Dir = filepath.Dir(directory)
		if r := finish(t, cmd); r.stdout != "web_1.10\nweb\n" {
			t.Errorf("%q %s", r.stdout, r.stderr)
		}
	})
	t.Run("template", func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "new")
		if got := shell(t, root, script, "--template="+directory); got != "web_1.10\nnew" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("machine", func(t *testing.T) {
		must(t, os.MkdirAll("/run/machines", 0o755))
		t.Cleanup(func() { must(t, os.RemoveAll("/run/machines")) })
		must(t, os.Symlink(directory, "/run/machines/web.v"))
		cmd := exec.Command(program("nspawn-exec"), "--quiet", "--register=no", "--keep-unit", "--console=pipe", "-M", "web", "/bin/sh", "-c", script)
		if r := finish(t, cmd); r.stdout != "web_1.10\nweb\n" {
			t.Errorf("%q %s", r.stdout, r.stderr)
		}
		clean(t, directory+"/web_1.10")
	})
}

func TestVersionedRefused(t *testing.T) {
	directory := newVersions(t, "web", "web_3_sparc")
	payload := []string{"/bin/echo", "payload runs"}
	refused(t, run(t, directory, payload...), "--directory="+directory, "has no web_VERSION for this machine")
	refused(t, run(t, directory+"/none.v", payload...), "--directory", "no such file")
	refused(t, run(t, directory+"/new.v", append([]string{"--template=" + directory + "/web_3_sparc"}, payload...)...), "name the version to make")
	refused(t, run(t, directory+"/new", append([]string{"--template=" + directory}, payload...)...), "--template", "has no web_VERSION")
	clean(t, directory+"/web_3_sparc")
}

// What a killed container of one version left is removed by the next start of another, and by --cleanup when all are gone.
func TestVersionedKilled(t *testing.T) {
	for _, how := range []string{"start", "cleanup"} {
		t.Run(how, func(t *testing.T) {
			directory := newVersions(t, "web", "web_1", "web_2")
			must(t, os.Rename(directory+"/web_2", directory+"/new"))
			c := begin(t, directory, append([]string{"--ephemeral"}, sleeper...)...)
			copyOf(t, directory+"/.#machine.web_1*")
			c.kill()
			if len(leftovers(t, directory+"/web_1")) == 0 {
				t.Fatal("nothing was left: this test tests nothing")
			}
			must(t, os.RemoveAll(directory+"/web_1"))
			if how == "start" {
				must(t, os.Rename(directory+"/new", directory+"/web_2"))
				shell(t, directory, "true", "--ephemeral")
			} else {
				cleanup(t, directory)
			}
			clean(t, directory+"/web_2")
		})
	}
}
