package container

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nspawnkit/container/capability"
	"nspawnkit/machined"
	"nspawnkit/settings"
)

const hostID = "0123456789abcdef0123456789abcdef"

// testHost is a host that can do everything, with an ordinary tree.
func testHost() Host {
	return Host{
		MachineID: hostID, OSRelease: map[string]string{"ID": "debian", "VERSION_ID": "13"}, LastCapability: capability.LastKnown,
		Architecture: "amd64", HasNetworkd: true, Timezone: "Europe/Berlin", ResolvConf: []byte("nameserver 192.0.2.1\n"),
		Root: Root{HasOSRelease: true, HasUsr: true, HasZone: true},
	}
}

// decide plans a container from its command line.
func decide(t *testing.T, host Host, arguments ...string) (*Plan, error) {
	t.Helper()
	cmd, err := settings.ParseCommandLine(append([]string{"-D", "/var/lib/machines/web"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	s, problems := settings.Combine(cmd, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return Decide(s, Options{Register: cmd.Register, Console: cmd.Console}, host)
}

func TestHashedRange(t *testing.T) {
	// As systemd-nspawn 252 and 257 pick them.
	for machine, want := range map[string]uint32{"bb": 406061056, "web": 1587085312} {
		if got := HashedRange(machine); got != want {
			t.Errorf("HashedRange(%s) = %d, want %d", machine, got, want)
		}
	}
	for step := range uint64(1000) {
		if r := NextRange("web", step); r < FirstPick || r > LastPick || r%UserRange != 0 {
			t.Fatalf("NextRange(%d) = %d", step, r)
		}
	}
}

func TestUsers(t *testing.T) {
	const shifted = 0x12340000
	for _, test := range []struct {
		name      string
		arguments []string
		owner     uint32
		want      Users
		problem   string
	}{
		{name: "none", want: Users{}},
		{name: "pick", arguments: []string{"-U"}, want: Users{true, 1587085312, UserRange, true, true}},
		{name: "pick, chowned tree", arguments: []string{"-U"}, owner: shifted, want: Users{true, shifted, UserRange, false, false}},
		{name: "yes", arguments: []string{"--private-users=yes"}, owner: shifted, want: Users{true, shifted, UserRange, false, false}},
		{name: "identity", arguments: []string{"--private-users=identity"}, want: Users{true, 0, UserRange, false, false}},
		{name: "fixed, mapped", arguments: []string{"--private-users=1048576", "--private-users-ownership=map"},
			want: Users{true, 1048576, UserRange, true, false}},
		{name: "fixed, owned by others", arguments: []string{"--private-users=1048576", "--private-users-ownership=auto"}, owner: shifted,
			problem: "neither 0 nor the container's 1048576"},
	} {
		host := testHost()
		host.Root.OwnerUID, host.Root.OwnerGID = test.owner, test.owner
		plan, err := decide(t, host, test.arguments...)
		switch {
		case test.problem != "":
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: %v, want %q", test.name, err, test.problem)
			}
		case err != nil:
			t.Errorf("%s: %v", test.name, err)
		case plan.Users != test.want:
			t.Errorf("%s: %+v, want %+v", test.name, plan.Users, test.want)
		}
	}
	host := testHost()
	host.Root.OwnerUID = shifted
	if _, err := decide(t, host, "-U"); err == nil {
		t.Error("owner and group of different ranges: no error")
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		change    func(*Host)
		arguments []string
		problem   string
	}{
		{func(h *Host) { h.Root.HasOSRelease = false }, []string{"-b"}, "os-release file is missing"},
		{func(h *Host) { h.Root.HasUsr = false }, nil, "/usr/ directory is missing"},
		{nil, []string{"--console=interactive"}, "needs a terminal"},
		{nil, []string{"--resolv-conf=bind-static"}, "not supported yet"},
		{nil, []string{"--bind=/tmp:/proc"}, "the container's /proc is there"},
		{nil, []string{"--tmpfs=/run/host/x"}, "the container's /run/host is there"},
		{func(h *Host) { h.MachineID = "" }, []string{"-n"}, "systemd-machine-id-setup"},
		{func(h *Host) { h.Architecture = "mips" }, nil, "no table of system calls"},
		{func(h *Host) { h.Root.MachineID = hostID }, []string{"--link-journal=guest"}, "machine ids are equal"},
	} {
		host := testHost()
		if test.change != nil {
			test.change(&host)
		}
		if _, err := decide(t, host, test.arguments...); err == nil || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%q: %v, want %q", test.arguments, err, test.problem)
		}
	}
}

func TestPayload(t *testing.T) {
	plan, err := decide(t, testHost(), "-b", "--setenv=A=1", "systemd.unit=x", "LANG-UAGE=de")
	if err != nil {
		t.Fatal(err)
	}
	plan.Identify("00112233445566778899aabbccddeeff")
	if want := []string{"/usr/lib/systemd/systemd", "systemd.unit=x"}; !slices.Equal(plan.Inside.Arguments, want) {
		t.Errorf("arguments %q, want %q", plan.Inside.Arguments, want)
	}
	if plan.Settings.Exec.KillSignal != 37 {
		t.Errorf("kill signal %d", plan.Settings.Exec.KillSignal)
	}
	want := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=systemd-nspawn", "HOME=/root",
		"USER=root", "LOGNAME=root", "NOTIFY_SOCKET=/run/host/notify", "container_host_id=debian",
		"container_host_version_id=13", "LANG_UAGE=de", "A=1", "container_uuid=00112233-4455-6677-8899-aabbccddeeff",
	}
	if !slices.Equal(plan.Inside.Environment, want) {
		t.Errorf("environment\n got %q\nwant %q", plan.Inside.Environment, want)
	}
	plan, err = decide(t, testHost(), "ls", "-l")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(plan.Inside.Candidates, "/usr/bin/ls") || plan.Inside.Arguments[0] != "ls" || !plan.Inside.Controlling {
		t.Errorf("command: %+v", plan.Inside)
	}
}

func TestLinks(t *testing.T) {
	plan, err := decide(t, testHost(), "--network-zone=app", "--network-veth-extra=ve-a:eth1")
	if err != nil {
		t.Fatal(err)
	}
	links := plan.Machine.Links
	if len(links) != 2 || links[0].Host != "vb-web" || links[0].Bridge != "vz-app" || links[1].Host != "ve-a" || links[1].Container != "eth1" {
		t.Errorf("links %+v", links)
	}
	if !plan.Inside.PrivateNetwork || !plan.Inside.Capabilities.Has(capability.NET_ADMIN) {
		t.Error("no network of its own")
	}
	host := testHost()
	host.HasNetworkd = false
	if plan, _ := decide(t, host, "-n"); len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "systemctl start networkd-lite") {
		t.Errorf("warnings %q", plan.Warnings)
	}
}

// TestStepsAreNamed also keeps the barriers of the three lists in step.
func TestStepsAreNamed(t *testing.T) {
	plan, err := decide(t, testHost(), "-b", "-U", "-n")
	if err != nil {
		t.Fatal(err)
	}
	supervisor, outer, inner := plan.Steps()
	for _, list := range [][]string{supervisor, outer, inner} {
		sorted := slices.Clone(list)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(list) {
			t.Errorf("a name twice in %q", list)
		}
	}
	index := func(list []string, name string) int { return slices.Index(list, name) }
	if supervisor[len(supervisor)-1] != "start first process" || inner[len(inner)-1] != "execute payload" {
		t.Errorf("lists end in %q and %q", supervisor[len(supervisor)-1], inner[len(inner)-1])
	}
	if index(inner, "pivot root") < index(inner, "receive mounts") || index(inner, "filter system calls") < index(inner, "limit capabilities") {
		t.Errorf("order of %q", inner)
	}
	if plain, _ := decide(t, testHost(), "true"); slices.Contains(first3(plain.Steps()), "bring up loopback") {
		t.Error("loopback of the host is brought up")
	}
}

func first3(_, _, inner []string) []string { return inner }

func TestHotkeys(t *testing.T) {
	start := time.Unix(0, 0)
	for typed, want := range map[string]hotkey{"\x1d\x1d\x1d": hotkeyKill, "a\x1d\x1dr": hotkeyReboot, "\x1d\x1dp": hotkeyPowerOff} {
		var e escapeDetector
		if got, found := e.feed([]byte(typed), start); !found || got != want {
			t.Errorf("%q: %v, %v", typed, got, found)
		}
	}
	var e escapeDetector
	e.feed([]byte("\x1d\x1d"), start)
	if _, found := e.feed([]byte("\x1d"), start.Add(2*time.Second)); found {
		t.Error("^] three times in two seconds is a hotkey")
	}
}

func TestClassify(t *testing.T) {
	s := NewSupervisor(&Plan{}, machined.Notifier{}, func(int, string) {})
	for _, test := range []struct {
		status syscall.WaitStatus
		want   End
		fails  bool
	}{
		{0, End{}, false},
		{7 << 8, End{Status: 7}, false},
		{RebootStatus << 8, End{Status: 1}, true},
		{syscall.WaitStatus(syscall.SIGINT), End{}, false},
		{syscall.WaitStatus(syscall.SIGHUP), End{Reboot: true, Status: RebootStatus}, false},
		{syscall.WaitStatus(syscall.SIGKILL), End{Status: 1}, true},
	} {
		if got, err := s.classify(waited{status: test.status}); got != test.want || (err != nil) != test.fails {
			t.Errorf("status %#x: %+v, %v", test.status, got, err)
		}
	}
}

func TestParseMachineID(t *testing.T) {
	for text, want := range map[string]string{
		hostID + "\n": hostID, "": "", "uninitialized\n": "", strings.Repeat("0", 32): "", hostID + "x": "",
		"01234567-89AB-cdef-0123-456789abcdef": hostID,
	} {
		if got := parseMachineID([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if id := RandomID(); parseMachineID([]byte(id)) != id || id == RandomID() {
		t.Errorf("random ID %q", id)
	}
}
