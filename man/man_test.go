// Package man holds the manual pages. Its test keeps them and the programs together.
package man

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nspawnkit/settings"
)

// page returns the source of a manual page, in the format of scdoc(5).
func page(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name + ".scd")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// options returns the options in a text, sorted.
func options(text string) []string {
	found := regexp.MustCompile(`(?:^|[ \t\n(\[\\])(--[a-z0-9][a-z0-9-]*|-[a-zA-Z]\b)`).FindAllStringSubmatch(text, -1)
	var names []string
	for _, match := range found {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// section returns what follows a heading, up to the next one.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, heading+"\n")
	if !found {
		t.Fatalf("no %q", heading)
	}
	end := regexp.MustCompile(`(?m)^##? `).FindStringIndex(rest)
	if end == nil {
		return rest
	}
	return rest[:end[0]]
}

func TestOptions(t *testing.T) {
	supported, missing, found := strings.Cut(settings.Help("nspawn-exec"), "Not supported yet:")
	if !found {
		t.Fatal("--help says nothing of what is not supported")
	}
	text := page(t, "nspawn-exec.1")
	if !strings.Contains(section(t, text, "## Of nspawn-exec only"), "--dry-run") {
		t.Error("--dry-run is missing in the options of our own")
	}
	// The help text of an option may name others: only the beginning of a line counts.
	var want []string
	for _, match := range regexp.MustCompile(`(?m)^  (?:(-\S)|  ) ?(--[a-z0-9-]+)?`).FindAllStringSubmatch(supported, -1) {
		for _, name := range match[1:] {
			if name != "" && name != "--dry-run" {
				want = append(want, name)
			}
		}
	}
	compare(t, options(section(t, text, "## As of systemd-nspawn")), want)
	compare(t, options(section(t, text, "## Not supported yet")), options(missing))
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("--help names no options")
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s does not belong here", name)
		}
	}
}

// TestVerbs takes the verbs from the summary in the source of each program, as --help prints it.
func TestVerbs(t *testing.T) {
	for program, headings := range map[string]int{"nspawn-generator": 4, "networkd-lite": 3} {
		text := page(t, program+".8")
		verbs := section(t, text, "# VERBS")
		summary, rest, _ := strings.Cut(usage(t, program), "\n\n")
		count := 0
		for line := range strings.Lines(summary) {
			line, _, _ = strings.Cut(strings.TrimPrefix(line, program), "   ")
			for _, verb := range regexp.MustCompile(`(?:^|[ \[])(--[a-z-]+|[a-z]+)`).FindAllStringSubmatch(line, -1) {
				count++
				if !regexp.MustCompile(`(^|[^a-z-])` + verb[1] + `($|[^a-z-])`).MatchString(verbs) {
					t.Errorf("%s: %s is missing", program, verb[1])
				}
			}
		}
		if count < headings {
			t.Errorf("%s: %d verbs found in the summary", program, count)
		}
		for _, variable := range regexp.MustCompile(`[A-Z_]{8,}`).FindAllString(rest, -1) {
			if !strings.Contains(section(t, text, "# ENVIRONMENT"), variable) {
				t.Errorf("%s: $%s is missing", program, variable)
			}
		}
	}
}

// usage returns the constant of that name in the program's source.
func usage(t *testing.T, program string) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../cmd/"+program+"/main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	object := file.Scope.Lookup("usage")
	if object == nil {
		t.Fatalf("%s has no constant usage", program)
	}
	text, err := strconv.Unquote(object.Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
