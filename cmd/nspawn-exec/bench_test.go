package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkStart compares the time from start to exit of /bin/true with those peers that are installed, in turn, so that all
// see the same load of the machine. It reports medians in ms and how many times a peer's time ours is:
//
//	NSPAWNKIT_KERNEL_TESTS=1 go test -run - -bench Start -benchtime 100x ./cmd/nspawn-exec
func BenchmarkStart(b *testing.B) {
	root := newRoot(b, "web")
	must(b, os.Chmod(filepath.Dir(filepath.Dir(root)), 0o755)) // crun walks there as the container's user
	writeFile(b, root+"/etc/os-release", "ID=test\n")
	for _, variant := range []struct {
		name    string
		ours    []string
		nspawn  []string
		bwrap   []string
		hasCrun bool
		users   bool
	}{
		{"plain", []string{"--private-users=no"}, []string{"--private-users=no", "--private-network"},
			[]string{"--unshare-pid", "--unshare-uts", "--unshare-ipc", "--unshare-net"}, true, false},
		{"users", nil, []string{"-U", "--private-network"}, []string{"--unshare-all"}, true, true},
		{"veth", []string{"--network-veth"}, []string{"-U", "--network-veth"}, nil, false, true},
	} {
		ours := nspawn(root, append(variant.ours, "/bin/true")...).Args
		commands := map[string][]string{"nspawn-exec": ours}
		if path, err := exec.LookPath("bwrap"); err == nil && variant.bwrap != nil {
			mounts := []string{"--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"}
			commands["bwrap"] = slices.Concat([]string{path}, variant.bwrap, mounts, []string{"/bin/true"})
		}
		if path, err := exec.LookPath("crun"); err == nil && variant.hasCrun {
			commands["crun"] = []string{path, "--cgroup-manager=disabled", "run", "--bundle", crunBundle(b, path, root, variant.users), "bench"}
		}
		b.Run(variant.name, func(b *testing.B) { inTurn(b, commands) })
		if path, err := exec.LookPath("systemd-nspawn"); err == nil {
			base := []string{path, "--quiet", "--register=no", "--keep-unit", "--pipe", "-D", root}
			b.Run(variant.name+"-systemd", func(b *testing.B) {
				showControlGroups(b)
				inTurn(b, map[string][]string{
					"nspawn-exec": ours, "systemd-nspawn": slices.Concat(base, variant.nspawn, []string{"/bin/true"}),
				})
			})
		}
	}
}

// showControlGroups shows the machine's hierarchies of version 1, without which systemd-nspawn does not start. A unified one
// stays hidden: the control group of a test is not one to make containers in.
func showControlGroups(b *testing.B) {
	b.Helper()
	must(b, syscall.Unmount(controlGroups, syscall.MNT_DETACH))
	var stat syscall.Statfs_t
	must(b, syscall.Statfs(controlGroups, &stat))
	hide := func() { must(b, syscall.Mount("test", controlGroups, "tmpfs", 0, "")) }
	if stat.Type == unix.CGROUP2_SUPER_MAGIC {
		hide()
		return
	}
	b.Cleanup(hide)
}

// inTurn runs each command b.N times, one after the other, and reports the medians.
func inTurn(b *testing.B, commands map[string][]string) {
	times := make(map[string][]time.Duration)
	for b.Loop() {
		for name, arguments := range commands {
			cmd := exec.Command(arguments[0], arguments[1:]...)
			start := time.Now()
			output, err := cmd.CombinedOutput()
			times[name] = append(times[name], time.Since(start))
			if err != nil {
				b.Logf("%s is left out: %v: %s", name, err, output)
				delete(commands, name)
				delete(times, name)
			}
		}
	}
	ours, ok := times["nspawn-exec"]
	if !ok {
		b.Fatal("nspawn-exec fails")
	}
	for name, list := range times {
		b.ReportMetric(float64(median(list).Microseconds())/1000, "ms/"+name)
		if name != "nspawn-exec" {
			b.ReportMetric(float64(median(ours))/float64(median(list)), "x/"+name)
		}
	}
	b.ReportMetric(0, "ns/op") // the sum of all says nothing
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// crunBundle makes an OCI bundle of the root with crun's own default configuration.
func crunBundle(b *testing.B, crun, root string, users bool) string {
	b.Helper()
	bundle := b.TempDir()
	if output, err := exec.Command(crun, "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		b.Skipf("crun spec: %v: %s", err, output)
	}
	path := filepath.Join(bundle, "config.json")
	data, err := os.ReadFile(path)
	must(b, err)
	var config map[string]any
	must(b, json.Unmarshal(data, &config))
	config["root"] = map[string]any{"path": root}
	process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
	process["args"], process["terminal"] = []string{"/bin/true"}, false
	if users {
		ids := []map[string]int{{"containerID": 0, "hostID": 0x100000, "size": 0x10000}}
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]string{"type": "user"})
		linux["uidMappings"], linux["gidMappings"] = ids, ids
	}
	data, err = json.Marshal(config)
	must(b, err)
	must(b, os.WriteFile(path, data, 0o644))
	return bundle
}
