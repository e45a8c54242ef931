package generator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// diffHost is a host with one container, web, in the three states that diff compares.
type diffHost struct {
	t    *testing.T
	host Host
	root string
}

func newDiffHost(t *testing.T) *diffHost {
	host, root := newHost(t, nil)
	return &diffHost{t, host, root}
}

// write writes files; an empty text removes one.
func (h *diffHost) write(files map[string]string) {
	h.t.Helper()
	for name, text := range files {
		name = filepath.Join(h.root, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil && text == "" {
			err = os.Remove(name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(text), 0o644)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// reload does what systemd does at daemon-reload.
func (h *diffHost) reload() {
	h.t.Helper()
	folder := filepath.Join(h.root, units.GeneratorFolder)
	plan, _ := Make(h.host)
	if err := os.RemoveAll(folder); err != nil {
		h.t.Fatal(err)
	}
	for _, file := range plan.Normal.Files {
		h.write(map[string]string{filepath.Join(units.GeneratorFolder, file.Path): file.Text})
	}
	for _, link := range plan.Normal.Links {
		name := filepath.Join(folder, link.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(link.Target, name)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// start does what nspawn-exec does, by process 4711.
func (h *diffHost) start(arguments ...string) {
	h.t.Helper()
	arguments = append(arguments, "--machine=web")
	cmd, err := settings.ParseCommandLine(arguments)
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Directory = "/srv/images/web"
	file, _ := cmd.Load(h.host.Root)
	record := settings.NewRecord(arguments, cmd, file)
	record.Supervisor = 4711
	if cmd.KeepUnit {
		record.Unit = units.Recorded(units.Loaded(h.host.Root, "web"))
	}
	data, err := json.Marshal(record)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(map[string]string{"proc/4711/comm": "nspawn-exec\n", settings.RecordFile("web"): string(data)})
}

// text returns the differences, without the reasons.
func (h *diffHost) text() string {
	h.t.Helper()
	list, problems := Diff(h.host)
	if len(problems) > 0 {
		h.t.Errorf("problems: %v", problems)
	}
	value := func(v *string) string {
		if v == nil {
			return "-"
		}
		return *v
	}
	var b strings.Builder
	for _, d := range list {
		if want := h.exists("proc/4711"); d.Name == "web" && d.Running != want {
			h.t.Errorf("%s: running %v, want %v", d.Name, d.Running, want)
		}
		for _, e := range d.Edits {
			fmt.Fprintf(&b, "%s %s: %s: %s to %s: %s", d.Name, strings.TrimPrefix(e.Origin, "/etc/systemd/nspawn/"), e.Key, value(e.Old), value(e.New), e.Effect)
			if e.Reload && e.Effect == units.Restart {
				b.WriteString(" after reload")
			}
			b.WriteByte('\n')
		}
		for _, text := range d.Errors {
			b.WriteString("broken " + strings.TrimPrefix(text, "/etc/systemd/nspawn/") + "\n")
		}
		for _, command := range d.Commands {
			b.WriteString("$ " + command + "\n")
		}
	}
	return b.String()
}

func (h *diffHost) exists(name string) bool {
	_, err := os.Stat(filepath.Join(h.root, name))
	return err == nil
}

const (
	webFile = nspawn + "web.nspawn"
	before  = "[Exec]\nHostname=a\nEnvironment=A=1\n[Files]\nBind=/srv/a\n[Network]\nZone=app\n[Unit]\nAfter=db.nspawn\n" +
		"[Service]\nMemoryMax=256M\nRestart=no\nEnvironment=B=1\n[Install]\nWantedBy=machines.target\nRequiredBy=r.target\nUpheldBy=u.target\nAlias=shop@web.service\n"
)

// edit returns before with the old text replaced.
func edit(pairs ...string) map[string]string {
	return map[string]string{webFile: strings.NewReplacer(pairs...).Replace(before)}
}

func TestDiff(t *testing.T) {
	unit := units.Arguments()
	for _, test := range []struct {
		name    string
		running []string // arguments of nspawn-exec; nil: does not run
		edit    map[string]string
		reload  bool // after the edit
		want    string
	}{
		{"nothing", unit, edit(), false, ""},
		{"nothing, does not run", nil, edit(), false, ""},
		{"a comment", unit, edit("[Files]\n", "# why not\n\n[Files]\n"), false, ""},
		{"a limit", unit, edit("256M", "512M"), false,
			"web web.nspawn:11: Service.MemoryMax: 256M to 512M: live\n$ systemctl daemon-reload\n$ systemctl set-property systemd-nspawn@web Markers=\n"},
		{"a limit, loaded", unit, edit("256M", "512M"), true, ""},
		{"a limit is gone", unit, edit("MemoryMax=256M\n", ""), false,
			"web web.nspawn: Service.MemoryMax: 256M to -: live\n$ systemctl daemon-reload\n$ systemctl set-property systemd-nspawn@web Markers=\n"},
		{"a limit, does not run", nil, edit("256M", "512M"), false,
			"web web.nspawn:11: Service.MemoryMax: 256M to 512M: daemon-reload\n$ systemctl daemon-reload\n"},
		{"dependency, restart, install", unit, edit("=db.nspawn", "=db.nspawn x.service", "Restart=no", "Restart=always", "machines.target", "a.target machines.target"), false,
			"web web.nspawn:9: Unit.After: systemd-nspawn@db.service to systemd-nspawn@db.service x.service: daemon-reload\n" +
				"web web.nspawn:12: Service.Restart: no to always: daemon-reload\n" +
				"web web.nspawn:15: Install.WantedBy: - to a.target: daemon-reload\n$ systemctl daemon-reload\n"},
		{"environment of the unit", unit, edit("B=1", "B=2"), false,
			"web web.nspawn:13: Service.Environment: B=1 to B=2: restart after reload\n$ systemctl daemon-reload\n$ systemctl restart systemd-nspawn@web\n"},
		{"environment of the unit, loaded", unit, edit("B=1", "B=2"), true,
			"web web.nspawn:13: Service.Environment: B=1 to B=2: restart\n$ systemctl restart systemd-nspawn@web\n"},
		{"keys of the container", unit, edit("Hostname=a", "Hostname=b\nBoot=no", "A=1", "A=1\nEnvironment=C=3"), false,
			"web web.nspawn:2: Exec.Hostname: a to b: restart\n" +
				"web web.nspawn:3: Exec.Boot: yes to no: restart\n" +
				"web web.nspawn:5: Exec.Environment: - to C=3: restart\n$ systemctl restart systemd-nspawn@web\n"},
		{"keys of the container, does not run", nil, edit("Hostname=a", "Hostname=b"), false, ""},
		{"a bind of a device", unit, edit("Bind=/srv/a", "Bind=/srv/a\nBind=/dev/kvm"), false,
			"web web.nspawn:6: Service.DeviceAllow: - to /dev/kvm rw: live\n" +
				"web web.nspawn:6: Files.Bind: - to /dev/kvm: restart\n$ systemctl daemon-reload\n$ systemctl restart systemd-nspawn@web\n"},
		{"a bind is gone", unit, edit("Bind=/srv/a\n", ""), false,
			"web web.nspawn: Unit.RequiresMountsFor: /srv/a to -: daemon-reload\n" +
				"web web.nspawn: Files.Bind: /srv/a to -: restart\n$ systemctl daemon-reload\n$ systemctl restart systemd-nspawn@web\n"},
		{"the zone is gone", unit, edit("Zone=app\n", ""), false,
			"web web.nspawn: Network.Zone: app to -: restart\n$ systemctl restart systemd-nspawn@web\n"},
		{"order of a list", unit, edit("A=1", "A=1\nEnvironment=A=2"), false,
			"web web.nspawn:4: Exec.Environment: - to A=2: restart\n$ systemctl restart systemd-nspawn@web\n"},
		{"a drop-in comes", unit, map[string]string{nspawn + "web.nspawn.d/10.conf": "[Exec]\nHostname=c\n[Service]\nCPUQuota=5%\n"}, false,
			"web web.nspawn.d/10.conf:4: Service.CPUQuota: - to 5%: live\n" +
				"web web.nspawn.d/10.conf:2: Exec.Hostname: a to c: restart\n$ systemctl daemon-reload\n$ systemctl restart systemd-nspawn@web\n"},
		{"the file is broken", unit, edit("256M", "banana", "Bind=/srv/a", "Bind=srv/a"), false,
			"web web.nspawn: Unit.RequiresMountsFor: /srv/a to -: daemon-reload\n" +
				"web web.nspawn: Service.MemoryMax: 256M to -: live\n" +
				"web web.nspawn: Files.Bind: /srv/a to -: restart\n" +
				"broken web.nspawn:5: error: Bind=srv/a: path srv/a is not absolute\n" +
				"broken web.nspawn:11: error: MemoryMax=banana: not a size\n"},
		{"the file is gone", nil, map[string]string{webFile: ""}, false,
			"web web.nspawn: Unit.SourcePath: /etc/systemd/nspawn/web.nspawn to -: daemon-reload\n" +
				"web web.nspawn: Unit.RequiresMountsFor: /srv/a to -: daemon-reload\n" +
				"web web.nspawn: Unit.After: systemd-nspawn@db.service to -: daemon-reload\n" +
				"web web.nspawn: Service.MemoryMax: 256M to -: daemon-reload\n" +
				"web web.nspawn: Service.Restart: no to -: daemon-reload\n" +
				"web web.nspawn: Service.Environment: B=1 to -: daemon-reload\n" +
				"web web.nspawn: Install.WantedBy: machines.target to -: daemon-reload\n" +
				"web web.nspawn: Install.RequiredBy: r.target to -: daemon-reload\n" +
				"web web.nspawn: Install.Alias: shop@web.service to -: daemon-reload\n" +
				"web web.nspawn: Install.UpheldBy: u.target to -: daemon-reload\n$ systemctl daemon-reload\n"},
		{"another container", nil, map[string]string{nspawn + "new.nspawn": "[Exec]\nBoot=yes\n"}, false,
			"new new.nspawn: Unit.SourcePath: - to /etc/systemd/nspawn/new.nspawn: daemon-reload\n$ systemctl daemon-reload\n"},
		{"by hand, where the command line wins", []string{"--boot", "--hostname=z"}, edit("Hostname=a", "Hostname=b", "A=1", "A=2", "256M", "1G", "B=1", "B=2"), false,
			"web web.nspawn:11: Service.MemoryMax: 256M to 1G: daemon-reload\n" +
				"web web.nspawn:13: Service.Environment: B=1 to B=2: daemon-reload\n" +
				"web web.nspawn:3: Exec.Environment: A=1 to A=2: restart\n$ systemctl daemon-reload\n"},
		{"beside the image", unit, map[string]string{webFile: "", "srv/images/web.nspawn": "[Exec]\nHostname=a\nEnvironment=A=2\n[Service]\nMemoryMax=256M\n"}, true,
			"web web.nspawn: Service.Environment: B=1 to -: restart\n" +
				"web /srv/images/web.nspawn:3: Exec.Environment: A=1 to A=2: restart\n" +
				"web web.nspawn: Files.Bind: /srv/a to -: restart\n" +
				"web web.nspawn: Network.Zone: app to -: restart\n$ systemctl restart systemd-nspawn@web\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newDiffHost(t)
			h.write(map[string]string{webFile: before})
			h.reload()
			if test.running != nil {
				h.start(test.running...)
			}
			h.write(test.edit)
			if test.reload {
				h.reload()
			}
			if got := h.text(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// What was loaded but taken back before the next start must be loaded again, or that start has it.
func TestDiffTakenBack(t *testing.T) {
	h := newDiffHost(t)
	h.write(edit())
	h.reload()
	h.start(units.Arguments()...)
	h.write(edit("B=1", "B=2"))
	h.reload()
	h.write(edit())
	if got, want := h.text(), "web web.nspawn:13: Service.Environment: B=2 to B=1: daemon-reload\n$ systemctl daemon-reload\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A start before daemon-reload has the new keys of the container, but not those of the unit.
func TestDiffStartedWithoutReload(t *testing.T) {
	h := newDiffHost(t)
	h.write(edit())
	h.reload()
	h.write(edit("B=1", "B=2", "Hostname=a", "Hostname=b"))
	h.start(units.Arguments()...)
	want := "web web.nspawn:13: Service.Environment: B=1 to B=2: restart after reload\n$ systemctl daemon-reload\n$ systemctl restart systemd-nspawn@web\n"
	if got := h.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDiffOverridden(t *testing.T) {
	h := newDiffHost(t)
	const control = "/etc/systemd/system.control/systemd-nspawn@web.service.d/50-MemoryMax.conf"
	h.write(map[string]string{webFile: before, control: "[Service]\nMemoryMax=1G\n"})
	h.reload()
	h.start(units.Arguments()...)
	h.write(edit("256M", "512M"))
	list, _ := Diff(h.host, "web")
	if len(list) != 1 || len(list[0].Edits) != 1 || !strings.Contains(list[0].Edits[0].Reason, ", but "+control+":2 sets MemoryMax=1G after it") {
		t.Errorf("%+v", list)
	}
}

// A record that cannot be understood is an error; that of a killed supervisor is none, and counts for nothing.
func TestDiffRecord(t *testing.T) {
	h := newDiffHost(t)
	h.write(edit())
	h.reload()
	h.start(units.Arguments()...)
	h.write(edit("Hostname=a", "Hostname=b"))
	h.write(map[string]string{"proc/4711/comm": ""})
	if err := os.Remove(filepath.Join(h.root, "proc/4711")); err != nil {
		t.Fatal(err)
	}
	if got := h.text(); got != "" {
		t.Errorf("of a killed supervisor: %s", got)
	}
	for text, want := range map[string]string{
		"{":                                  "unexpected end of JSON input",
		`{"version": 9, "supervisor": 4711}`: "version 9",
		`{"version": 1, "supervisor": 4711, "arguments": ["--no-such"]}`: "--no-such",
	} {
		h.write(map[string]string{settings.RecordFile("web"): text, "proc/4711/comm": "x"})
		_, problems := Diff(h.host, "web")
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "/run/nspawnkit/settings/web.json: error: ") || !strings.Contains(problems[0].Text, want) {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

// TestEffects names keys of each kind.
func TestEffects(t *testing.T) {
	for keys, want := range map[string]units.Effect{
		"Service.MemoryMax Service.CPUQuota Service.DeviceAllow Service.TasksMax Service.IPAddressDeny Service.IOReadBandwidthMax": units.Live,
		"Unit.After Unit.Description Unit.RequiresMountsFor Install.WantedBy Service.Restart Service.TimeoutStopSec":               units.Reload,
		"Service.ExecStartPre Service.Environment Service.OOMScoreAdjust Service.LimitNOFILE Service.Slice Service.WatchdogSec":    units.Restart,
		"Service.SomethingNew Exec.Environment Files.Bind Network.Zone":                                                            units.Restart,
	} {
		for key := range strings.FieldsSeq(keys) {
			if effect, why := effectOf(key); effect != want || why == "" {
				t.Errorf("%s: %s, want %s", key, effect, want)
			}
		}
	}
}

func TestDifference(t *testing.T) {
	list := func(words string) []settings.Assignment {
		var l []settings.Assignment
		for word := range strings.FieldsSeq(words) {
			l = append(l, settings.Assignment{Key: "K", Value: word})
		}
		return l
	}
	for _, test := range []struct{ before, after, gone, came string }{
		{"a b c", "a b c", "", ""},
		{"a b c", "a c", "b", ""},
		{"a c", "a b c", "", "b"},
		{"a a", "a", "a", ""},
		{"a b", "c b d", "a", "c d"},
		{"a b c", "b a c", "a b", "b a"},
		{"", "a", "", "a"},
	} {
		before, after := list(test.before), list(test.after)
		gone, came := difference(of(before, "K"), of(after, "K"))
		words := func(l []*settings.Assignment) string {
			var w []string
			for _, a := range l {
				w = append(w, a.Value)
			}
			return strings.Join(w, " ")
		}
		if words(gone) != test.gone || words(came) != test.came {
			t.Errorf("%q, %q: gone %q, came %q", test.before, test.after, words(gone), words(came))
		}
		if !slices.EqualFunc(before, list(test.before), func(a, b settings.Assignment) bool { return a.Value == b.Value }) {
			t.Errorf("%q was changed", test.before)
		}
	}
}
