package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// columns are the ways to start a container.
var columns = []struct {
	name   string
	users  bool
	veth   bool
	nspawn []string // options of systemd-nspawn, and ours
}{
	{"plain", false, false, []string{"--private-users=no", "--private-network"}},
	{"-U", true, false, []string{"-U", "--private-network"}},
	{"veth", true, true, []string{"-U", "--network-veth"}},
}

// peer is a program to be measured.
type peer struct {
	name, namespace, path string
	takes                 options
}

// options are those that a program takes.
type options int

const (
	nspawnOptions options = iota // of systemd-nspawn
	bundleOptions                // of crun, with an OCI bundle
	lxcOptions                   // of lxc-start, with a file of lxc.container.conf(5)
	podmanOptions                // of podman-run(1)
)

func peers(ours string) []peer {
	list := []peer{
		{"nspawn-exec", hiddenKind, ours, nspawnOptions},
		{"systemd-nspawn", hostKind, "/usr/bin/systemd-nspawn", nspawnOptions},
		{"systemd-nspawn", sidOwnGroup, "/usr/bin/systemd-nspawn", nspawnOptions},
		{"crun", hiddenKind, "/usr/bin/crun", bundleOptions},
		{"crun", sidKind, "/usr/bin/crun", bundleOptions},
		{"lxc-start", sidOwnGroup, "/usr/bin/lxc-start", lxcOptions},
		{"podman", sidOwnGroup, "/usr/bin/podman", podmanOptions},
	}
	for i := range list {
		if i == 0 {
			continue
		}
		list[i].name += " " + list[i].version()
	}
	return list
}

// version asks the program.
func (p *peer) version() string {
	output, _ := p.output([]string{p.path, "--version"})
	fields := strings.Fields(output)
	if len(fields) == 1 { // of LXC
		return fields[0]
	}
	for i, field := range fields {
		if (field == "systemd" || field == "version") && i+1 < len(fields) {
			return fields[i+1]
		}
	}
	return missing
}

const missing = "(is missing)"

// isMissing reports whether the machine does not have the program.
func (p *peer) isMissing() bool { return strings.HasSuffix(p.name, missing) }

func (p *peer) output(arguments []string) (string, error) {
	var output bytes.Buffer
	cmd := exec.Cmd{Path: arguments[0], Args: arguments, Env: environment(), Stdout: &output, Stderr: &output}
	err := inNamespace(p.namespace, cmd.Run)
	return output.String(), err
}

func environment() []string { return []string{"PATH=/usr/bin:/usr/sbin:/bin:/sbin", "HOME=/root"} }

// base are the options of a container of systemd-nspawn that all tests have.
func (p *peer) base(root, console string) []string {
	return []string{p.path, "--quiet", "--directory=" + root, "--register=no", "--keep-unit", "--console=" + console}
}

// times starts /bin/true in turn with all programs and returns what each took in milliseconds, sorted; nothing for what cannot do it.
func times(list []peer, column, rounds int, root, bundles string) ([][]float64, error) {
	c := columns[column]
	commands := make([][]string, len(list))
	for i, p := range list {
		switch {
		case p.isMissing():
		case p.takes == lxcOptions:
			command, err := p.lxc(fmt.Sprint("bench", column), root, bundles, c.users, c.veth, "/bin/true")
			if err != nil {
				return nil, err
			}
			commands[i] = command
		case p.takes == podmanOptions:
			commands[i] = p.podman(root, bundles, c.users, c.veth, []string{"/bin/true"})
		case p.takes == nspawnOptions:
			commands[i] = slices.Concat(p.base(root, "pipe"), c.nspawn, []string{"/bin/true"})
		case !c.veth:
			bundle, err := p.bundle(filepath.Join(bundles, fmt.Sprint(column, "-", i)), root, c.users)
			if err != nil {
				return nil, err
			}
			commands[i] = []string{p.path, "--cgroup-manager=disabled", "run", "--bundle", bundle, "bench"}
		}
	}
	// The kernel removes network namespaces one after the other and needs 20 ms for each: nobody is to pay for the one before.
	const pause = 50 * time.Millisecond
	taken := make([][]float64, len(list))
	for round := range rounds + 2 { // two to warm up
		for i, p := range list {
			if commands[i] == nil {
				continue
			}
			time.Sleep(pause)
			took, err := p.run(commands[i])
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", p.name, c.name, err)
			}
			if round >= 2 {
				taken[i] = append(taken[i], float64(took.Microseconds())/1000)
			}
		}
	}
	for _, list := range taken {
		slices.Sort(list)
	}
	return taken, nil
}

// run is from fork to exit.
func (p *peer) run(arguments []string) (took time.Duration, err error) {
	stderr, err := os.CreateTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer stderr.Close()
	defer os.Remove(stderr.Name())
	cmd := exec.Cmd{Path: arguments[0], Args: arguments, Env: environment(), Stderr: stderr}
	err = inNamespace(p.namespace, func() error {
		began := time.Now()
		err := cmd.Run()
		took = time.Since(began)
		return err
	})
	if err != nil {
		text, _ := os.ReadFile(stderr.Name())
		return 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(text))
	}
	return took, nil
}

// bundle makes an OCI bundle with crun's own default configuration.
func (p *peer) bundle(path, root string, users bool) (string, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", err
	}
	if output, err := p.output([]string{p.path, "spec", "--bundle", path}); err != nil {
		return "", fmt.Errorf("%s spec: %w: %s", p.name, err, output)
	}
	file := filepath.Join(path, "config.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		return "", err
	}
	config["root"] = map[string]any{"path": root}
	process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
	process["args"], process["terminal"] = []string{"/bin/true"}, false
	if users {
		ids := []map[string]int{{"containerID": 0, "hostID": 0x100000, "size": 0x10000}}
		linux["namespaces"] = append(linux["namespaces"].([]any), map[string]string{"type": "user"})
		linux["uidMappings"], linux["gidMappings"] = ids, ids
	}
	if data, err = json.Marshal(config); err != nil {
		return "", err
	}
	return path, os.WriteFile(file, data, 0o644)
}

// inNamespace calls do in a mount namespace. The calling thread is locked and shares its file system with no other.
func inNamespace(kind string, do func() error) error {
	if err := unix.Setns(int(kinds[kind].Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter mount namespace %s: %w", kind, err)
	}
	err := do()
	if back := unix.Setns(int(kinds[hostKind].Fd()), unix.CLONE_NEWNS); back != nil {
		return back
	}
	return err
}
