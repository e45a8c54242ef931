package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// attempt is a way out of an ordinary container that a payload tries. It escaped if its output has the word of secret.
type attempt struct {
	options []string // of nspawn-exec and systemd-nspawn
	bundle  func(config, process object)
	payload []string
}

// HOST is a directory of the host that stays open in descriptors 3 to 20, with a file secret; what is made in it is an escape, too.
var attempts = map[string]attempt{
	"leaked descriptors": {nil, asIs, script("for n in 3 4 5 6 7 8 9; do cat /proc/self/fd/$n/secret; done")},
	"working directory": {[]string{"--chdir=/proc/self/fd/9"}, func(_, process object) { process["cwd"] = "/proc/self/fd/9" },
		script("cat secret")},
	"mount point is a link": {nil, asIs, script("true")},
	"bind target is a link": {[]string{"--tmpfs=/way/made"}, func(config, _ object) {
		config["mounts"] = append(config["mounts"].([]any), object{"destination": "/way/made", "type": "tmpfs", "source": "tmpfs"})
	}, script("true")},
	"release_agent":            {nil, asIs, script("mkdir /dev/shm/v1; mount -t cgroup -o none,name=escape v1 /dev/shm/v1 && echo secret")},
	"parameters of the host":   {nil, asIs, script("test -w /proc/sys/kernel/core_pattern && (echo core >/proc/sys/kernel/core_pattern) && echo secret")},
	"inheritable capabilities": {nil, asIs, script("grep -q '^CapInh:.*[1-9a-f]' /proc/self/status && echo secret")},
	"terminal of the host":     {nil, asIs, []string{"/bin/payload", "type", "owned"}},
}

func asIs(_, _ object) {}

// peers make the command that tries an attempt; nil: the program is not installed.
func peers(t *testing.T, root, bundle string, a attempt) map[string]*exec.Cmd {
	arguments := append(append([]string{"--private-users=pick", "--private-network", "--link-journal=no"}, a.options...), a.payload...)
	edit(t, bundle, func(config, process, _ object) {
		config["root"].(object)["path"], config["root"].(object)["readonly"], process["args"] = root, false, a.payload
		a.bundle(config, process)
	})
	commands := map[string]*exec.Cmd{"nspawn-exec": nspawn(root, arguments...), "systemd-nspawn": nil, "crun": nil}
	if _, err := exec.LookPath("systemd-nspawn"); err == nil {
		commands["systemd-nspawn"] = oracle(t, root, arguments...)
	}
	if _, err := exec.LookPath("crun"); err == nil {
		commands["crun"] = crun(bundle)
	}
	return commands
}

// verdict tries an attempt by one program: "held", "escaped", "missing".
func verdict(t *testing.T, peer, name string, a attempt) string {
	root, host := newRoot(t, "web"), newOutside(t)
	must(t, os.Symlink(host, root+"/way"))
	if name == "mount point is a link" {
		must(t, os.Remove(root+"/dev"))
		must(t, os.Symlink(host, root+"/dev"))
	}
	cmd := peers(t, root, newBundle(t, "crun", "bundle"), a)[peer]
	if cmd == nil {
		return "missing"
	}
	return try(t, cmd, host)
}

// TestBesidePeers tries the ways out of ours, of systemd-nspawn and of crun, and shows what each does. Only ours must hold.
func TestBesidePeers(t *testing.T) {
	needKernel(t)
	programs := []string{"nspawn-exec", "systemd-nspawn", "crun"}
	innocent := make(map[string]string) // one that runs no container here is not one that holds
	for _, peer := range programs {
		if innocent[peer] = verdict(t, peer, "", attempt{nil, asIs, script("echo secret")}); innocent[peer] == "missing" {
			t.Logf("%s is not installed and not counted", peer)
		}
	}
	t.Logf("%-26s %-14s %-14s %-14s", "", programs[0], programs[1], programs[2])
	for name, a := range attempts {
		line := fmt.Sprintf("%-26s", name)
		for _, peer := range programs {
			got := innocent[peer]
			switch got {
			case "escaped":
				got = verdict(t, peer, name, a)
			case "held":
				got = "not comparable"
			}
			line += fmt.Sprintf(" %-14s", got)
			if peer == programs[0] && got != "held" {
				t.Errorf("%s: %s", name, got)
			}
		}
		t.Log(line)
	}
	_ = os.RemoveAll("/run/crun")
	_ = os.RemoveAll("/run/cgroup")
	_ = os.RemoveAll("/run/systemd/nspawn")
}

// try runs a command with a directory of the host open, from a terminal of the host.
func try(t *testing.T, cmd *exec.Cmd, host string) string {
	t.Helper()
	writeFile(t, host+"/secret", "secret\n")
	before, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	must(t, err)
	_, path := newTerminal(t)
	terminal, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer terminal.Close()
	onTerminal(cmd, terminal)
	for range 17 {
		file, err := os.Open(host)
		must(t, err)
		defer file.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	r := finish(t, cmd)
	if after, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || string(after) != string(before) {
		must(t, os.WriteFile("/proc/sys/kernel/core_pattern", before, 0))
		return "escaped"
	}
	made, err := filepath.Glob(host + "/*")
	must(t, err)
	if strings.Contains(r.stdout, "secret") || len(made) != 1 || strings.Contains(r.stdout, "/dev/tty: <nil>") {
		return "escaped"
	}
	return "held"
}
