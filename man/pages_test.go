package man

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/network"
	"nspawnkit/settings"
	"nspawnkit/units/generator"
)

const tour = "nspawnkit.7"

// pages returns the names of all manual pages, "nspawn-exec.1".
func pages(t *testing.T) []string {
	t.Helper()
	sources, err := filepath.Glob("*.scd")
	if err != nil || len(sources) < 6 {
		t.Fatal(sources, err)
	}
	for i := range sources {
		sources[i] = strings.TrimSuffix(sources[i], ".scd")
	}
	return sources
}

// reference returns "*nspawn-exec*(1)".
func reference(name string) string {
	dot := strings.LastIndexByte(name, '.')
	return "*" + name[:dot] + "*(" + name[dot+1:] + ")"
}

// TestPages finds each page installed, named by the tour, and leading to it.
func TestPages(t *testing.T) {
	build := read(t, "../meson.build")
	for _, name := range pages(t) {
		if !strings.Contains(build, "'"+name+"'") {
			t.Errorf("meson.build does not install %s", name)
		}
		from, to := name, tour
		if name == tour {
			continue
		}
		for range 2 {
			if !strings.Contains(section(t, page(t, from), "# SEE ALSO"), reference(to)) {
				t.Errorf("SEE ALSO of %s does not name %s", from, reference(to))
			}
			from, to = to, from
		}
	}
}

// TestExamples has the files that a page shows read, and the commands understood.
func TestExamples(t *testing.T) {
	shown := 0
	for _, name := range pages(t) {
		for _, block := range regexp.MustCompile("(?ms)^```\n(.*?)^```$").FindAllStringSubmatch(page(t, name), -1) {
			first, _, _ := strings.Cut(block[1], "\n")
			if path, isFile := strings.CutPrefix(first, "# /"); isFile {
				shown++
				checkFile(t, name, path, block[1])
				continue
			}
			for line := range strings.Lines(block[1]) {
				if checkCommand(t, name, strings.Fields(line)) {
					shown++
				}
			}
		}
	}
	if shown < 10 {
		t.Errorf("only %d examples found", shown)
	}
}

func checkFile(t *testing.T, page, path, text string) {
	t.Helper()
	host := fstest.MapFS{path: &fstest.MapFile{Data: []byte(text)}}
	problems := generator.Verify(generator.Host{Root: host})
	_, ofOptions := network.ReadOptions(host)
	for _, problem := range append(problems, ofOptions...) {
		t.Errorf("%s: %v", page, problem)
	}
}

// checkCommand reports whether it is one of ours.
func checkCommand(t *testing.T, page string, words []string) bool {
	t.Helper()
	switch program := words[0]; program {
	case "nspawn-exec":
		if _, err := settings.ParseCommandLine(words[1:]); err != nil {
			t.Errorf("%s: %s: %v", page, strings.Join(words, " "), err)
		}
	case "networkd-lite", "nspawn-generator":
		if !slices.ContainsFunc(headers(t, usage(t, program), "Verbs"), func(header string) bool { return strings.HasPrefix(header, "*"+words[1]+"*") }) {
			t.Errorf("%s: %s has no verb %s", page, program, words[1])
		}
	default:
		return false
	}
	return true
}
