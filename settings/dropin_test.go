package settings

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLinks follows links between main files: by name, as systemd.unit(5) has it for aliases.
func TestLinks(t *testing.T) {
	set := func(name string) *fstest.MapFile { return text("[Exec]\nHostname=" + name + "\n") }
	fsys := fstest.MapFS{
		"usr/lib/systemd/nspawn/web-1.nspawn":            set("vendor"),
		"etc/systemd/nspawn/web-1.nspawn":                set("admin"),
		"etc/systemd/nspawn/web-2.nspawn":                link("web-1.nspawn"),
		"etc/systemd/nspawn/to-vendor.nspawn":            link("/usr/lib/systemd/nspawn/web-1.nspawn"),
		"run/systemd/nspawn/chain.nspawn":                link("../../../etc/systemd/nspawn/web-2.nspawn"),
		"usr/lib/systemd/nspawn/only.nspawn":             set("only"),
		"etc/nspawnkit/elsewhere.nspawn":                 link("only.nspawn"),
		"etc/systemd/nspawn/web-1.nspawn.d/10-one.conf":  text("[Exec]\nEnvironment=ONE=1\n"),
		"etc/systemd/nspawn/web-2.nspawn.d/10-two.conf":  text("[Exec]\nEnvironment=TWO=2\n"),
		"etc/systemd/nspawn/web-1.nspawn.d/20-both.conf": text("[Exec]\nEnvironment=BOTH=1\n"),
		"etc/systemd/nspawn/web-2.nspawn.d/20-both.conf": text("[Exec]\nEnvironment=BOTH=2\n"),
		"etc/systemd/nspawn/web-1.nspawn.d/30-off.conf":  text("[Exec]\nEnvironment=OFF=1\n"),
		"etc/systemd/nspawn/web-2.nspawn.d/30-off.conf":  link("/dev/null"),
		"etc/systemd/nspawn/outside.nspawn":              link("/srv/web-1.nspawn"),
		"srv/web-1.nspawn":                               set("outside"),
		"etc/systemd/nspawn/off.nspawn":                  link("/dev/null"),
		"etc/systemd/nspawn/off-2.nspawn":                link("off.nspawn"),
		"var/lib/machines/off-2.nspawn":                  set("beside"),
		"etc/systemd/nspawn/empty.nspawn":                text(""),
		"etc/systemd/nspawn/empty-2.nspawn":              link("empty.nspawn"),
		"etc/systemd/nspawn/folder-1.nspawn.d":           link("/srv/common"),
		"srv/common/50.conf":                             text("[Exec]\nEnvironment=COMMON=1\n"),
	}
	for machine, want := range map[string]string{
		"web-1":     "admin /etc/systemd/nspawn/web-1.nspawn:2 [ONE=1 BOTH=1 OFF=1]",
		"web-2":     "admin /etc/systemd/nspawn/web-1.nspawn:2 [ONE=1 TWO=2 BOTH=2]",
		"to-vendor": "admin /etc/systemd/nspawn/web-1.nspawn:2 [ONE=1 BOTH=1 OFF=1]",
		"chain":     "admin /etc/systemd/nspawn/web-1.nspawn:2 [ONE=1 TWO=2 BOTH=2]",
		"elsewhere": "only /usr/lib/systemd/nspawn/only.nspawn:2 []",
		"outside":   "outside /etc/systemd/nspawn/outside.nspawn:2 []", // the name of a file elsewhere means nothing
		"off-2":     " default []",
		"empty-2":   " default []",
		"folder-1":  " default [COMMON=1]",
	} {
		file, problems := Load(fsys, machine, "/var/lib/machines")
		s, _ := Combine(CommandLine{Machine: machine}, file)
		got := fmt.Sprintf("%s %s %v", s.Exec.Hostname, s.Origin("Exec.Hostname"), s.Exec.Environment)
		if got != want || len(problems) > 0 {
			t.Errorf("%s: got %s, want %s: %s", machine, got, want, joinProblems(problems))
		}
	}
}

// TestBrokenLinks: what a link hides stays hidden, and the container is refused.
func TestBrokenLinks(t *testing.T) {
	fsys := fstest.MapFS{
		"etc/systemd/nspawn/gone.nspawn":               link("no.nspawn"),
		"run/systemd/nspawn/gone.nspawn":               text("[Exec]\nHostname=hidden\n"),
		"etc/systemd/nspawn/a.nspawn":                  link("b.nspawn"),
		"etc/systemd/nspawn/b.nspawn":                  link("a.nspawn"),
		"etc/systemd/nspawn/c.nspawn":                  link("a.nspawn"),
		"etc/systemd/nspawn/drop.nspawn.d/10.conf":     link("gone.conf"),
		"run/systemd/nspawn/drop.nspawn.d/10.conf":     text("[Exec]\nHostname=hidden\n"),
		"etc/systemd/nspawn/loop.nspawn.d/10.conf":     link("10.conf"),
		"etc/systemd/nspawn/folder.nspawn.d/10.conf/x": text(""),
		"etc/systemd/nspawn/dangling.nspawn.d":         link("/srv/gone"),
	}
	for machine, want := range map[string]string{
		"gone":     "/etc/systemd/nspawn/gone.nspawn: error: links to no.nspawn, which does not exist",
		"a":        "/etc/systemd/nspawn/a.nspawn: error: too many levels of symbolic links",
		"c":        "/etc/systemd/nspawn/c.nspawn: error: too many levels of symbolic links",
		"drop":     "/etc/systemd/nspawn/drop.nspawn.d/10.conf: error: links to /etc/systemd/nspawn/drop.nspawn.d/gone.conf, which does not exist",
		"loop":     "/etc/systemd/nspawn/loop.nspawn.d/10.conf: error: too many levels of symbolic links",
		"folder":   "/etc/systemd/nspawn/folder.nspawn.d/10.conf: error: not a regular file",
		"dangling": "/etc/systemd/nspawn/dangling.nspawn.d: error: cannot be read: file does not exist",
	} {
		file, problems := Load(fsys, machine, "/var/lib/machines")
		if joinProblems(problems) != want || len(file.assignments) > 0 {
			t.Errorf("%s: got %s, want %s", machine, joinProblems(problems), want)
		}
	}
	found, _ := Discover(fsys) // all of them, so that each problem is told
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "a b c dangling drop folder gone loop" {
		t.Errorf("found %s", got)
	}
}

// TestDropInsLikeSystemd compares which drop-ins are read, and in which order, with systemd itself, which reads the same tree
// with other names: web-1-b.service.d for web-1-b.nspawn.d, service.d for nspawn.d.
func TestDropInsLikeSystemd(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") == "" {
		t.Skip("set NSPAWNKIT_KERNEL_TESTS=1 to run it")
	}
	random := rand.New(rand.NewPCG(1, 2))
	some := 0
	for range 30 {
		units, fsys := randomTree(t, random)
		theirs := systemdDropIns(t, units)
		var ours []string
		file, problems := Load(fsys, "web-1-b", "")
		if len(problems) > 0 {
			t.Fatal(joinProblems(problems))
		}
		for _, p := range file.DropIns {
			ours = append(ours, strings.Replace(p, ".nspawn.d", ".service.d", 1))
		}
		for i, p := range ours {
			ours[i] = strings.Replace(p, "/nspawn.d/", "/service.d/", 1)
		}
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s\nwe read      %q\nsystemd reads %q", tree(fsys), ours, theirs)
		}
		some += len(theirs)
	}
	if some < 30 {
		t.Errorf("systemd read %d drop-ins in all", some)
	}
}

// randomTree lays out drop-ins twice: below a directory as those of a unit, and as those of a container.
func randomTree(t *testing.T, random *rand.Rand) (units string, fsys fstest.MapFS) {
	t.Helper()
	units, fsys = t.TempDir(), fstest.MapFS{}
	for _, folder := range trustedFolders {
		for _, kind := range []string{"web-1-b.", "web-1-.", "web-.", "web.", "web-1.", "-.", ""} {
			for _, name := range []string{"10.conf", "20.conf", "30.conf", "40.conf", ".50.conf", "60.conf~", "70.txt"} {
				unit := filepath.Join(units, folder, kind+"service.d", name)
				entry := folder[1:] + "/" + kind + "nspawn.d/" + name
				switch random.IntN(12) {
				case 0, 1:
					fsys[entry] = text("[X-Test]\n")
					write(t, unit, "[Service]\nTest=1\n")
				case 2:
					fsys[entry] = text("")
					write(t, unit, "")
				case 3:
					fsys[entry] = link("/dev/null")
					write(t, unit+".d", "")
					if err := os.Symlink("/dev/null", unit); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	write(t, filepath.Join(units, trustedFolders[4], "web-1-b.service"), "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n")
	return units, fsys
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// systemdDropIns returns the drop-ins of web-1-b.service below units in the order in which systemd complains about them.
func systemdDropIns(t *testing.T, units string) []string {
	t.Helper()
	var search []string
	for _, folder := range trustedFolders {
		search = append(search, filepath.Join(units, folder))
	}
	cmd := exec.Command("systemd-analyze", "verify", "--man=no", "web-1-b.service")
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+strings.Join(search, ":"))
	output, _ := cmd.CombinedOutput() // it fails when it complains
	var paths []string
	for line := range strings.Lines(string(output)) {
		p, _, found := strings.Cut(line, ":2: Unknown key")
		if p, below := strings.CutPrefix(p, units); found && below && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		t.Logf("systemd-analyze says %s", output)
	}
	return paths
}

func tree(fsys fstest.MapFS) string {
	var names []string
	for name, file := range fsys {
		names = append(names, fmt.Sprintf("%s %q", name, file.Data))
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}
