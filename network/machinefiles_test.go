package network

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMachineFiles(t *testing.T) {
	root := fstest.MapFS{}
	for name, text := range map[string]string{
		"web.json":     `{"version": 1, "name": "web", "links": [{"host": "ve-web"}, {"host": "extra"}], "later": {}}`,
		"db.json":      `{"version": 1, "name": "db", "zone": "app", "links": [{"host": "vb-db"}]}`,
		".new.json":    `{`,
		"note":         `no machine`,
		"torn.json":    `{"version": 1,`,
		"newer.json":   `{"version": 2, "name": "newer"}`,
		"other.json":   `{"version": 1, "name": "../web"}`,
		"hostile.json": `{"version": 1, "name": "hostile", "links": [{"host": "a/../b"}]}`,
		"large.json":   strings.Repeat(" ", maxMachineFile+1),
	} {
		root["run/nspawnkit/machines/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	files := &MachineFiles{Root: root}
	machines, problems := files.Read()
	if got := names(machines); got != "db web" {
		t.Errorf("machines %q", got)
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.Error())
	}
	want := []string{
		`/run/nspawnkit/machines/hostile.json: interface name "a/../b" contains the character '/'`,
		`/run/nspawnkit/machines/large.json: larger than 4194304 bytes`,
		`/run/nspawnkit/machines/newer.json: version 2, not 1`,
		`/run/nspawnkit/machines/other.json: is about "../web"`,
		`/run/nspawnkit/machines/torn.json: unexpected end of JSON input`,
	}
	if !slices.Equal(texts, want) {
		t.Errorf("problems\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
	for host, want := range map[string]string{"ve-web": "web", "extra": "web", "vb-db": "db", "ve-x": ""} {
		got := ""
		if machine, link := machines.OfLink(host); machine != nil {
			got = machine.Name
			if link.Host != host {
				t.Errorf("link %q of %s", link.Host, host)
			}
		}
		if got != want {
			t.Errorf("%s is of %q, want %q", host, got, want)
		}
	}
}

// A file that was replaced is read again, one that was removed is forgotten, and no other is read.
func TestMachineFilesFollow(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, MachinesDirectory)
	put := func(name, zone string) {
		t.Helper()
		text := fmt.Sprintf(`{"version": 1, "name": %q, "zone": %q}`, name, zone)
		next := filepath.Join(folder, "."+name)
		if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(folder, name+".json")); err != nil {
			t.Fatal(err)
		}
	}
	files := &MachineFiles{Root: os.DirFS(top)}
	if machines, problems := files.Read(); len(machines)+len(problems) != 0 {
		t.Fatal(machines, problems)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	put("web", "a")
	put("db", "a")
	files.Read()
	put("web", "b")
	machines, problems := files.Read()
	if len(problems) > 0 || names(machines) != "db web" || machines[1].Zone != "b" {
		t.Error(machines, problems)
	}
	if err := os.Remove(filepath.Join(folder, "db.json")); err != nil {
		t.Fatal(err)
	}
	if machines, _ := files.Read(); names(machines) != "web" {
		t.Error(machines)
	}
}

func names(machines Machines) string {
	var list []string
	for _, m := range machines {
		list = append(list, m.Name)
	}
	return strings.Join(list, " ")
}
