package settings

import (
	"flag"
	"os"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it), got:\n%s", name, got)
	}
}

// combined returns the settings of "web" with text as its trusted file and args as its command line.
func combined(t testing.TB, text string, args ...string) (Settings, []Problem) {
	t.Helper()
	fsys := fstest.MapFS{"etc/systemd/nspawn/web.nspawn": {Data: []byte(text)}}
	c, err := ParseCommandLine(append([]string{"--machine=web"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	file, problems := c.Load(fsys)
	s, more := Combine(c, file)
	return s, append(problems, more...)
}
