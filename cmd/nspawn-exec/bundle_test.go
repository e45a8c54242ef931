package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// object is one of a bundle's configuration.
type object = map[string]any

// newBundle makes a bundle by a standard tool, with an operating system as its root directory.
func newBundle(t *testing.T, tool, name string) string {
	t.Helper()
	tree := newMergedRoot(t, "tree")
	bundle := filepath.Join(t.TempDir(), name)
	if tool == "umoci" {
		layout := filepath.Join(t.TempDir(), "layout")
		command(t, "umoci", "init", "--layout", layout)
		command(t, "umoci", "new", "--image", layout+":web")
		command(t, "umoci", "unpack", "--image", layout+":web", bundle)
	} else {
		mkdir(t, bundle+"/rootfs")
		spec := exec.Command(tool, "spec")
		spec.Dir = bundle
		if output, err := spec.CombinedOutput(); err != nil {
			t.Fatalf("%s spec: %v: %s: apt-get install %[1]s", tool, err, output)
		}
	}
	command(t, "cp", "-a", tree+"/.", bundle+"/rootfs")
	return bundle
}

// edit changes the configuration of a bundle. Without a terminal, other runtimes can be run by the test, too.
func edit(t *testing.T, bundle string, change func(config, process, linux object)) {
	t.Helper()
	data, err := os.ReadFile(bundle + "/config.json")
	must(t, err)
	var config object
	must(t, json.Unmarshal(data, &config))
	process, linux := config["process"].(object), config["linux"].(object)
	process["terminal"] = false
	change(config, process, linux)
	data, err = json.Marshal(config)
	must(t, err)
	must(t, os.WriteFile(bundle+"/config.json", data, 0o644))
}

func script(text string) []string { return []string{"/bin/sh", "-c", text} }

// ociBundle is the command that runs a bundle.
func ociBundle(bundle string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(program("nspawn-exec"), append([]string{"--quiet", "--register=no", "--keep-unit", "--oci-bundle=" + bundle}, arguments...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// crun runs a bundle with crun.
func crun(bundle string) *exec.Cmd {
	return exec.Command("unshare", "-m", "sh", "-ec", `mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec crun --cgroup-manager=disabled run -b "$0" by-crun`, bundle)
}

// nspawnBundle runs a bundle with the real systemd-nspawn.
func nspawnBundle(t *testing.T, bundle string) *exec.Cmd {
	cmd := oracle(t, "", "--oci-bundle="+bundle)
	for _, option := range []string{"--directory=", "--resolv-conf=off", "--timezone=off"} {
		cmd.Args = removed(cmd.Args, option)
	}
	return cmd
}

// facts are what every runtime must make of a bundle alike.
const facts = `id -u; id -g; id -G; grep -E '^(Cap|NoNew)' /proc/self/status; cat /proc/sys/kernel/hostname; pwd; ulimit -n; ulimit -Hn; echo $A
touch /x 2>/dev/null && echo writable; (echo x >/proc/sys/kernel/hostname) 2>/dev/null || echo protected
ls /sys/class/net`

// What standard tools make runs as it does elsewhere.
func TestBundle(t *testing.T) {
	needKernel(t)
	for _, tool := range []string{"runc", "crun", "umoci"} {
		t.Run(tool, func(t *testing.T) {
			bundle := newBundle(t, tool, "web")
			edit(t, bundle, func(config, process, linux object) {
				process["args"] = script(facts)
				process["env"] = append(process["env"].([]any), "A=of  the bundle")
				if config["ociVersion"] == "1.0.2-dev" {
					config["ociVersion"] = "1.0.0" // or systemd-nspawn 252 refuses it
				}
			})
			want := finish(t, crun(bundle))
			if want.status != 0 || !strings.Contains(want.stdout, "of the bundle") {
				t.Fatalf("crun: %+v", want)
			}
			_ = os.Remove(bundle + "/rootfs/x")
			before := digest(t, bundle)
			check := func(name string, cmd *exec.Cmd) {
				t.Helper()
				if got := finish(t, cmd); got.status != 0 || got.stdout != want.stdout {
					t.Errorf("%s: status %d: %s%s\ncrun: %s", name, got.status, got.stdout, got.stderr, want.stdout)
				}
			}
			check("nspawn-exec", ociBundle(bundle))
			check("in a user namespace", ociBundle(bundle, "-U"))
			_ = os.Remove(bundle + "/rootfs/x")
			if got := digest(t, bundle); got != before {
				t.Errorf("the bundle changed:\n%s", firstDifference(before, got))
			}
			edit(t, bundle, func(_, _, linux object) {
				delete(linux, "resources")                                                          // for which 252 needs the system bus
				linux["namespaces"] = append(linux["namespaces"].([]any), object{"type": "cgroup"}) // or it needs a hierarchy of version 1
			})
			// systemd-nspawn 252 gives root.readonly and process.noNewPrivileges no effect, and ambient capabilities also without inheritable.
			strict := strings.NewReplacer("writable\n", "", "NoNewPrivs:\t0", "NoNewPrivs:\t1",
				"CapInh:\t0000000020000420", "CapInh:\t0000000000000000", "CapAmb:\t0000000020000420", "CapAmb:\t0000000000000000")
			if got := finish(t, nspawnBundle(t, bundle)); strict.Replace(got.stdout) != strict.Replace(want.stdout) {
				t.Errorf("systemd-nspawn: status %d: %s%s\ncrun: %s", got.status, got.stdout, got.stderr, want.stdout)
			}
			_ = os.RemoveAll("/run/crun")
			_ = os.RemoveAll("/run/cgroup")
			_ = os.RemoveAll("/run/systemd/nspawn")
			clean(t, bundle+"/rootfs")
		})
	}
}

// The payload runs as the user of the bundle, with no more capabilities than it has elsewhere.
func TestBundleUser(t *testing.T) {
	needKernel(t)
	for name, capabilities := range map[string]object{
		"none": {}, "bounding": {"bounding": []string{"CAP_KILL", "CAP_CHOWN"}, "ambient": []string{"CAP_KILL"}},
		"ambient": {"bounding": []string{"CAP_KILL", "CAP_CHOWN"}, "permitted": []string{"CAP_KILL"}, "effective": []string{"CAP_KILL"}, "inheritable": []string{"CAP_KILL"}, "ambient": []string{"CAP_KILL"}},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := newBundle(t, "crun", "web")
			mkdir(t, bundle+"/rootfs/open")
			must(t, os.Chmod(bundle+"/rootfs/open", 0o777))
			edit(t, bundle, func(config, process, linux object) {
				process["args"] = script(facts + "; touch /open/new; stat -c '%u:%g %a' /open/new; rm /open/new; echo $((1 + 1))")
				process["user"] = object{"uid": 7, "gid": 8, "additionalGids": []int{9, 10}, "umask": 0o27}
				process["capabilities"] = capabilities
				config["root"].(object)["readonly"] = false
			})
			want := finish(t, crun(bundle))
			if want.status != 0 || !strings.Contains(want.stdout, "7:8 640") {
				t.Fatalf("crun: %+v", want)
			}
			for name, cmd := range map[string]*exec.Cmd{"nspawn-exec": ociBundle(bundle), "in a user namespace": ociBundle(bundle, "-U")} {
				if got := finish(t, cmd); got.status != 0 || got.stdout != want.stdout {
					t.Errorf("%s: status %d: %s%s\ncrun: %s", name, got.status, got.stdout, got.stderr, want.stdout)
				}
			}
			// The parent-death signal is not lost with the change of users.
			edit(t, bundle, func(_, process, _ object) { process["args"] = script("echo up; exec sleep 1000") })
			c := launch(t, ociBundle(bundle, "-U"))
			c.expect("up")
			c.kill()
			if r := finish(t, ociBundle(bundle, "--cleanup")); r.status != 0 || r.stderr != "" {
				t.Errorf("--cleanup: %s", r.stderr)
			}
			_ = os.RemoveAll("/run/crun")
			clean(t, bundle+"/rootfs")
		})
	}
}

// Mounts, devices and parameters of the kernel, with the user namespace that the bundle asks for and without.
func TestBundleFiles(t *testing.T) {
	for _, users := range []bool{false, true} {
		bundle := newBundle(t, "runc", "web")
		mkdir(t, bundle+"/data")
		writeFile(t, bundle+"/data/file", "of the bundle\n")
		writeFile(t, bundle+"/rootfs/etc/secret", "secret\n")
		edit(t, bundle, func(config, process, linux object) {
			config["domainname"] = "nis.example"
			config["root"].(object)["readonly"] = false
			config["mounts"] = append(config["mounts"].([]any), object{"destination": "/data", "source": "data", "options": []string{"rbind", "ro", "nosuid", "noexec", "rprivate"}},
				object{"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "noexec", "mode=750", "size=1m"}})
			linux["maskedPaths"] = append(linux["maskedPaths"].([]any), "/etc/secret", "/none")
			linux["sysctl"] = object{"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096", "fs.mqueue.msg_max": "20"}
			if users {
				linux["namespaces"] = append(linux["namespaces"].([]any), object{"type": "user"})
				mapping := []object{{"containerID": 0, "hostID": 655360, "size": 65536}}
				linux["uidMappings"], linux["gidMappings"] = mapping, mapping
				command(t, "chown", "-Rh", "655360:655360", bundle+"/rootfs", bundle+"/data")
			} else {
				linux["devices"] = []object{{"path": "/dev/extra", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640}, {"path": "/dev/null", "type": "c", "major": 1, "minor": 3}}
			}
			process["args"] = script(`cat /data/file /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max
				touch /data/x 2>/dev/null || echo read-only; cat /etc/secret 2>/dev/null || echo masked; test -z "$(cat /proc/keys 2>/dev/null)" && echo masked; stat -c '%a %u' /scratch; grep -E ' /(data|scratch) ' /proc/mounts
				test ! -e /dev/extra || stat -c '%F %a %t:%T %u' /dev/extra`)
		})
		r := finish(t, ociBundle(bundle))
		for _, want := range []string{"of the bundle\nnis.example\n1\n4096\n20\nread-only\n", "masked\n750", "750 0\n", " /data ", "ro,nosuid,", "noexec", " /scratch tmpfs rw,nosuid,nodev,noexec", "size=1024k"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("users %v: %q is missing: %s%s", users, want, r.stdout, r.stderr)
			}
		}
		if strings.Contains(r.stdout, "secret") || !users && !strings.Contains(r.stdout, "character special file 640 1:3 0") {
			t.Errorf("users %v: %s", users, r.stdout)
		}
		clean(t, bundle+"/rootfs")
	}
}

// What the container would not get ends the start before anything is made; the command line can do without.
func TestBundleRefused(t *testing.T) {
	bundle := newBundle(t, "runc", "web")
	edit(t, bundle, func(config, process, linux object) {
		process["args"] = script("echo payload runs")
		linux["resources"] = object{"memory": object{"limit": 1 << 30}}
	})
	refused(t, finish(t, ociBundle(bundle)), bundle+"/config.json: linux.resources.memory: error: not supported")
	edit(t, bundle, func(_, process, linux object) {
		linux["resources"] = object{}
		process["user"] = object{"uid": 70000, "gid": 0}
	})
	refused(t, finish(t, ociBundle(bundle, "-U")), bundle+"/config.json: process.user: 70000 is not a user or group of the container")
	refused(t, finish(t, ociBundle(bundle+"/none")), "--oci-bundle", "no such file")
	refused(t, finish(t, ociBundle(bundle, "--directory=/")), "--oci-bundle may not be combined")
	edit(t, bundle, func(config, process, _ object) {
		process["user"] = object{"uid": 0, "gid": 0}
		config["future"] = 1
	})
	if r := finish(t, ociBundle(bundle, "--settings=no", "--setenv=A=option", "/bin/sh", "-c", "echo $A; cat /proc/sys/kernel/hostname")); r.stdout != "option\nrunc\n" || !strings.Contains(r.stderr, "config.json: future: warning: unknown, ignored") {
		t.Errorf("%+v", r)
	}
	clean(t, bundle+"/rootfs")
}

// Kernel parameters are set before a mount of the bundle can lead them into a file of the host.
func TestKernelParametersReachKernel(t *testing.T) {
	bundle := newBundle(t, "runc", "web")
	writeFile(t, bundle+"/trap/msg_max", "untouched")
	edit(t, bundle, func(config, process, linux object) {
		config["mounts"] = append(config["mounts"].([]any), object{"destination": "/proc/sys/fs/mqueue", "source": "trap", "options": []string{"rbind"}})
		linux["sysctl"] = object{"fs.mqueue.msg_max": "20"}
		process["args"] = script("cat /proc/sys/fs/mqueue/msg_max")
	})
	r := finish(t, ociBundle(bundle))
	if data, err := os.ReadFile(bundle + "/trap/msg_max"); err != nil || string(data) != "untouched" || r.stdout != "untouched" {
		t.Errorf("the host's file has %q, %v; status %d: %s%s", data, err, r.status, r.stdout, r.stderr)
	}
	clean(t, bundle+"/rootfs")
}
