package docs

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"nspawnkit/network"
	"nspawnkit/units/generator"
)

// files returns the files that a page shows: indented text whose first line is a comment with the whole name.
func files(t *testing.T, page string) fstest.MapFS {
	t.Helper()
	name, found := "", fstest.MapFS{}
	for line := range strings.Lines(read(t, page)) {
		text, indented := strings.CutPrefix(line, "    ")
		begins := regexp.MustCompile(`^# /(\S+\.(?:nspawn|network|conf))$`).FindStringSubmatch(strings.TrimSpace(text))
		switch {
		case indented && begins != nil:
			if name = begins[1]; found[name] != nil {
				t.Errorf("%s: shows /%s twice", page, name)
			}
			found[name] = &fstest.MapFile{}
		case !indented && strings.TrimSpace(line) != "":
			name = ""
		}
		if name != "" {
			found[name].Data = append(found[name].Data, text...)
		}
	}
	return found
}

// A file that somebody copies from a page works: there is nothing wrong with it.
func TestFiles(t *testing.T) {
	shown := 0
	for _, page := range pages(t) {
		host := files(t, page)
		shown += len(host)
		for name := range host {
			if container, _, isDropIn := strings.Cut(name, ".nspawn.d/"); isDropIn && host[container+".nspawn"] == nil {
				host[container+".nspawn"] = &fstest.MapFile{} // a drop-in counts where there is a container
			}
		}
		for _, problem := range generator.Verify(generator.Host{Root: host}) {
			t.Errorf("%s: %v", page, problem)
		}
		addOurs(t, host)
		networks, problems := network.ReadFiles(host, network.SearchPath())
		for _, file := range networks {
			problems = append(problems, file.Problems...)
		}
		for _, problem := range problems {
			t.Errorf("%s: %v", page, problem)
		}
	}
	if shown < 20 {
		t.Errorf("only %d files found", shown)
	}
}

// addOurs adds the .network files that are installed, for drop-ins of them.
func addOurs(t *testing.T, host fstest.MapFS) {
	t.Helper()
	for _, kind := range []string{"ve", "vz", "vb"} {
		name := "80-container-" + kind + ".network"
		host[path.Join("usr/lib/nspawnkit/network", name)] = &fstest.MapFile{Data: []byte(read(t, "../units/static/network/"+name))}
	}
}

// code returns the commands of a page: indented lines and what is between backticks.
func code(text string) []string {
	var commands []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    ") {
			commands = append(commands, line)
			continue
		}
		for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			commands = append(commands, span[1])
		}
	}
	return commands
}

// Verbs and options of our programs, and what make is told to make, exist.
func TestCommands(t *testing.T) {
	makefile := read(t, "../Makefile")
	known := map[string]string{
		"networkd-lite":    read(t, "../man/networkd-lite.8.scd"),
		"nspawn-generator": read(t, "../man/nspawn-generator.8.scd"),
	}
	command := regexp.MustCompile(`(?:^ *|[;&|(] *)(networkd-lite|nspawn-generator|make) +([a-z-]+)`)
	tried := 0
	for _, page := range pages(t) {
		for _, text := range code(read(t, page)) {
			for _, match := range command.FindAllStringSubmatch(text, -1) {
				program, verb := match[1], match[2]
				tried++
				switch {
				case program == "make" && !regexp.MustCompile(`(?m)^`+verb+`:`).MatchString(makefile):
					t.Errorf("%s: make %s: Makefile has no such target", page, verb)
				case program != "make" && !strings.Contains(known[program], "*"+program+" "+verb+"*"):
					t.Errorf("%s: %s %s: its manual page has no such verb", page, program, verb)
				}
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d commands found", tried)
	}
}
