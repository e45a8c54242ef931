// Package man holds the manual pages. Its test keeps them and the programs together.
package man

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
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
