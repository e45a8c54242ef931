package units

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/settings"
)

var update = flag.Bool("update", false, "write the golden files anew")

const template = "/usr/lib/systemd/system/systemd-nspawn@.service"

// container returns a container whose sections are written as in its file, one KEY=VALUE a line.
func container(name, unit, service, install string) Container {
	file := "/etc/systemd/nspawn/" + name + ".nspawn"
	line := 0
	assignments := func(text string) (list []settings.Assignment) {
		for l := range strings.Lines(text) {
			line++
			key, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
			list = append(list, settings.Assignment{Key: key, Value: value, Origin: settings.Origin{File: file, Line: line}})
		}
		return list
	}
	return Container{Name: name, Source: file, Settings: &settings.Settings{
		Unit: assignments(unit), Service: assignments(service), Install: assignments(install),
	}}
}

func host() Host {
	device := &fstest.MapFile{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o660}
	root := fstest.MapFS{
		"dev/kvm":             device,
		"dev/bus/usb/001/001": device,
		"dev/cpu/0/msr":       device,
		"dev/dri/card0":       device,
		"srv/www/index.html":  {},
		"srv/node":            device,
		"etc/machine-id":      {Data: []byte("0123456789abcdef0123456789abcdef\n")},
	}
	return Host{Root: root, Template: template, Specifier: SpecifierOf(root)}
}

// text returns all that Generate gives, for people and golden files.
func text(out Output, problems []settings.Problem) string {
	var b strings.Builder
	for _, f := range out.Files {
		b.WriteString("==> " + f.Path + "\n" + f.Text)
	}
	for _, l := range out.Links {
		b.WriteString("==> " + l.Path + " -> " + l.Target + "\n")
	}
	for _, p := range problems {
		b.WriteString("==> " + p.String() + "\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; see the difference after go test -update\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestGenerate(t *testing.T) {
	binds := container("binds", "", "", "")
	for _, source := range []string{"/srv/www", "/srv/a b", "/srv/50%", `/srv/back\slash`, "/srv/node", "/srv/new\nline", "+/inside",
		"/dev/kvm", "/dev/dri", "/dev/snd", "/dev/input", "/dev/bus/usb", "/dev/vfio", "/dev/cpu", "/dev/not-there-yet", "/dev/shm", "/dev/net", "/dev/net/tun", "/dev/dri/../kvm"} {
		binds.Settings.Files.Binds = append(binds.Settings.Files.Binds,
			settings.Bind{Source: source, Destination: "/x", Origin: settings.Origin{File: binds.Source, Line: 3}})
	}
	binds.Settings.Files.Binds = append(binds.Settings.Files.Binds, settings.Bind{Source: "/dev/sdz", ReadOnly: true})
	links := container("links", "", "", "")
	links.Settings.Network = settings.Network{
		Bridge:     "br-lan.7",
		Interfaces: []settings.InterfacePair{{Host: "eth1", Container: "lan"}},
		MACVLAN:    []settings.InterfacePair{{Host: "eth0", Container: "mv-eth0"}, {Host: "eth0", Container: "second"}},
		IPVLAN:     []settings.InterfacePair{{Host: "wl~0", Container: "iv"}},
	}
	overlays := container("overlays", "", "", "")
	overlays.Settings.Files.Overlays = []settings.Overlay{
		{Lower: []string{"/srv/base", "+/etc", "/srv/site"}, Upper: "/var/lib/upper", Destination: "/etc"},
		{Lower: []string{"/srv/base"}, Destination: "/usr", ReadOnly: true},
		{Origin: settings.Origin{File: overlays.Source, Line: 9}, Lower: []string{"/srv/\r"}, Destination: "/opt"},
	}
	directory := container("directory", "", "", "")
	directory.Settings.Directory = "/srv/containers/directory"
	for _, c := range []Container{
		container("empty", "", "", ""),
		container("limits", "Description=Web of %H\n", "MemoryMax=256M\nCPUQuota=150%\nExecStartPre=/bin/sh -c \"echo %i; echo 100%%\"\n", "WantedBy=machines.target\n"),
		container("web-1", "Requires=db.nspawn nginx.service\nAfter=db.nspawn a-b.nspawn\nBefore=../x.nspawn\n", "",
			"WantedBy=machines.target multi-user.target\nWantedBy=machines.target\nRequiredBy=db.nspawn\nUpheldBy=up-%i.target %m.target\nAlias=shop@web-1.service\n"),
		container("refused", "SourcePath=/etc/shadow\nDescription=%h\n[Install]=\nAfter\x00=x\n",
			"Environment=A=1\\\nEnvironment=A=\rExecStart=/bin/sh\nKey With Space=1\n",
			"Alias=web.service\nAlias=systemd-nspawn@refused.service\nWantedBy=../../etc/x.target\nWantedBy=a@.target\nWantedBy=ok.target %v.target\nBogus=1\n"),
		container("../evil", "", "MemoryMax=1\n", "WantedBy=machines.target\n"),
		binds, links, overlays, directory,
	} {
		t.Run(strings.ReplaceAll(c.Name, "/", "_"), func(t *testing.T) {
			golden(t, strings.ReplaceAll(c.Name, "/", "_"), text(Generate(c, host())))
		})
	}
}

// TestDependencies writes the name of a machine in every key of systemd.unit(5) that takes units.
func TestDependencies(t *testing.T) {
	keys := "Wants Requires Requisite BindsTo PartOf Upholds Conflicts Before After OnFailure OnSuccess PropagatesReloadTo " +
		"ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf"
	for key := range strings.FieldsSeq(keys) {
		c := container("web", key+"=db.nspawn nginx.service my.db.nspawn\n"+key+"=a..b.nspawn\n", "", "")
		out, problems := Generate(c, host())
		want := "\n" + key + "=systemd-nspawn@db.service nginx.service systemd-nspawn@my.db.service\n"
		if !strings.Contains(out.Files[0].Text, want) || strings.Count(out.Files[0].Text, key+"=") != 1 {
			t.Errorf("%s: %s", key, out.Files[0].Text)
		}
		if len(problems) != 1 || problems[0].Origin.Line != 2 || problems[0].Severity != settings.Error {
			t.Errorf("%s: problems %v", key, problems)
		}
	}
	// Elsewhere the word is nobody's name.
	out, _ := Generate(container("web", "Description=see db.nspawn\n", "Environment=FILE=db.nspawn\n", ""), host())
	if strings.Contains(out.Files[0].Text, "@db") {
		t.Error(out.Files[0].Text)
	}
}

// TestLines checks that every line of the unit knows the line that asks for it.
func TestLines(t *testing.T) {
	c := container("web", "After=db.nspawn\n", "MemoryMax=1G\n", "WantedBy=machines.target db.nspawn\nAlias=shop@web.service\n")
	c.Settings.Files.Binds = []settings.Bind{{Source: "/dev/kvm", Origin: settings.Origin{File: c.Source, Line: 9}}}
	var got strings.Builder
	for _, line := range Lines(c, host()) {
		fmt.Fprintf(&got, "%d [%s] %s=%s\n", line.Origin.Line, line.Section, line.Key, line.Value)
	}
	want := `0 [Unit] SourcePath=/etc/systemd/nspawn/web.nspawn
1 [Unit] After=systemd-nspawn@db.service
9 [Service] DeviceAllow=/dev/kvm rw
2 [Service] MemoryMax=1G
3 [Install] WantedBy=machines.target
3 [Install] WantedBy=systemd-nspawn@db.service
4 [Install] Alias=shop@web.service
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestDeviceUnit(t *testing.T) {
	// As systemd-escape --path --suffix=device writes them.
	for path, want := range map[string]string{
		"/sys/subsystem/net/devices/br0":    "sys-subsystem-net-devices-br0.device",
		"/sys/subsystem/net/devices/br-lan": `sys-subsystem-net-devices-br\x2dlan.device`,
		"/sys/subsystem/net/devices/.x.y~":  `sys-subsystem-net-devices-.x.y\x7e.device`,
		"//dev//sda1/":                      "dev-sda1.device",
		"/.x":                               `\x2ex.device`,
		"/dev/ü":                            `dev-\xc3\xbc.device`,
	} {
		if got := DeviceUnit(path); got != want {
			t.Errorf("DeviceUnit(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestFindTemplateAndLate(t *testing.T) {
	const kit = "/usr/lib/nspawnkit"
	ours := []Link{
		{"systemd-nspawn@.service", kit + "/systemd-nspawn@.service"},
		{"machines.target", kit + "/machines.target"},
		{"multi-user.target.wants/machines.target", kit + "/machines.target"},
	}
	for _, test := range []struct {
		name, template string
		files          []string
		late           []Link
	}{
		{"nothing", kit + "/systemd-nspawn@.service", nil, ours},
		{"trixie", template, []string{"usr/lib/systemd/system/systemd-nspawn@.service", "usr/lib/systemd/system/machines.target"}, nil},
		{"bookworm, not merged", "/lib/systemd/system/systemd-nspawn@.service",
			[]string{"lib/systemd/system/systemd-nspawn@.service", "lib/systemd/system/machines.target"}, nil},
		{"admin's template", "/etc/systemd/system/systemd-nspawn@.service",
			[]string{"etc/systemd/system/systemd-nspawn@.service", template[1:]}, ours[1:]},
		{"target only", kit + "/systemd-nspawn@.service", []string{"lib/systemd/system/machines.target"}, ours[:1]},
	} {
		root := fstest.MapFS{}
		for _, file := range test.files {
			root[file] = &fstest.MapFile{}
		}
		if got := FindTemplate(root, kit); got != test.template {
			t.Errorf("%s: template %s, want %s", test.name, got, test.template)
		}
		if got := Late(root, kit); !slices.Equal(got.Links, test.late) {
			t.Errorf("%s: late links %v, want %v", test.name, got.Links, test.late)
		}
	}
}
