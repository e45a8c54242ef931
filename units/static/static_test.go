package static

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
	"nspawnkit/units"
)

const (
	dropIn   = "systemd-nspawn@.service.d/00-nspawn-exec.conf"
	template = "systemd-nspawn@.service"
	target   = "machines.target"
	daemon   = "networkd-lite.service"
)

// render returns a file as meson's configure_file installs it.
func render(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		data, err = os.ReadFile(name + ".in")
	}
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "@bindir@", "/usr/bin")
	if strings.Contains(text, "dir@") {
		t.Errorf("%s has a placeholder that is not filled in:\n%s", name, text)
	}
	return text
}

// values returns what each "Section.Key" is assigned, in order.
func values(t *testing.T, name string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	section := ""
	for line := range strings.Lines(render(t, name)) {
		line = strings.TrimSuffix(line, "\n")
		switch key, value, assigned := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case assigned:
			found[section+"."+key] = append(found[section+"."+key], value)
		default:
			t.Errorf("%s: %q is no line of a unit", name, line)
		}
	}
	return found
}

// TestDropInCoversTemplates checks that whatever the templates of systemd 252, 257 and 262 say in [Service], our value
// counts. A key that systemd 252 does not know cannot be set without a warning at every boot; nspawn-exec copes with both
// of its values.
func TestDropInCoversTemplates(t *testing.T) {
	got := values(t, dropIn)
	unknownTo252 := []string{"DelegateSubgroup", "CoredumpReceive"}
	for _, key := range []string{"ExecStart", "ExecStopPost", "KillMode", "Type", "RestartForceExitStatus", "SuccessExitStatus", "Slice",
		"Delegate", "DelegateSubgroup", "CoredumpReceive", "TasksMax", "TimeoutSec", "WatchdogSec", "DevicePolicy", "DeviceAllow"} {
		if has := got["Service."+key] != nil; has == slices.Contains(unknownTo252, key) {
			t.Errorf("%s= of the templates: set by the drop-in: %v", key, has)
		}
	}
	for _, list := range []string{"ExecStart", "ExecStopPost", "DeviceAllow"} {
		if v := got["Service."+list]; len(v) < 2 || v[0] != "" {
			t.Errorf("%s= adds to the template's: %q", list, v)
		}
	}
	for _, device := range []string{"/dev/net/tun rwm", "char-pts rw", "/dev/fuse rwm", "/dev/loop-control rw", "block-loop rw", "block-blkext rw",
		"/dev/mapper/control rw", "block-device-mapper rw"} {
		if !slices.Contains(got["Service.DeviceAllow"], device) {
			t.Errorf("DeviceAllow=%s of the template of 262 is missing", device)
		}
	}
	for _, key := range []string{"Unit.Wants", "Unit.After"} {
		if !slices.Contains(got[key], daemon) {
			t.Errorf("%s lacks %s: %q", key, daemon, got[key])
		}
	}
}

// TestCommandLine checks that the generator reckons with the command line that the units have.
func TestCommandLine(t *testing.T) {
	want := "/usr/bin/nspawn-exec " + strings.Join(units.Arguments(), " ") + " --machine=%i"
	if got := values(t, dropIn)["Service.ExecStart"]; got[len(got)-1] != want {
		t.Errorf("drop-in: %q, want %q", got, want)
	}
	if got := values(t, template)["Service.ExecStart"]; len(got) != 1 || got[0] != want {
		t.Errorf("template: %q, want %q", got, want)
	}
}

// TestHeaders checks that every file says whose it is and where it comes from.
func TestHeaders(t *testing.T) {
	files, err := filepath.Glob("network/*.network")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, name := range append(files, dropIn, template, target, daemon, "nspawnkit.conf", "90-nspawnkit.preset", "networkmanager/nspawnkit.conf") {
		header, _, _ := strings.Cut(render(t, name), "\n")
		if !strings.HasPrefix(header, "# Installed by nspawnkit from units/static/"+name) {
			t.Errorf("%s begins with %q", name, header)
		}
	}
}

func TestTemplateAndTarget(t *testing.T) {
	unit := values(t, template)
	for key, want := range map[string]string{
		"Unit.PartOf": target, "Unit.Before": target, "Install.WantedBy": target, "Unit.RequiresMountsFor": "/var/lib/machines/%i",
	} {
		if !slices.Contains(unit[key], want) {
			t.Errorf("%s: %s=%q lacks %s", template, key, unit[key], want)
		}
	}
	if got := values(t, target); !slices.Contains(got["Install.WantedBy"], "multi-user.target") || !slices.Contains(got["Unit.Before"], "multi-user.target") {
		t.Errorf("%s: %v", target, got)
	}
}

// TestNetworkFiles checks what our files share with systemd's own of 262, and PersistLeases= and Address=::/64, which are ours. Keys that
// networkd-lite does not act on stay out.
func TestNetworkFiles(t *testing.T) {
	for name, want := range map[string][]string{
		"ve": {"Match.Kind=veth", "Match.Name=ve-*", "Network.Address=0.0.0.0/28 ::/64", "Network.DHCPServer=yes", "DHCPServer.PersistLeases=yes"},
		"vz": {"Match.Kind=bridge", "Match.Name=vz-*", "Network.Address=0.0.0.0/24 ::/64", "Network.DHCPServer=yes", "DHCPServer.PersistLeases=yes"},
		"vb": {"Match.Kind=veth", "Match.Name=vb-*", "Network.KeepMaster=yes", "Network.LinkLocalAddressing=no"},
	} {
		got := values(t, "network/80-container-"+name+".network")
		if name != "vb" {
			want = append(want, "Network.IPMasquerade=both", "Network.IPv6AcceptRA=no", "Network.IPv6SendRA=yes")
		}
		for _, line := range want {
			key, value, _ := strings.Cut(line, "=")
			if !slices.Equal(got[key], strings.Fields(value)) {
				t.Errorf("%s: %s=%q, want %q", name, key, got[key], value)
			}
		}
	}
}

// TestNoHiddenCaps checks that a container is not limited further than by the templates of systemd 252 to 262: they have
// TasksMax=16384 and a closed list of devices, and so have we.
func TestNoHiddenCaps(t *testing.T) {
	ours := map[string]string{"TasksMax": "16384", "DevicePolicy": "closed"}
	for _, name := range []string{dropIn, template} {
		for key, value := range values(t, name) {
			section, key, _ := strings.Cut(key, ".")
			limits := settings.IsResource(key) || strings.HasPrefix(key, "Limit") || key == "OOMScoreAdjust" || key == "Nice" ||
				strings.HasPrefix(key, "Restrict") || strings.HasPrefix(key, "Protect") || strings.HasPrefix(key, "SystemCall") || key == "RuntimeMaxSec"
			if section == "Service" && limits && key != "DeviceAllow" && !slices.Equal(value, []string{ours[key]}) {
				t.Errorf("%s: %s=%s", name, key, value)
			}
		}
	}
	web, _ := everything(t)
	web.Settings.Service = nil
	for _, line := range units.Lines(web, units.Host{}) {
		if line.Section == "Service" && line.Key != "DeviceAllow" {
			t.Errorf("derived: %s=%s", line.Key, line.Value)
		}
	}
}

// everything returns the container of testdata/everything.nspawn and its drop-in.
func everything(t *testing.T) (units.Container, string) {
	t.Helper()
	name := "testdata/everything.nspawn"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := settings.ParseCommandLine(append(units.Arguments(), "--machine=everything"))
	if err != nil {
		t.Fatal(err)
	}
	file, problems := settings.Parse(name, "everything", data)
	combined, more := settings.Combine(cmd, file)
	// What nspawn-exec does not honour yet is left out of the settings, but not of this test.
	pair := func(name string) []settings.InterfacePair {
		return []settings.InterfacePair{{Host: name, Container: name}}
	}
	combined.Network.Interfaces, combined.Network.MACVLAN, combined.Network.IPVLAN = pair("eth7"), pair("eth-8"), pair("eth~9")
	combined.Files.Overlays = []settings.Overlay{{Lower: []string{"/srv/base", "+/etc"}, Upper: "/srv/upper", Destination: "/etc"}}
	c := units.Container{Name: "everything", Source: "/etc/systemd/nspawn/everything.nspawn", Settings: &combined}
	out, wrong := units.Generate(c, units.Host{Template: "/usr/lib/systemd/system/" + template, Specifier: func(byte) (string, bool) { return "x", true }})
	for _, p := range slices.Concat(problems, more, wrong) {
		if p.Severity == settings.Error && !strings.Contains(p.Text, "not supported yet") {
			t.Error(p)
		}
	}
	for _, line := range []string{
		`RequiresMountsFor="/srv/a b"`, "RequiresMountsFor=/srv/50%%", "RequiresMountsFor=/srv/upper", `After=sys-subsystem-net-devices-eth\x7e9.device`,
		"DeviceAllow=char-drm rw", "After=systemd-nspawn@other.service network-online.target", "MemoryMax=50%", "TimeoutStopSec=30",
	} {
		if !strings.Contains(out.Files[0].Text, "\n"+line+"\n") {
			t.Errorf("%s is missing:\n%s", line, out.Files[0].Text)
		}
	}
	return c, out.Files[0].Text
}

// TestVerify asks the systemd of the machine (252 to 262) what it thinks of the files, below a root of their own.
func TestVerify(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1 and systemd-analyze")
	}
	root := t.TempDir()
	folder := filepath.Join(root, "usr/lib/systemd/system")
	write := func(name, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{dropIn, template, target, daemon} {
		write(filepath.Join(folder, name), render(t, name), 0o644)
	}
	for _, program := range []string{"nspawn-exec", "networkd-lite", "sh", "true"} {
		write(filepath.Join(root, "usr/bin", program), "", 0o755)
	}
	// What ours refer to, as a small system has it.
	for _, other := range []string{"sysinit.target", "basic.target", "shutdown.target", "network.target", "network-pre.target", "multi-user.target"} {
		write(filepath.Join(folder, other), "[Unit]\nDescription=x\nDefaultDependencies=no\n", 0o644)
	}
	_, text := everything(t)
	write(filepath.Join(folder, units.DropIn("everything")), text, 0o644)
	write(filepath.Join(folder, "modprobe@.service"), "[Unit]\nDescription=x\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/true\n", 0o644)
	verify := func() string {
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--root="+root, "systemd-nspawn@web.service", "systemd-nspawn@everything.service", daemon, target).CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	if out := verify(); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	// The check can fail.
	write(filepath.Join(folder, "systemd-nspawn@.service.d/99.conf"), "[Service]\nNoSuchKey=1\n", 0o644)
	if out := verify(); !strings.Contains(out, "NoSuchKey") {
		t.Errorf("systemd-analyze verify did not notice an unknown key: %s", out)
	}
}
