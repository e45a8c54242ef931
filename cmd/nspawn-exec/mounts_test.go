package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountHost makes directories of the host to mount: owned by root, by the user 1000, and layers of overlays.
func mountHost(t *testing.T) string {
	t.Helper()
	host := t.TempDir()
	must(t, os.Chmod(host, 0o755))
	for _, layer := range []string{"one", "two", "up"} {
		writeFile(t, filepath.Join(host, layer, layer), layer+"\n")
		if layer != "up" {
			writeFile(t, filepath.Join(host, layer, "both"), layer+"\n")
		}
	}
	writeFile(t, host+"/user/file", "of 1000\n")
	must(t, os.Mkdir(host+"/user/foreign", 0o755))
	must(t, os.Mkdir(host+"/user/own", 0o755))
	must(t, os.Chown(host+"/user/own", 1000, 1000))
	must(t, os.Chown(host+"/user", 1000, 1000))
	must(t, os.Chown(host+"/user/file", 1000, 1000))
	return host
}

// both runs a script in a container of ours and in one of systemd-nspawn. It returns what is printed, first by ours.
func both(t *testing.T, root, script string, options ...string) (ours, theirs string) {
	t.Helper()
	// systemd-nspawn takes the files that cover others from the host's init, and needs control groups.
	const host = `umount /sys/fs/cgroup; mkdir -p /run/systemd/inaccessible; cd /run/systemd/inaccessible
		touch reg; mkdir -p dir; test -e fifo || mkfifo fifo; test -e sock || touch sock; chmod 0 *; exec systemd-nspawn "$@"`
	arguments := append([]string{"-m", "sh", "-c", host, "sh", "--quiet", "--directory=" + root, "--register=no", "--keep-unit", "--console=pipe",
		"--private-users=pick", "--private-users-ownership=map", "--private-network"}, options...)
	output := finish(t, exec.Command("unshare", append(arguments, "/bin/sh", "-c", script)...))
	must(t, os.RemoveAll("/run/systemd/inaccessible"))
	return shell(t, root, script, options...), strings.TrimSpace(output.stdout)
}

// Every option as systemd-nspawn 252 has it. HOST stands for the directory of mountHost.
func TestMountsAsSystemdNspawn(t *testing.T) {
	for name, test := range map[string]struct {
		options      string
		script, want string
	}{
		"rootidmap":              {"--bind=HOST/user:/mnt:rootidmap", "touch /mnt/new; stat -c %u:%g /mnt /mnt/file /mnt/foreign /mnt/new", "0:0\n0:0\n65534:65534\n0:0"},
		"rootidmap without -U":   {"--private-users=no --bind=HOST/user:/mnt:rootidmap", "stat -c %u:%g /mnt /mnt/foreign", "0:0\n65534:65534"},
		"idmap":                  {"--bind=HOST/user:/mnt:idmap", "stat -c %u /mnt /mnt/foreign", "1000\n0"},
		"noidmap":                {"--bind=HOST/user:/mnt:noidmap", "stat -c %u /mnt /mnt/foreign", "65534\n65534"},
		"the last option counts": {"--bind=HOST/user:/mnt:idmap,norbind,rootidmap", "stat -c %u /mnt", "0"},
		"of the image":           {"--bind=+/etc:/mnt", "touch /mnt/x; stat -c %u /mnt /etc/x", "0\n0"},
		"empty source":           {"--bind=:/mnt", "touch /mnt/x; stat -c %u:%g:%a /mnt", "0:0:755"},
		"empty source below":     {"--bind=:/mnt --bind=HOST/one:/mnt/a/b:idmap", "cat /mnt/a/b/one", "one"},
		"colon":                  {`--bind=HOST/one:/mnt/a\:b:idmap`, "cat /mnt/a:b/one", "one"},
		"sorted":                 {"--bind=HOST/one:/mnt/b:idmap --tmpfs=/mnt", "cat /mnt/b/one; touch /mnt/x; stat -c %u /mnt", "one\n0"},
		"sorted binds":           {"--bind=HOST/one:/mnt/b --bind=HOST/two:/mnt", "cat /mnt/two", "two"},
		"twice: the last":        {"--bind=HOST/one:/mnt --bind=HOST/two:/mnt", "cat /mnt/both", "two"},
		"twice: by kind":         {"--tmpfs=/mnt --bind=HOST/one:/mnt", "ls /mnt", ""},
		"device node":            {"--bind=/dev/null:/mnt/null", "echo x >/mnt/null; stat -c %F /mnt/null", "character special file"},
		"socket":                 {"--bind=HOST/socket:/mnt/s", "stat -c %F /mnt/s", "socket"},
		"in /run and /tmp":       {"--bind=HOST/one:/run/a:idmap --bind=HOST/two:/tmp/b:idmap", "cat /run/a/one /tmp/b/two", "one\ntwo"},
		"through a link to /run": {"--bind=HOST/one:/varrun/a:idmap", "cat /run/a/one", "one"},
		"read-only stays so":     {"--bind-ro=HOST/one:/mnt:idmap", "mount -o remount,rw,bind /mnt; touch /mnt/x; umount /mnt; ls /mnt", "both\none"},
		"root stays read-only":   {"--read-only --bind=HOST/one:/mnt:idmap", "mount -o remount,rw,bind /; touch /etc/x; echo $?; cat /mnt/one", "1\none"},
		"root, without mounts":   {"--read-only --resolv-conf=replace-host", "mount -o remount,rw,bind /; touch /etc/x; ls /etc", ""},
		"mode of a tmpfs":        {"--tmpfs=/opt --tmpfs=/mnt:size=1m --tmpfs=/srv:mode=700", "stat -c %a:%u:%g /opt /mnt /srv", "755:0:0\n1777:0:0\n700:0:0"},
		"tmpfs stays":            {"--tmpfs=/opt", "umount /opt; ls /opt", ""},

		"inaccessible":           {"--inaccessible=/opt/dir --inaccessible=/opt/file", "stat -c '%F %a %u' /opt/dir /opt/file; ls /opt/dir; cat /opt/file; echo $?", "directory 0 65534\nregular empty file 0 65534\n1"},
		"inaccessible stays so":  {"--inaccessible=/opt/file", "umount /opt/file; mount -o remount,rw,bind /opt/file; cat /opt/file; echo $?", "1"},
		"inaccessible, no users": {"--private-users=no --inaccessible=/opt/file", "cat /opt/file; stat -c %a:%u /opt/file", "0:0"},
		"inaccessible FIFO":      {"--inaccessible=/opt/fifo", "stat -c %a:%F /opt/fifo", "0:fifo"},
		"inaccessible over bind": {"--inaccessible=/mnt --bind=HOST/one:/mnt", "ls /mnt; echo $?", "1"},

		"overlay":          {"--private-users=no --overlay=HOST/one:HOST/two:HOST/up:/mnt", "echo new >/mnt/new; cat /mnt/one /mnt/both /mnt/up; stat -c %u /mnt/new", "one\ntwo\nup\n0"},
		"overlay of two":   {"--private-users=no --overlay=HOST/one:/mnt", "cat /mnt/one", "one"},
		"overlay no upper": {"--private-users=no --overlay=+/opt::/opt", "echo new >/opt/file; cat /opt/file", "new"},
		"overlay read-only": {"--private-users=no --overlay-ro=HOST/one:HOST/two:/opt", "cat /opt/both /opt/file; touch /opt/new; echo $?",
			"two\n1"},
		"overlay new upper": {"--private-users=no --overlay=HOST/one:HOST/new:/mnt", "touch /mnt/new; cat /mnt/one", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			root, host := newRoot(t, "web"), mountHost(t)
			prepareMounts(t, root, host)
			options := strings.Fields(strings.ReplaceAll(test.options, "HOST", host))
			ours, theirs := both(t, root, test.script+" 2>/dev/null", options...)
			if ours != test.want || theirs != test.want {
				t.Errorf("nspawn-exec %q, systemd-nspawn %q, want %q", ours, theirs, test.want)
			}
			noTemporaries(t, root, host)
		})
	}
}

// prepareMounts adds to a root what is covered in the tests, and a socket to the host.
func prepareMounts(t *testing.T, root, host string) {
	t.Helper()
	writeFile(t, root+"/opt/file", "of the image\n")
	writeFile(t, root+"/opt/dir/file", "of the image\n")
	must(t, syscall.Mkfifo(root+"/opt/fifo", 0o644))
	must(t, os.Symlink("/run", root+"/varrun"))
	must(t, os.Mkdir(root+"/mnt", 0o755))
	must(t, syscall.Mknod(host+"/socket", syscall.S_IFSOCK|0o666, 0))
}

// noTemporaries checks that no temporary or working directory is left.
func noTemporaries(t *testing.T, directories ...string) {
	t.Helper()
	for _, pattern := range []string{"/var/tmp/nspawn-temp-*", "/run/nspawnkit/temporary/*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
	for _, directory := range directories {
		output, err := exec.Command("find", directory, "-name", ".#*").Output()
		must(t, err)
		if len(output) > 0 {
			t.Errorf("left over: %s", output)
		}
	}
}

// What systemd-nspawn 252 does not do, or not in a user namespace.
func TestMountsBeyondSystemdNspawn(t *testing.T) {
	for name, test := range map[string]struct {
		options      string
		script, want string
		onDisk       string // OWNER of a new file, below the host's directory
	}{
		"owneridmap":            {"--bind=HOST/user:/srv/of5:owneridmap", "stat -c %u /srv/of5 /srv/of5/foreign", "5\n65534", ""},
		"owneridmap, new":       {"--bind=HOST/user:/srv/new:owneridmap", "touch /srv/new/new; stat -c %u /srv/new/new", "0", "user/new 1000"},
		"owneridmap in a bind":  {"--bind=HOST/one:/mnt/own:owneridmap --bind=HOST/user:/mnt:idmap", "stat -c %u /mnt/own /mnt/own/one", "1000\n1000", ""},
		"empty source, idmap":   {"--bind=:/mnt:idmap", "touch /mnt/x; stat -c %u /mnt/x", "0", ""},
		"read-only in /run":     {"--bind-ro=HOST/one:/run/a:idmap", "mount -o remount,rw,bind /run/a; touch /run/a/x; ls /run/a", "both\none", ""},
		"inaccessible in /proc": {"--inaccessible=/proc/cpuinfo", "cat /proc/cpuinfo", "", ""},
		"device in /dev":        {"--bind=/dev/null:/dev/mine", "echo x >/dev/mine; stat -c %F /dev/mine", "character special file", ""},
		"no /dev in the image":  {"--bind=/dev/null:/dev/mine", "stat -c %F /dev/mine", "character special file", ""},
		"overlay":               {"--overlay=HOST/one:HOST/two:HOST/up:/mnt", "echo new >/mnt/new; echo >/mnt/one; cat /mnt/both; stat -c %u /mnt /mnt/one /mnt/new", "two\n0\n0\n0", "up/new 0"},
		"overlay by others":     {"--overlay=HOST/one:HOST/up:/mnt", "touch /mnt/new; chown 33:33 /mnt/new; stat -c %u /mnt/new", "33", "up/new 33"},
		"overlay of user 1000":  {"--overlay=HOST/one:HOST/user:/mnt", "touch /mnt/file; stat -c %u /mnt /mnt/file", "1000\n1000", ""},
		"overlay, new place":    {"--overlay=HOST/one:HOST/up:/mnt/a/b", "cat /mnt/a/b/one", "one", ""},
		"overlay of the image":  {"--overlay=+/opt::/opt", "echo new >/opt/file; stat -c %u /opt /opt/file; cat /opt/file", "0\n0\nnew", ""},
		"overlay, upper inside": {"--overlay=HOST/one:+/opt:/mnt", "touch /mnt/new; stat -c %u /opt/new", "0", ""},
		"overlay in /run":       {"--overlay=HOST/one:HOST/up:/run/a", "touch /run/a/new; cat /run/a/one", "one", "up/new 0"},
		"overlay, read-only":    {"--overlay-ro=HOST/one:HOST/two:/mnt", "mount -o remount,rw,bind /mnt; touch /mnt/x; ls /mnt; stat -c %u /mnt/one", "both\none\ntwo\n0", ""},
		"overlay with commas":   {"--overlay=HOST/a,b=c:HOST/u,p:/mnt", "touch /mnt/new; ls /mnt", "f\nnew", "u,p/new 0"},
	} {
		t.Run(name, func(t *testing.T) {
			root, host := newRoot(t, "web"), mountHost(t)
			prepareMounts(t, root, host)
			writeFile(t, host+"/a,b=c/f", "")
			if strings.HasPrefix(name, "no /dev") {
				must(t, os.Remove(root+"/dev"))
			}
			must(t, os.MkdirAll(root+"/srv/of5", 0o755))
			must(t, os.Chown(root+"/srv/of5", 5, 5))
			if got := shell(t, root, test.script+" 2>/dev/null", strings.Fields(strings.ReplaceAll(test.options, "HOST", host))...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if file, want, found := strings.Cut(test.onDisk, " "); found {
				info, err := os.Stat(filepath.Join(host, file))
				must(t, err)
				if got := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid); got != want {
					t.Errorf("%s belongs to %s on disk, want %s", file, got, want)
				}
			}
			noTemporaries(t, root, host)
			clean(t, root)
		})
	}
}

// More layers than fit into the options of the file system by their paths.
func TestManyLayers(t *testing.T) {
	root, host := newRoot(t, "web"), t.TempDir()
	var layers []string
	for i := range 200 {
		layer := fmt.Sprintf("%s/a-layer-with-a-long-name-%d", host, i)
		writeFile(t, fmt.Sprintf("%s/%d", layer, i), "")
		layers = append(layers, layer)
	}
	if got := shell(t, root, "ls /mnt | grep -c .", "--overlay="+strings.Join(layers, ":")+"::/mnt"); got != "200" {
		t.Errorf("%s files of 200 layers", got)
	}
	clean(t, root)
}

// What kill -9 leaves is removed by --cleanup or by the next start; what belongs to a container that runs stays.
func TestKilledWithTemporaries(t *testing.T) {
	root, host := newRoot(t, "web"), mountHost(t)
	options := append([]string{"--bind=:/mnt/a", "--overlay=+/etc::/etc", "--overlay=" + host + "/one:" + host + "/up:/mnt/b"}, sleeper...)
	count := func() int {
		temporary, _ := filepath.Glob("/var/tmp/nspawn-temp-*")
		working, _ := filepath.Glob(host + "/.#up*")
		return len(temporary) + len(working)
	}
	c := begin(t, root, options...)
	if count() != 3 {
		t.Errorf("%d directories, want 3", count())
	}
	cleanup(t, root)
	if count() != 3 {
		t.Errorf("--cleanup leaves %d of the 3 directories of a container that runs", count())
	}
	c.kill()
	if count() != 3 {
		t.Error("a killed supervisor leaves nothing: this test tests nothing")
	}
	begin(t, root, options...).kill()
	if count() != 3 {
		t.Errorf("%d directories after the next start, want 3", count())
	}
	cleanup(t, root)
	noTemporaries(t, root, host)
	clean(t, root)
}

// What a file system cannot do is said with its name, and what to write instead.
func TestMountsRefused(t *testing.T) {
	root, host := newRoot(t, "web"), mountHost(t)
	mustMount(t, "ramfs", host+"/two")
	for name, test := range map[string]struct {
		options string
		texts   []string
	}{
		"idmap":                  {"--bind=HOST/two:/mnt:idmap", []string{"--bind: ", "HOST/two", "ramfs", "write noidmap"}},
		"rootidmap of proc":      {"--bind=/proc/sys:/mnt:rootidmap", []string{"--bind: ", "/proc/sys", "proc", "write noidmap"}},
		"layer":                  {"--overlay=HOST/two::/mnt", []string{"--overlay: ", "HOST/two", "ramfs", "container's users"}},
		"missing layer":          {"--overlay=HOST/none::/mnt", []string{"--overlay: ", "HOST/none"}},
		"upper is a mount point": {"--overlay=HOST/one:HOST/two:/mnt", []string{"--overlay: ", "HOST/two", "mount point"}},
		"upper is a file":        {"--overlay=HOST/one:HOST/up/up:/mnt", []string{"--overlay: ", "HOST/up/up"}},
		"missing inside":         {"--inaccessible=/none", []string{"--inaccessible: ", "/none"}},
		"missing in /proc":       {"--inaccessible=/proc/none", []string{"--inaccessible", "/proc/none"}},
		"user of tmpfs":          {"--tmpfs=/mnt:uid=70000", []string{"--tmpfs: ", "uid=70000"}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range test.texts {
				test.texts[i] = strings.ReplaceAll(test.texts[i], "HOST", host)
			}
			r := run(t, root, append(strings.Fields(strings.ReplaceAll(test.options, "HOST", host)), "/bin/echo", "payload runs")...)
			refused(t, r, test.texts...)
			noTemporaries(t, root, host)
			clean(t, root, host+"/two")
		})
	}
}

// A bind that nobody inside owns says so; IDMapBinds= is the default of all that name no mapping.
func TestBindOfNobody(t *testing.T) {
	root, host := newRoot(t, "web"), mountHost(t)
	r := run(t, root, "--bind="+host+"/user:/mnt", "/bin/true")
	want := fmt.Sprintf("--bind: %s/user belongs to the user 1000 of the host, which shows up as nobody in the container; write %s/user:/mnt:idmap to show it as the user 1000\n", host, host)
	if r.stderr != want {
		t.Errorf("got %q, want %q", r.stderr, want)
	}
	for mapping, want := range map[string]string{"owner": "0\n65534", "root": "0\n65534", "no": "65534\n65534"} {
		directory := t.TempDir()
		writeFile(t, directory+"/etc/systemd/nspawn/web.nspawn", fmt.Sprintf("[Files]\nIDMapBinds=%s\nBind=%s/user:/mnt/a\nBind=%s/user:/mnt/b:idmap\n", mapping, host, host))
		cmd := nspawn(root, "/bin/stat", "-c", "%u", "/mnt/a", "/mnt/a/foreign", "/mnt/b")
		cmd.Env = append(cmd.Env, "NSPAWNKIT_ROOT="+directory)
		r := finish(t, cmd)
		if want += "\n1000\n"; r.stdout != want {
			t.Errorf("IDMapBinds=%s: got %q, want %q: %s", mapping, r.stdout, want, r.stderr)
		}
	}
}

// "Permission denied" alone sends people to look at modes and owners.
func TestRootOnNoExec(t *testing.T) {
	root := newRoot(t, "web")
	mounted := filepath.Join(t.TempDir(), "web")
	must(t, os.Mkdir(mounted, 0o755))
	bindMount(t, root, mounted)
	must(t, syscall.Mount("", mounted, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_NOEXEC, ""))
	refused(t, run(t, mounted, "/bin/echo", "payload runs"), "/bin/echo", "permission denied", "noexec")
	writeFile(t, root+"/bin/text", "no program")
	if r := run(t, root, "/bin/text"); strings.Contains(r.stderr, "noexec") {
		t.Errorf("got %q", r.stderr)
	}
}
