package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// newNest makes a root directory in which a container manager of the machine is installed with its libraries, and the settings
// of a container in which it runs.
func newNest(t *testing.T, managers ...string) (root string, start func(arguments ...string) result) {
	t.Helper()
	root = newRoot(t, "web")
	for _, applet := range []string{"find", "wc", "sort", "cut"} {
		must(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	for _, name := range managers {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%s is missing: test/vm/setup installs it", name)
		}
		install(t, root, path)
	}
	host := t.TempDir()
	writeFile(t, host+"/etc/systemd/nspawn/web.nspawn", "[Exec]\nNesting=yes\n")
	group := newControlGroup(t) + "/supervisor"
	must(t, os.Mkdir(group, 0o755))
	unit, err := os.Open(group)
	must(t, err)
	t.Cleanup(func() { unit.Close() })
	return root, func(arguments ...string) result {
		cmd := nspawn(root, append([]string{"--settings=override"}, arguments...)...)
		cmd.Env = append(cmd.Env, "NSPAWNKIT_ROOT="+host)
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(unit.Fd())}
		return finish(t, cmd)
	}
}

// install copies a program and the libraries that ldd(1) lists.
func install(t *testing.T, root, path string) {
	t.Helper()
	copyFile(t, path, filepath.Join(root, "bin", filepath.Base(path)))
	libraries, _ := exec.Command("ldd", path).Output() // fails for what has none
	for line := range strings.Lines(string(libraries)) {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "/") {
				must(t, os.MkdirAll(filepath.Dir(root+word), 0o755))
				copyFile(t, word, root+word)
			}
		}
	}
}

// newNestedBundle makes an OCI bundle of a busybox in the nest at /NAME, and returns what its container is to print. With users it has
// a user namespace of its own.
func newNestedBundle(t *testing.T, root, name string, users uint32) {
	t.Helper()
	bundle := filepath.Join(root, name)
	for _, directory := range []string{"bin", "proc", "sys", "dev"} {
		must(t, os.MkdirAll(filepath.Join(bundle, "rootfs", directory), 0o755))
	}
	copyFile(t, root+"/bin/busybox", bundle+"/rootfs/bin/busybox")
	must(t, exec.Command("runc", "spec", "--bundle", bundle).Run())
	var config map[string]any
	data, err := os.ReadFile(bundle + "/config.json")
	must(t, err)
	must(t, json.Unmarshal(data, &config))
	process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
	delete(process, "rlimits")
	process["terminal"] = false
	process["args"] = []string{"/bin/busybox", "sh", "-c", `busybox echo nested with $(busybox cut -c 1-32 /proc/self/uid_map), process $$, $(busybox ls /sys/class/net)`}
	config["root"] = map[string]any{"path": "rootfs"}
	if users != 0 {
		mapping := []map[string]any{{"containerID": 0, "hostID": users, "size": 1000}}
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]string{"type": "user"})
		linux["uidMappings"], linux["gidMappings"] = mapping, mapping
		chown(t, bundle+"/rootfs", int(users))
	}
	data, err = json.Marshal(config)
	must(t, err)
	writeFile(t, bundle+"/config.json", string(data))
}

func chown(t *testing.T, tree string, owner int) {
	t.Helper()
	must(t, exec.Command("chown", "-R", fmt.Sprintf("%d:%d", owner, owner), tree).Run())
}

// The runtimes of Podman and Docker run a container inside, whether it has a user namespace of its own or not; without Nesting=
// they fail, so what it does is needed.
func TestNestedRuntimes(t *testing.T) {
	for _, runtime := range []string{"crun", "runc"} {
		for name, users := range map[string]uint32{"rootful": 0, "users of its own": 1000} {
			t.Run(runtime+"/"+name, func(t *testing.T) {
				root, start := newNest(t, runtime)
				newNestedBundle(t, root, "bundle", users)
				// With a notification socket runc waits for a word of its container.
				script := "unset NOTIFY_SOCKET; cd /bundle; " + runtime + " run a"
				r := start("/bin/sh", "-c", script)
				count, first := 1000, uint32(1000)
				if users == 0 {
					count, first = 65536, 0
				}
				got := strings.Join(strings.Fields(r.stdout), " ")
				if r.status != 0 || !strings.Contains(got, "process 1, lo") || users != 0 && !strings.Contains(got, fmt.Sprintf("with 0 %d %d,", first, count)) {
					t.Errorf("status %d: %q; %s", r.status, got, r.stderr)
				}
				clean(t, root, controlGroups)
				if runtime == "crun" && users == 0 {
					return // which can do with the container's own /sys
				}
				if r := start("--settings=no", "/bin/sh", "-c", script); r.status == 0 || strings.Contains(r.stdout, "nested") {
					t.Errorf("without Nesting= it runs, too: %s", r.stdout)
				}
			})
		}
	}
}

// In the host's network a new /sys is permitted beside the host's, which is whole, but a runtime has all the capabilities that it
// wants only in a user namespace of its own.
func TestNestedInNetworkOfHost(t *testing.T) {
	root, start := newNest(t, "runc")
	newNestedBundle(t, root, "bundle", 0)
	newNestedBundle(t, root, "users", 1000)
	for bundle, want := range map[string]bool{"bundle": false, "users": true} {
		r := start(hostNetwork, "/bin/sh", "-c", "unset NOTIFY_SOCKET; cd /"+bundle+"; runc run a")
		if runs := r.status == 0 && strings.Contains(r.stdout, ", lo"); runs != want {
			t.Errorf("%s: status %d: %s%s", bundle, r.status, r.stdout, r.stderr)
		}
	}
}

// What the kernel lets the root of a container do with a new /proc and a new /sys, the most it can get: read what everybody may,
// and write what is of its own namespaces.
func TestNestingGivesNothingOfTheHost(t *testing.T) {
	root, start := newNest(t)
	const mount = `mkdir /p /s && mount -t proc proc /p && mount -t sysfs sysfs /s || exit 1
`
	t.Run("read", func(t *testing.T) {
		for _, file := range []string{"/p/kcore", "/p/kmsg", "/p/sysrq-trigger", "/p/1/root/../proc/kcore", "/p/kpagecount", "/p/vmallocinfo", "/p/slabinfo"} {
			if r := start("/bin/sh", "-c", mount+"cat "+file+" >/dev/null && echo read"); r.status == 0 || strings.Contains(r.stdout, "read") {
				t.Errorf("%s can be read", file)
			}
			must(t, os.RemoveAll(root+"/p"))
			must(t, os.RemoveAll(root+"/s"))
		}
		r := start("/bin/sh", "-c", mount+"grep -v '^0* ' /p/kallsyms | wc -l")
		if got := strings.TrimSpace(r.stdout); r.status != 0 || got != "0" {
			t.Errorf("%s addresses of the kernel show: %s", got, r.stderr)
		}
		must(t, os.RemoveAll(root+"/p"))
		must(t, os.RemoveAll(root+"/s"))
	})
	t.Run("control", func(t *testing.T) { // what the test would see if the container's root were the host's
		r := start("--settings=no", "--private-users=no", "/bin/sh", "-c", mount+"true >>/p/sys/kernel/core_pattern && true >>/s/kernel/mm/ksm/run && echo writable")
		if r.stdout != "writable\n" {
			t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
		}
		must(t, os.RemoveAll(root+"/p"))
		must(t, os.RemoveAll(root+"/s"))
	})
	t.Run("write", func(t *testing.T) {
		r := start("/bin/sh", "-c", mount+`for file in $(find /s /p -path '/p/[0-9]*' -prune -o -type f -print); do
			true 2>/dev/null >>$file && echo ${file%%:*}
		done 2>/dev/null | sort; echo end`)
		if r.status != 0 || !strings.HasSuffix(r.stdout, "end\n") {
			t.Fatalf("status %d: %s", r.status, r.stderr)
		}
		// Into /proc/pressure everybody may write, to be woken; also in a container without Nesting=.
		own := []string{"/p/sys/net/", "/p/sys/user/", "/p/sys/fs/mqueue/", "/p/net/", "/s/class/net/", "/s/devices/virtual/net/", "/p/pressure/"}
		var wrong []string
		for line := range strings.Lines(r.stdout) {
			file := strings.TrimSpace(line)
			if file != "end" && !slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(file, prefix) }) &&
				!slices.Contains(writableOfNamespaces(), file) {
				wrong = append(wrong, file)
			}
		}
		if len(wrong) > 0 || !strings.Contains(r.stdout, "/p/sys/net/ipv4/ip_forward") {
			t.Errorf("writable: %q", wrong)
		}
	})
}

// writableOfNamespaces are the kernel's parameters that count in an IPC, PID or user namespace only.
func writableOfNamespaces() (files []string) {
	for _, name := range []string{
		"auto_msgmni", "msgmax", "msgmnb", "msgmni", "msg_next_id", "sem", "sem_next_id", "shmall", "shmmax", "shmmni", "shm_next_id",
		"shm_rmid_forced", "ns_last_pid", "pid_max",
	} {
		files = append(files, "/p/sys/kernel/"+name)
	}
	return files
}

// The file systems that make it possible are out of reach: what a service inside must not see of /proc is nowhere else.
func TestWholeKernelTreesAreCovered(t *testing.T) {
	_, start := newNest(t)
	script := `grep -c ' /dev/.nesting/' /proc/self/mountinfo; ls /dev/.nesting; ls /dev/.nesting/proc; cat /proc/kcore; cat /proc/sysrq-trigger
		test -w /proc/sys/kernel/hostname; true >>/proc/sys/kernel/hostname; ls -d /sys/firmware`
	r := start("/bin/sh", "-c", script)
	if r.stdout != "2\n" {
		t.Errorf("got %q; %s", r.stdout, r.stderr)
	}
	r = start("--private-users=no", "/bin/echo", "payload runs")
	refused(t, r, "web.nspawn:2", "PrivateUsers=pick")
	r = start("--private-users=identity", "/bin/echo", "payload runs")
	refused(t, r, "web.nspawn:2", "PrivateUsers=pick")
}

// nspawn-exec runs inside nspawn-exec, and so does systemd-nspawn, with all users that there are.
func TestNestedContainers(t *testing.T) {
	root, start := newNest(t, "systemd-nspawn")
	copyFile(t, program("nspawn-exec"), root+"/bin/nspawn-exec")
	must(t, os.Rename(newRoot(t, "inner"), root+"/tree"))
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	writeFile(t, root+"/usr/lib/os-release", "ID=nest\n")
	for _, supervisor := range []string{"nspawn-exec", "systemd-nspawn"} {
		for users, want := range map[string]string{"no": "", "identity": "0 0 65536", "0:65536": "0 0 65536", "1000:1000": "0 1000 1000"} {
			if supervisor == "systemd-nspawn" && users == "1000:1000" {
				continue // it makes no device nodes then
			}
			t.Run(supervisor+"/"+users, func(t *testing.T) {
				script := `echo nested, $(cat /proc/self/uid_map); echo gone >/dev/null && ls /sys/class/net && test -c /dev/char/1:3 && echo end`
				r := start("--setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "/bin/"+supervisor, "--quiet", "--directory=/tree", "--register=no",
					"--keep-unit", "--console=pipe", "--private-network", "--private-users="+users, "/bin/sh", "-c", script)
				got := strings.Join(strings.Fields(r.stdout), " ")
				if r.status != 0 || !strings.HasPrefix(got, "nested, "+want) || !strings.HasSuffix(got, " lo end") {
					t.Errorf("status %d: %q; %s", r.status, got, r.stderr)
				}
			})
		}
	}
	clean(t, root, controlGroups)
}
