package main_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// etcHost lays out files of a host that has everything, with the arguments $localtime and $resolvconf; it is followed by the
// program to run.
const etcHost = `mount -t tmpfs test /usr/share/zoneinfo; mkdir /usr/share/zoneinfo/Test
	echo host zone >/usr/share/zoneinfo/Test/Zone; echo file >/usr/share/zoneinfo/outside
	cp /etc/machine-id /run/id; mount -t tmpfs test /etc; mv /run/id /etc/machine-id
	mkdir -p /run/systemd/resolve; echo stub >/run/systemd/resolve/stub-resolv.conf; echo uplink >/run/systemd/resolve/resolv.conf
	case "$resolvconf" in
	file) echo host >/etc/resolv.conf;;
	link) ln -s /run/systemd/resolve/resolv.conf /etc/resolv.conf;;
	esac
	case "$localtime" in
	file) echo host file >/etc/localtime;;
	zone) ln -s /usr/share/zoneinfo/Test/Zone /etc/localtime;;
	relative) ln -s ../usr/share/zoneinfo/Test/Zone /etc/localtime;;
	outside) echo outside >/etc/zone; ln -s /etc/zone /etc/localtime;;
	esac
`

// oracleHost gives systemd-nspawn control groups, and a /sys of this network namespace, where udev does not run.
const oracleHost = `umount /sys/fs/cgroup; mkdir -p /run/cgroup; mount --rbind /sys/fs/cgroup /run/cgroup
	mount -t sysfs -o ro sysfs /sys; mount --rbind /run/cgroup /sys/fs/cgroup
`

// etcReport is a payload that says what it sees of the two files.
const etcReport = `for f in /etc/resolv.conf /etc/localtime; do
	if [ -L $f ]; then echo "inside $f -> $(readlink $f)"; fi
	if [ -f $f ]; then echo "inside $f $(stat -Lc '%a %u %g' $f) $(cat $f)"; elif [ -d $f ]; then echo "inside $f is a directory"; fi
done
while read a b c d point flags rest; do case $point in /etc*|/usr/share*) echo "mount $point $flags";; esac; done </proc/self/mountinfo`

type etcCase struct {
	name                  string
	image                 map[string]string // what etc has: content, or "-> target", or "/" for a directory
	localtime, resolvconf string            // of the host
	options               []string
}

// observeEtc runs the report in a container and returns it with what the image has afterwards.
func observeEtc(t *testing.T, root string, c etcCase, oracle bool) string {
	t.Helper()
	must(t, os.RemoveAll(root+"/etc"))
	must(t, os.RemoveAll(root+"/etc2"))
	must(t, os.RemoveAll(root+"/usr/share"))
	writeFile(t, root+"/etc/real", "real\n")
	writeFile(t, root+"/usr/share/zoneinfo/Old", "old zone\n")
	for name, content := range c.image {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if target, link := strings.CutPrefix(content, "-> "); link {
			must(t, os.Symlink(target, path))
		} else if content == "/" {
			must(t, os.Mkdir(path, 0o755))
		} else {
			writeFile(t, path, content)
		}
	}
	cmd := nspawn(root, append(removed(c.options, ""), "/bin/sh", "-c", etcReport)...)
	onHost(t, cmd, etcHost, oracle)
	cmd.Env = append(cmd.Env, "localtime="+c.localtime, "resolvconf="+c.resolvconf)
	t.Cleanup(func() { must(t, os.RemoveAll("/run/systemd/resolve")) })
	r := finish(t, cmd)
	if r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	lines := strings.SplitAfter(r.stdout, "\n")
	slices.Sort(lines) // the order of the mounts is not the same
	text := strings.Join(lines, "")
	for _, directory := range []string{"etc", "usr/share/zoneinfo"} {
		must(t, filepath.WalkDir(filepath.Join(root, directory), func(path string, entry fs.DirEntry, err error) error {
			if err == nil {
				text += describe(t, root, path)
			}
			return err
		}))
	}
	return text
}

// onHost has a command run in a mount namespace of its own that a script lays out, by nspawn-exec or by systemd-nspawn.
func onHost(t testing.TB, cmd *exec.Cmd, script string, oracle bool) {
	t.Helper()
	runner := cmd.Path
	if oracle {
		var err error
		if runner, err = exec.LookPath("systemd-nspawn"); err != nil {
			t.Fatal("systemd-nspawn is missing: apt-get install systemd-container")
		}
		script += oracleHost
	}
	cmd.Path, cmd.Args = "/bin/sh", append([]string{
		"sh", "-c", `exec unshare -m --propagation slave sh -ec "$@"`, "sh", script + `exec "$0" "$@"`, runner,
	}, cmd.Args[1:]...)
}

// describe says what a path of the image is.
func describe(t *testing.T, root, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	content, _ := os.ReadFile(path)
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		must(t, err)
		content = []byte("-> " + target)
	}
	return fmt.Sprintf("image %s %v %s %q\n", strings.TrimPrefix(path, root), info.Mode(), owner(info.Sys().(*syscall.Stat_t)), content)
}

func sameEtc(t *testing.T, root string, c etcCase) string {
	t.Helper()
	var ours string
	t.Run(c.name, func(t *testing.T) {
		want := observeEtc(t, root, c, true)
		if ours = observeEtc(t, root, c, false); ours != want {
			t.Errorf("nspawn-exec:\n%ssystemd-nspawn:\n%s", ours, want)
		}
	})
	return ours
}

var resolvConfModes = strings.Fields(`off copy-host copy-static copy-uplink copy-stub replace-host replace-static replace-uplink
	replace-stub bind-host bind-static bind-uplink bind-stub delete auto`)

// TestResolvConf compares all modes with systemd-nspawn, by what the image has at /etc/resolv.conf.
func TestResolvConf(t *testing.T) {
	root := newRoot(t, "web")
	for name, content := range map[string]string{
		"missing": "", "file": "a longer line of the image\n", "link to a file": "-> real", "link to nothing": "-> nothing",
		"link to the stub": "-> ../run/systemd/resolve/stub-resolv.conf", "directory": "/", "link out": "-> /../../../../../../../etc/real",
	} {
		image := map[string]string{"etc/resolv.conf": content}
		if content == "" {
			image = nil
		}
		for _, mode := range resolvConfModes {
			for _, option := range []string{"", "--read-only"} {
				if _, source, ok := strings.Cut(mode, "-"); ok && source != "host" && (name != "missing" || option != "") {
					continue // another source makes no difference
				}
				options := []string{"--private-users=no", hostNetwork, "--timezone=off", "--resolv-conf=" + mode, option}
				got := sameEtc(t, root, etcCase{name + "/" + mode + option, image, "zone", "file", options})
				if name == "missing" && option == "" && mode == "copy-uplink" && !strings.Contains(got, "inside /etc/resolv.conf 644 0 0 uplink") {
					t.Errorf("nothing is copied: %s", got)
				}
			}
		}
	}
}

// What auto means, and how the files look in a user namespace.
func TestResolvConfOfHost(t *testing.T) {
	root := newRoot(t, "web")
	image := map[string]string{"etc/resolv.conf": "of the image\n"}
	for _, resolvconf := range []string{"file", "link", "missing"} {
		for _, options := range [][]string{
			{hostNetwork}, {hostNetwork, "--read-only"}, {"--private-network"}, {"--private-network", "--read-only"},
			{"--resolv-conf=copy-host"}, {"--resolv-conf=bind-host"}, {"--resolv-conf=replace-host"},
		} {
			for _, users := range []string{"no", "pick"} {
				if users == "pick" && resolvconf != "file" {
					continue // the same again
				}
				all := append([]string{"--timezone=off", "--private-users=" + users, "--private-users-ownership=auto"}, options...)
				sameEtc(t, root, etcCase{resolvconf + "/" + users + strings.Join(options, ""), image, "zone", resolvconf, all})
			}
		}
	}
	sameEtc(t, root, etcCase{"link", map[string]string{"etc2/x": "x", "etc/resolv.conf": "-> /etc2/x"}, "zone", "file", []string{"--resolv-conf=bind-host", "--private-users=no"}})
	mounted := etcCase{"", nil, "zone", "file", []string{"--resolv-conf=copy-host", "--tmpfs=/etc", "--read-only", "--private-users=no"}}
	if got := observeEtc(t, root, mounted, false); !strings.Contains(got, "inside /etc/resolv.conf 644 0 0 host\n") {
		t.Errorf("not copied into a writable /etc: %s", got)
	}
}

// systemd-resolved's stub is used where it listens; systemd-nspawn asks over the bus, which is not there.
func TestStubResolver(t *testing.T) {
	root := newRoot(t, "web")
	c := etcCase{"", nil, "zone", "file", []string{hostNetwork, "--private-users=no"}}
	if got := observeEtc(t, root, c, false); !strings.Contains(got, "644 0 0 host\n") {
		t.Errorf("nobody listens: %s", got)
	}
	must(t, exec.Command("ip", "link", "set", "lo", "up").Run())
	stub, err := net.ListenPacket("udp", "127.0.0.53:53")
	must(t, err)
	defer stub.Close()
	if got := observeEtc(t, root, c, false); !strings.Contains(got, "644 0 0 stub\n") {
		t.Errorf("the stub listens: %s", got)
	}
}

// A file that is not there is a warning, which names the setting and the file; the container starts.
func TestResolvConfWarnings(t *testing.T) {
	root := newRoot(t, "web")
	for mode, texts := range map[string][]string{
		"copy-stub": {"--resolv-conf: ", "/run/systemd/resolve/stub-resolv.conf", "ignoring"},
		"bind-host": {"--resolv-conf: ", "/etc/resolv.conf", "ignoring"}, // on a directory
		"copy-host": nil, "delete": {"--resolv-conf: ", "remove", "/etc/resolv.conf"},
	} {
		must(t, os.RemoveAll(root+"/etc/resolv.conf"))
		must(t, os.Mkdir(root+"/etc/resolv.conf", 0o755))
		r := run(t, root, "--resolv-conf="+mode, "/bin/echo", "runs")
		if r.status != 0 || r.stdout != "runs\n" || (len(texts) == 0) != (r.stderr == "") {
			t.Errorf("%s: status %d, %q, %q", mode, r.status, r.stdout, r.stderr)
		}
		for _, text := range texts {
			if !strings.Contains(r.stderr, text) {
				t.Errorf("%s: %q does not mention %q", mode, r.stderr, text)
			}
		}
	}
	must(t, os.RemoveAll(root+"/etc/resolv.conf"))
	must(t, syscall.Mkfifo(root+"/etc/resolv.conf", 0o644))
	if r := run(t, root, "--resolv-conf=copy-host", "/bin/echo", "runs"); r.stdout != "runs\n" || r.stderr != "" {
		t.Errorf("a FIFO: %q, %q", r.stdout, r.stderr)
	}
	clean(t, root)
}

// TestTimezone compares all modes with systemd-nspawn, by what host and image have at /etc/localtime.
func TestTimezone(t *testing.T) {
	root := newRoot(t, "web")
	known := map[string]string{"usr/share/zoneinfo/Test/Zone": "zone of the image\n"}
	images := map[string]map[string]string{"without database": nil, "missing": known}
	for name, content := range map[string]string{
		"file": "a longer line of the image\n", "zone": "-> /usr/share/zoneinfo/Test/Zone", "relative": "-> ../usr/share/zoneinfo/Test/Zone",
		"other": "-> ../usr/share/zoneinfo/Old", "nothing": "-> nothing", "directory": "/",
	} {
		images[name] = map[string]string{"usr/share/zoneinfo/Test/Zone": known["usr/share/zoneinfo/Test/Zone"], "etc/localtime": content}
	}
	for name, image := range images {
		for _, mode := range strings.Fields("off copy bind symlink delete auto") {
			for _, localtime := range strings.Fields("zone relative file outside missing") {
				for _, option := range []string{"", "--read-only"} {
					plain := localtime == "zone" && option == "" || name == "file" && (mode == "auto" || mode == "symlink")
					if !plain || mode == "bind" && localtime == "missing" { // there systemd-nspawn leaves an empty file
						continue
					}
					options := []string{"--private-users=no", hostNetwork, "--resolv-conf=off", "--timezone=" + mode, option}
					sameEtc(t, root, etcCase{name + "/" + mode + "/" + localtime + option, image, localtime, "file", options})
				}
			}
		}
	}
	for _, mode := range strings.Fields("copy bind symlink delete auto") {
		options := []string{"--private-users=pick", "--private-users-ownership=auto", "--resolv-conf=off", "--timezone=" + mode}
		sameEtc(t, root, etcCase{"users/" + mode, images["file"], "zone", "file", options})
	}
}
