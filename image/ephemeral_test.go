package image

import "testing"

const suffix = "0123456789abcdef"

func TestCopies(t *testing.T) {
	for _, test := range []struct {
		directory    string
		isMount      bool
		parent, name string
	}{
		{"/var/lib/machines/web", false, "/var/lib/machines", ".#machine.web" + suffix},
		{"/var/lib/machines/web", true, "/var/lib/machines/web", ".#machine." + suffix},
		{"/", false, "/", ".#machine." + suffix},
		{"/web/", false, "/", ".#machine.web" + suffix},
		{"/x/web.v/web_1.2", false, "/x/web.v", ".#machine.web_1.2" + suffix},
	} {
		copies := CopiesOf(test.directory, test.isMount)
		if got := copies.Name(suffix); got != test.name || copies.Parent != test.parent {
			t.Errorf("%s: %s in %s", test.directory, got, copies.Parent)
		}
		for _, name := range []string{test.name, ".#" + test.name + ".lck"} {
			if copy, got, ok := copies.Copy(name); copy != test.name || got != suffix || !ok {
				t.Errorf("Copy(%s) = %q, %q, %v", name, copy, got, ok)
			}
		}
	}
}

// What is not a copy of this very directory is never taken for one: it would be removed.
func TestNoCopies(t *testing.T) {
	copies := CopiesOf("/var/lib/machines/web", false)
	for _, name := range []string{
		"web", ".#web.lck", ".#machine.web", ".#machine.web2" + suffix, ".#machine.we" + suffix, ".#machine.db" + suffix, ".#machine." + suffix,
		".#machine.web" + suffix + "0", ".#machine.web0123456789ABCDEF", ".#machine.web0123456789abcdeg", ".#.#machine.web" + suffix,
		".#machine.web" + suffix + ".lck", ".#.#.#machine.web" + suffix + ".lck", "", ".", "..",
	} {
		if _, got, ok := copies.Copy(name); ok {
			t.Errorf("%s is taken for a copy with suffix %q", name, got)
		}
		if copies.Skip(name) {
			t.Errorf("%s is not copied", name)
		}
	}
	inside := CopiesOf("/", false)
	for name, want := range map[string]bool{".#machine." + suffix: true, ".#.#machine." + suffix + ".lck": true, "etc": false, ".#x": false} {
		if inside.Skip(name) != want {
			t.Errorf("Skip(%s) = %v", name, !want)
		}
	}
}

// The copies of all versions are found from any, but not those of another name.
func TestCopiesOfVersions(t *testing.T) {
	copies := CopiesOf("/x/web.v/web_2", false)
	for name, want := range map[string]bool{
		".#machine.web_1" + suffix: true, ".#.#machine.web_1" + suffix + ".lck": true, ".#machine.web_1": false, ".#machine.db_1" + suffix: false,
		".#machine.web" + suffix: false, ".#web_1.lck": false, "web_1": false,
	} {
		copy, got, ok := copies.Copy(name)
		if ok != want || ok && (copy != ".#machine.web_1"+suffix || got != suffix) {
			t.Errorf("Copy(%s) = %q, %q, %v", name, copy, got, ok)
		}
	}
	if _, _, ok := CopiesOf("/x/web/web_2", false).Copy(".#machine.web_1" + suffix); ok {
		t.Error("a directory beside another is not a version of it")
	}
}
