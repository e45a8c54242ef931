package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The environment that the Container Interface and systemd-nspawn(1) promise.
func TestEnvironment(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, filepath.Join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n")
	cmd := nspawn(root, "--setenv=LANG=de_DE.UTF-8", "--setenv=EMPTY=", "/bin/env")
	cmd.Env = append(cmd.Env, "TERM=vt220", "SECRET=of the host")
	r := finish(t, cmd)
	var lines []string
	for line := range strings.Lines(r.stdout) {
		if !strings.HasPrefix(line, "container_host_") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	golden(t, "environment.golden", strings.Join(lines, ""))
}

// TestMounts compares what is mounted inside. What depends on the kernel's configuration is checked by TestProtectedProc.
func TestMounts(t *testing.T) {
	root := newRoot(t, "web")
	for name, options := range map[string][]string{
		"private":       nil,
		"host-network":  {hostNetwork},
		"no-users":      {"--private-users=no"},
		"no-isolation":  {"--private-users=no", hostNetwork},
		"read-only":     {"--read-only"},
		"temporary-fs":  {"--tmpfs=/var/log:mode=0700,size=1m"},
		"bind-and-copy": {"--bind=" + root + "/etc:/root:norbind", "--bind-ro=" + root + "/bin/busybox:/etc/tool"},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, "mounts-"+name+".golden", mountTable(shell(t, root, "cat /proc/self/mountinfo", append(options, "--timezone=off")...), root))
		})
	}
}

var optionalMount = regexp.MustCompile(`^/proc/(acpi|apm|asound|bus|fs|irq|scsi|kallsyms|kcore|keys|sysrq-trigger|timer_list)$`)

var peerGroup = regexp.MustCompile(`:\d+`)

// mountTable leaves of mountinfo what is the same on every host, sorted by mount point; of several mounts on one place the
// last is on top.
func mountTable(mountinfo, root string) string {
	var lines []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		point, flags, end := fields[4], fields[5], slices.Index(fields, "-")
		if optionalMount.MatchString(point) {
			continue
		}
		from, fstype := strings.Replace(fields[3], filepath.Dir(root), "", 1), fields[end+1]
		if fstype == "ext4" || fstype == "btrfs" || fstype == "xfs" || fstype == "tmpfs" && strings.HasPrefix(from, "/web") {
			fstype = "disk"
		}
		if point == "/" {
			from = "/web"
		}
		if point == "/run/host/os-release" || point == "/run/host/incoming" {
			from, fstype = "host", "disk"
		}
		propagation := peerGroup.ReplaceAllString(strings.Join(fields[6:end], " "), "")
		line := fmt.Sprintf("%-34s %-10s %s %s", point, fstype, flags, propagation)
		if from != "/" {
			line += " from " + from
		}
		lines = append(lines, line)
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0]) })
	return strings.Join(lines, "\n") + "\n"
}

func TestProtectedProc(t *testing.T) {
	root := newRoot(t, "web")
	for _, file := range []string{"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list"} {
		if _, err := os.Stat("/proc/" + file); err == nil {
			script := "cat /proc/" + file + " 2>/dev/null; echo b >/proc/" + file
			if r := run(t, root, "/bin/sh", "-c", script); r.status == 0 || r.stdout != "" {
				t.Errorf("/proc/%s: status %d, %.200q", file, r.status, r.stdout)
			}
		}
	}
	for _, directory := range []string{"sys", "acpi", "apm", "asound", "bus", "fs", "irq", "scsi"} {
		if _, err := os.Stat("/proc/" + directory); err == nil {
			if got := shell(t, root, "grep -c ' /proc/"+directory+" ro,' /proc/self/mountinfo"); got == "0" {
				t.Errorf("/proc/%s is not read-only", directory)
			}
		}
	}
	shell(t, root, "echo 1 >/proc/sys/net/ipv4/ip_forward") // the container's own network
	r := run(t, root, "/bin/sh", "-c", "echo x >/proc/sys/kernel/core_pattern")
	if r.status == 0 {
		t.Error("core_pattern of the host can be written")
	}
	if host, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err != nil || shell(t, root, "cat /proc/sys/kernel/random/boot_id") == strings.TrimSpace(string(host)) {
		t.Errorf("the host's boot ID shows: %v", err)
	}
}

func TestPrivileges(t *testing.T) {
	root := newRoot(t, "web")
	const netAdmin, timeAdmin, ptrace, bindService = 1 << 12, 1 << 25, 1 << 19, 1 << 10
	for name, test := range map[string]struct {
		options         []string
		has, hasNot     uint64
		noNewPrivileges string
	}{
		"default":         {nil, netAdmin | ptrace | bindService, timeAdmin, "0"},
		"host network":    {[]string{hostNetwork}, ptrace, netAdmin | bindService, "0"},
		"added":           {[]string{"--capability=CAP_SYS_TIME"}, timeAdmin, 0, "0"},
		"dropped":         {[]string{"--drop-capability=CAP_SYS_PTRACE"}, netAdmin, ptrace, "0"},
		"no new":          {[]string{"--no-new-privileges=yes"}, netAdmin, timeAdmin, "1"},
		"without users":   {[]string{"--private-users=no"}, netAdmin | ptrace | bindService, timeAdmin, "0"},
		"drop everything": {[]string{"--drop-capability=all"}, 0, 1<<38 - 1, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := nspawn(root, append(test.options, "/bin/cat", "/proc/self/status")...)
			cmd.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: []uintptr{12, 25}} // of a careless service manager
			status := fields(finish(t, cmd).stdout)
			for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
				value, err := strconv.ParseUint(status[set], 16, 64)
				if err != nil || value&test.has != test.has || value&test.hasNot != 0 {
					t.Errorf("%s %x: want %x, not %x", set, value, test.has, test.hasNot)
				}
			}
			// CVE-2022-29162: a program could gain inheritable capabilities by file capabilities.
			if status["CapInh"] != "0000000000000000" || status["CapAmb"] != "0000000000000000" {
				t.Errorf("CapInh %s, CapAmb %s", status["CapInh"], status["CapAmb"])
			}
			if status["Seccomp"] != "2" || status["NoNewPrivs"] != test.noNewPrivileges {
				t.Errorf("Seccomp %s, NoNewPrivs %s", status["Seccomp"], status["NoNewPrivs"])
			}
		})
	}
}

const capabilitySets = `grep -E '^Cap' /proc/self/status`

// --ambient-capability= for root and for a user, as systemd-nspawn gives them; but root inherits no others (CVE-2022-29162).
func TestAmbientCapabilities(t *testing.T) {
	root := newUsersRoot(t)
	for _, test := range []string{
		"--ambient-capability=CAP_CHOWN", "--ambient-capability=cap_chown,5 -u bob", "--ambient-capability=CAP_CHOWN --ambient-capability=CAP_KILL -u bob",
		"--ambient-capability=CAP_SYS_TIME --capability=CAP_SYS_TIME -u bob", "--ambient-capability= -u bob",
	} {
		options := append(strings.Fields(test), "/bin/sh", "-c", capabilitySets)
		want := finish(t, oracle(t, root, options...))
		if want.status != 0 {
			t.Fatalf("systemd-nspawn: %s", want.stderr)
		}
		names := []string{"CapInh", "CapAmb"} // the others are the whole bounding set of root, which is another in a user namespace
		if strings.Contains(test, "bob") {
			names = append(names, "CapPrm", "CapEff")
		}
		for _, users := range []string{"no", "pick"} {
			got := run(t, root, append([]string{hostNetwork, "--private-users=" + users}, options...)...)
			for _, name := range names {
				text := fields(want.stdout)[name]
				if name == "CapInh" {
					text = fields(want.stdout)["CapAmb"]
				}
				if got.status != 0 || fields(got.stdout)[name] != text {
					t.Errorf("%s, users %s: status %d: %s%s\nsystemd-nspawn: %s", test, users, got.status, got.stdout, got.stderr, want.stdout)
				}
			}
		}
	}
	must(t, os.RemoveAll("/run/cgroup"))
	must(t, os.RemoveAll("/run/systemd/nspawn"))
	for options, text := range map[string]string{
		"--ambient-capability=CAP_SYS_TIME":                              "--ambient-capability: the container does not keep CAP_SYS_TIME",
		"--ambient-capability=CAP_CHOWN --drop-capability=CAP_CHOWN":     "--ambient-capability: the container does not keep CAP_CHOWN",
		"--ambient-capability=all":                                       "--ambient-capability: error: AmbientCapability=: all may not be given",
		"--boot --ambient-capability=CAP_CHOWN":                          "--ambient-capability: error: AmbientCapability= has no meaning with Boot=yes",
		"--ambient-capability=CAP_CHOWN --ambient-capability=CAP_SYSLOG": "--ambient-capability: the container does not keep CAP_SYSLOG",
	} {
		refused(t, run(t, root, append(strings.Fields(options), "/bin/echo", "payload runs")...), text)
	}
	const file = "/run/systemd/nspawn/web.nspawn"
	writeFile(t, file, "[Exec]\n\nAmbientCapability=CAP_SYS_TIME\n")
	refused(t, run(t, root, "/bin/echo", "payload runs"), file+":3: the container does not keep CAP_SYS_TIME")
	must(t, os.Remove(file))
	writeFile(t, filepath.Dir(root)+"/web.nspawn", "[Exec]\nAmbientCapability=CAP_CHOWN\n")
	if got := shell(t, root, "grep CapAmb /proc/self/status"); !strings.HasSuffix(got, "\t0000000000000000") {
		t.Errorf("an untrusted file: %s", got)
	}
	clean(t, root)
}

func fields(status string) map[string]string {
	result := make(map[string]string)
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		result[name] = strings.TrimSpace(value)
	}
	return result
}

func TestSystemCallFilter(t *testing.T) {
	root := newRoot(t, "web")
	for name, test := range map[string]struct {
		command []string
		want    syscall.Errno
	}{
		"unknown":      {[]string{"syscall", "100000"}, syscall.ENOSYS},
		"not allowed":  {[]string{"syscall", fmt.Sprint(syscall.SYS_SWAPON)}, syscall.EPERM},
		"module":       {[]string{"syscall", fmt.Sprint(syscall.SYS_DELETE_MODULE)}, syscall.EPERM},
		"allowed":      {[]string{"syscall", fmt.Sprint(syscall.SYS_CLOSE)}, syscall.EBADF},
		"audit socket": {[]string{"audit"}, syscall.EAFNOSUPPORT},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, root, append([]string{"/bin/payload"}, test.command...)...)
			if strings.TrimSpace(r.stdout) != fmt.Sprint(int(test.want)) {
				t.Errorf("got %s, want %d (%v); %s", r.stdout, test.want, test.want, r.stderr)
			}
		})
	}
}

// The root directory is owned by root on disk and inside, whatever range the container runs in, and nothing is chowned.
func TestIdentityMappedRoot(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, filepath.Join(root, "etc/ours"), "")
	must(t, os.Chown(filepath.Join(root, "etc/ours"), 1000, 1001))
	before := digest(t, root)
	for name, options := range map[string][]string{
		"pick": nil, "fixed": {"--private-users=1310720", "--private-users-ownership=map"}, "no": {"--private-users=no"}, "identity": {"--private-users=identity"},
	} {
		options = append(options, "--timezone=off", "--link-journal=no") // they make places to mount on
		t.Run(name, func(t *testing.T) {
			if got := shell(t, root, `stat -c %u:%g / /etc/ours; id -u`, options...); got != "0:0\n1000:1001\n0" {
				t.Errorf("owners inside: %q", got)
			}
			shell(t, root, "touch /root/new; chown 5:6 /root/new", options...)
			info, err := os.Stat(filepath.Join(root, "root/new"))
			must(t, err)
			if got := owner(info.Sys().(*syscall.Stat_t)); got != "5:6" {
				t.Errorf("a file made by 5:6 inside is %s on disk", got)
			}
			must(t, os.Remove(filepath.Join(root, "root/new")))
			if after := digest(t, root); after != before {
				t.Errorf("the tree changed:\n%s\n%s", before, after)
			}
		})
	}
}

// A tree that an older --private-users-ownership=chown shifted keeps its range.
func TestShiftedRoot(t *testing.T) {
	root := newRoot(t, "web")
	must(t, filepath.Walk(root, func(path string, _ os.FileInfo, err error) error {
		must(t, err)
		return os.Lchown(path, 0x100000, 0x100000)
	}))
	if got := shell(t, root, `stat -c %u:%g /; cat /proc/self/uid_map`); strings.Join(strings.Fields(got), " ") != "0:0 0 1048576 65536" {
		t.Errorf("got %q", got)
	}
	must(t, os.Lchown(root, 0x100000, 0))
	refused(t, run(t, root, "/bin/echo", "payload runs"), "--private-users", "differ")
}

func TestReadOnlyRoot(t *testing.T) {
	root := newRoot(t, "web")
	before := digest(t, root)
	r := run(t, root, "--read-only", "/bin/sh", "-c", "touch /tmp/a /run/a /dev/shm/a || exit 5; touch /root/a")
	if r.status != 1 || !strings.Contains(r.stderr, "Read-only file system") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if after := digest(t, root); after != before {
		t.Errorf("the tree changed:\n%s\n%s", before, after)
	}
}

func TestHostFiles(t *testing.T) {
	root := newRoot(t, "web")
	got := shell(t, root, `cat /run/host/container-manager; test "$(cat /run/host/container-uuid)" = "$container_uuid" || echo differs
		hostname; touch /run/host/x 2>&1; ls -A /run/host`, "--hostname=other")
	const want = "systemd-nspawn\nother\ntouch: /run/host/x: Read-only file system\n" +
		"container-manager\ncontainer-uuid\ninaccessible\nincoming\nnotify\nos-release\nunix-export"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
