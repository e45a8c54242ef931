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
)

// page returns the source of a manual page, in the format of scdoc(5).
func page(t *testing.T, name string) string {
	t.Helper()
	return read(t, name+".scd")
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
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

// TestVerbs compares the entries of VERBS and OPTIONS with what --help lists, in its order and with the same arguments.
func TestVerbs(t *testing.T) {
	for _, program := range []string{"nspawn-generator", "networkd-lite"} {
		text, help := page(t, program+".8"), usage(t, program)
		synopsis := section(t, text, "# SYNOPSIS")
		for _, heading := range []string{"Verbs", "Options"} {
			want := headers(t, help, heading)
			got := regexp.MustCompile(`(?m)^\*.*`).FindAllString(section(t, text, "# "+strings.ToUpper(heading)), -1)
			if !slices.Equal(got, want) {
				t.Errorf("%s(8) has entries\n%s\n--help says\n%s", program, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, header := range want {
				if call := "*" + program + " " + header[1:]; heading == "Verbs" && !strings.Contains(synopsis, call) {
					t.Errorf("%s(8): SYNOPSIS has no %s", program, call)
				}
			}
		}
		for _, variable := range regexp.MustCompile(`[A-Z_]{8,}`).FindAllString(help, -1) {
			if !strings.Contains(section(t, text, "# ENVIRONMENT"), variable) {
				t.Errorf("%s: $%s is missing", program, variable)
			}
		}
	}
}

// headers returns what a help text lists below a heading, as a manual page has it: "*show* _NAME_ [*--json*]".
func headers(t *testing.T, help, heading string) []string {
	t.Helper()
	_, list, _ := strings.Cut(help, "\n"+heading+":\n")
	list, _, found := strings.Cut(list, "\n\n")
	if !found {
		t.Fatalf("no %s: in\n%s", heading, help)
	}
	var headers []string
	for _, line := range regexp.MustCompile(`(?m)^ {2,5}(\S+( \S+)*)`).FindAllStringSubmatch(list, -1) {
		text := regexp.MustCompile(`[A-Z]+`).ReplaceAllString(line[1], "_${0}_")
		text = regexp.MustCompile(`-?-?[a-z][a-z-]*`).ReplaceAllString(text, "*${0}*")
		headers = append(headers, strings.Replace(text, "-h* *-", "-h*, *-", 1))
	}
	return headers
}

// TestScreen keeps help on a screen of 24 lines with the prompt below it.
func TestScreen(t *testing.T) {
	for _, program := range []string{"nspawn-generator", "networkd-lite"} {
		lines := strings.Split(usage(t, program), "\n")
		if len(lines) > 24 {
			t.Errorf("%s --help has %d lines", program, len(lines)-1)
		}
		for _, line := range lines {
			if len(line) > 80 {
				t.Errorf("%s --help: longer than 80 columns: %s", program, line)
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
