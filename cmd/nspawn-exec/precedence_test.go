package main_test

import (
	"bufio"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nspawnkit/settings"
	"nspawnkit/test/precedence"

	"github.com/vishvananda/netlink"
)

// TestPrecedenceTable checks each row of docs/precedence.md on containers: the real systemd-nspawn's and ours. What the
// table says of systemd-nspawn was observed on 252; other versions may differ.
func TestPrecedenceTable(t *testing.T) {
	needKernel(t)
	oracle, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		t.Fatal("systemd-nspawn is missing: apt-get install systemd-container")
	}
	rows, err := precedence.Rows("../../docs/precedence.md")
	must(t, err)
	// systemd-nspawn needs control groups, and a /sys of this network namespace, where udev does not run.
	oracleHost := []string{"unshare", "-m", "sh", "-ec", `umount /sys/fs/cgroup; mkdir -p /run/cgroup; mount --rbind /sys/fs/cgroup /run/cgroup
		mount -t sysfs -o ro sysfs /sys; mount --rbind /run/cgroup /sys/fs/cgroup; exec "$0" "$@"`}
	for _, row := range rows {
		t.Run(row.Name()+"/systemd-nspawn", func(t *testing.T) {
			compare(t, row.Oracle, observe(t, row, newWitness(t), append(oracleHost, oracle)...))
		})
		t.Run(row.Name()+"/nspawn-exec", func(t *testing.T) {
			got := observe(t, row, newWitness(t), program("nspawn-exec"))
			if supported(row) {
				compare(t, row.Result, got)
			} else if got["refused"] == "" || !strings.Contains(got["stderr"], "not supported yet") && row.Result["refused"] == "" {
				t.Errorf("starts what is not supported yet: %q", got)
			}
		})
	}
}

// supported reports whether nspawn-exec honours everything in the row.
func supported(row precedence.Row) bool {
	return !slices.ContainsFunc(settings.Keys(), func(k settings.Key) bool { return !k.Supported() && row.Uses(k.Name, k.Option) })
}

// compare checks the aspects that the table names. Ports show nowhere inside.
func compare(t *testing.T, want, got map[string]string) {
	t.Helper()
	for _, aspect := range slices.Sorted(maps.Keys(want)) {
		if aspect != "ports" && got[aspect] != want[aspect] {
			t.Errorf("%s is %q, want %q (%s)", aspect, got[aspect], want[aspect], got["stderr"])
		}
	}
}

// newWitness makes a root directory of the machine "web" in which everything that can be started is the witness.
func newWitness(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "web")
	for _, directory := range []string{"bin", "sbin", "etc", "usr/bin", "root", "proc", "sys", "dev", "run", "tmp", "var/log", "mnt/a", "mnt/b", "mnt/c"} {
		must(t, os.MkdirAll(filepath.Join(root, directory), 0o755))
	}
	copyFile(t, program("witness"), filepath.Join(root, "bin/witness"))
	writeFile(t, filepath.Join(root, "etc/os-release"), "ID=witness\n")
	for _, link := range []string{"sbin/init", "bin/bash", "bin/sh"} {
		must(t, os.Symlink("/bin/witness", filepath.Join(root, link)))
	}
	t.Cleanup(func() { // what --link-journal= made
		must(t, os.RemoveAll("/var/log/journal"))
		must(t, os.Mkdir("/var/log/journal", 0o755))
	})
	return root
}

// observe starts the container of a row and returns what its payload and the host's links say.
func observe(t *testing.T, row precedence.Row, root string, command ...string) map[string]string {
	t.Helper()
	layOut(t, row, root)
	addLinks(t)
	arguments := append(command[1:], "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--directory="+root)
	cmd := exec.Command(command[0], append(arguments, row.Arguments...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &stderr, patience
	must(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	got := make(map[string]string)
	for scanner := bufio.NewScanner(stdout); scanner.Scan() && scanner.Text() != "up"; {
		aspect, value, _ := strings.Cut(strings.TrimRight(scanner.Text(), "\r"), ": ")
		got[aspect] = value
	}
	if got["links"] != "" {
		got["links"] = kinds(t, strings.Fields(got["links"]))
	}
	stdin.Close()
	_ = cmd.Wait()
	got["stderr"] = strings.TrimSpace(stderr.String())
	if got["users"] == "" && cmd.ProcessState.ExitCode() == 1 {
		got["refused"] = "yes"
	}
	return got
}

// layOut writes the files of a row where both programs read them.
func layOut(t *testing.T, row precedence.Row, root string) {
	t.Helper()
	places := map[string]string{
		"trusted": "/run/systemd/nspawn/web.nspawn", "drop-in": "/run/systemd/nspawn/web.nspawn.d/10-row.conf", "beside": root + ".nspawn",
	}
	for _, f := range row.Files {
		if f.Mask {
			must(t, os.Symlink("/dev/null", places[f.Place]))
		} else {
			writeFile(t, places[f.Place], f.Text)
		}
	}
	t.Cleanup(func() {
		for _, path := range places {
			_ = os.RemoveAll(path)
		}
		_ = os.Remove(filepath.Dir(places["drop-in"]))
	})
}

// addLinks makes the links of the host that the rows name: a bridge, one to give away, and one with others on top.
func addLinks(t *testing.T) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}}))
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "parent"}, PeerName: "spare"}))
	t.Cleanup(func() {
		for _, name := range []string{"bridge", "parent"} {
			if link, err := netlink.LinkByName(name); err == nil {
				must(t, netlink.LinkDel(link))
			}
		}
	})
}

// kinds gives the links inside the names of the table.
func kinds(t *testing.T, inside []string) string {
	t.Helper()
	if slices.Contains(inside, "bridge") {
		return "host"
	}
	var list []string
	for _, name := range inside {
		switch name {
		case "none":
		case "host0":
			list = append(list, hostSide(t))
			continue
		case "mv-parent":
			list = append(list, "macvlan=parent")
			continue
		case "spare":
			name = "interface=spare"
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// hostSide says where the other end of host0 is.
func hostSide(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"ve-web", "vb-web"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			continue
		}
		if link.Attrs().MasterIndex == 0 {
			return "veth"
		}
		master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
		must(t, err)
		if zone, found := strings.CutPrefix(master.Attrs().Name, "vz-"); found {
			return "zone=" + zone
		}
		return "bridge=" + master.Attrs().Name
	}
	return "unknown"
}
