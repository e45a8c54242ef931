package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// printStatements writes "LINE [SECTION] KEY=VALUE" for each statement.
func printStatements(statements []Statement) string {
	var b strings.Builder
	for _, st := range statements {
		fmt.Fprintf(&b, "%d [%s] %s=%s\n", st.Origin.Line, st.Section, st.Key, st.Value)
	}
	return b.String()
}

func TestStatements(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		problems         string
	}{
		{"plain", "[Exec]\nBoot=yes\n", "2 [Exec] Boot=yes\n", ""},
		{"no newline at the end", "[Exec]\nBoot=yes", "2 [Exec] Boot=yes\n", ""},
		{"byte order mark", "\uFEFF[Exec]\nBoot=yes\n", "2 [Exec] Boot=yes\n", ""},
		{"white space", " [Exec] \n\t Boot \t= yes \t\n", "2 [Exec] Boot=yes\n", ""},
		{"other white space stays", "[Exec]\nA=\u00a0\v\fx\u00a0\n", "2 [Exec] A=\u00a0\v\fx\u00a0\n", ""},
		{"verbatim", "[Exec]\nA=\"q\" 'q' `b` = : # ; %i $x\n", "2 [Exec] A=\"q\" 'q' `b` = : # ; %i $x\n", ""},
		{"empty value", "[Exec]\nA=\n", "2 [Exec] A=\n", ""},
		{"comments", "# a\n ; b\n[Exec]\n#A=1\nA=1 # stays\n", "5 [Exec] A=1 # stays\n", ""},
		{"comment of any bytes", "# \xff\n[Exec]\nA=1\n", "3 [Exec] A=1\n", ""},
		{"continuation", "[Exec]\nA=1\\\n  2\\\n3\nB=4\n", "4 [Exec] A=1   2 3\n5 [Exec] B=4\n", ""},
		{"comment in a continuation", "[Exec]\nA=1\\\n# no\n;no\n2\n", "5 [Exec] A=1 2\n", ""},
		{"empty line ends a continuation", "[Exec]\nA=1\\\n\nB=2\n", "3 [Exec] A=1\n4 [Exec] B=2\n", ""},
		{"escaped backslash at the end", "[Exec]\nA=1\\\\\nB=2\n", "2 [Exec] A=1\\\\\n3 [Exec] B=2\n", ""},
		{"three backslashes", "[Exec]\nA=1\\\\\\\nB=2\n", "3 [Exec] A=1\\\\ B=2\n", ""},
		{"backslash before white space at the end", "[Exec]\nA=1\\ \nB=2\n", "2 [Exec] A=1\\\n3 [Exec] B=2\n", ""},
		{"continuation at the end of the file", "[Exec]\nA=1\\\n", "3 [Exec] A=1\n", ""},
		{"carriage return ends a line", "[Exec]\rA=1\rB=2\r\nC=3\n", "2 [Exec] A=1\n3 [Exec] B=2\n4 [Exec] C=3\n", ""},
		{"LF CR is one end, LF LF two", "[Exec]\n\rA=1\n\nB=2\n", "2 [Exec] A=1\n4 [Exec] B=2\n", ""},
		{"NUL ends a line", "[Exec]\x00A=1\x00\nB=2\n", "2 [Exec] A=1\n4 [Exec] B=2\n", ""},
		{"no section", "A=1\n[Exec]\n", "", "f:1: warning: assignment outside of a section, ignored"},
		{"no equals sign", "[Exec]\nA\n", "", "f:2: warning: missing '=', line ignored"},
		{"no key", "[Exec]\n =1\n", "", "f:2: warning: missing key name before '=', line ignored"},
		{"section of another program", "[X-A]\nA\n=1\nx=1\n", "4 [X-A] x=1\n", ""},
		{"sections repeat", "[A]\nx=1\n[B]\nx=2\n[A]\nx=3\n", "2 [A] x=1\n4 [B] x=2\n6 [A] x=3\n", ""},
	} {
		statements, problems, err := Statements("f", []byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := printStatements(statements); got != test.want {
			t.Errorf("%s: got\n%swant\n%s", test.name, got, test.want)
		}
		if got := joinProblems(problems); got != test.problems {
			t.Errorf("%s: got problems %q, want %q", test.name, got, test.problems)
		}
	}
}

// Sections of one name are told apart by the line of their header.
func TestSectionLine(t *testing.T) {
	statements, _, err := Statements("f", []byte("[A]\nx=1\ny=2\n\n[A]\nx=3\n"))
	if err != nil || len(statements) != 3 || statements[0].SectionLine != 1 || statements[1].SectionLine != 1 || statements[2].SectionLine != 5 {
		t.Errorf("%+v, %v", statements, err)
	}
}

func TestStatementsRefuseFile(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"[Exec] x\nA=1\n", "f:1: text after the section name"},
		{"[Exec\nA=1\n", "f:1: text after the section name"},
		{"[]\n", "f:1: bad characters in section name"},
		{"[E\"x]\n", "f:1: bad characters in section name"},
		{"[Exec]\nA=\xff\n", "f:2: not valid UTF-8"},
		{"[Exec]\n\nA=" + strings.Repeat("x", maxLine), "f:3: line longer than 1 MiB"},
		{"[Exec]\nA=" + strings.Repeat("x\\\n", maxLine), "f:524289: line longer than 1 MiB"},
		{strings.Repeat("x\n", maxProblems+9), "f:1001: no file of settings, too many lines"},
		{"[Exec]\n" + strings.Repeat("A=\n", maxStatements+9), "f:16386: no file of settings, too many lines"},
	} {
		if _, _, err := Statements("f", []byte(test.text)); err == nil || err.Error() != test.want {
			t.Errorf("%.20q: got %v, want %s", test.text, err, test.want)
		}
	}
}

func TestTooManyProblems(t *testing.T) {
	_, problems := Parse("f", "web", []byte("[Exec]\n"+strings.Repeat("A=\n", maxProblems+9)))
	const want = "f:1003: error: too many problems, rest of the file not read"
	if len(problems) != maxProblems+2 || problems[maxProblems+1].String() != want {
		t.Errorf("%d problems, the last: %s", len(problems), problems[len(problems)-1])
	}
}

// joinProblems returns one line for each problem.
func joinProblems(problems []Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// addExamples seeds a fuzz target with the example files.
func addExamples(f *testing.F) {
	files, err := filepath.Glob("testdata/*.nspawn")
	if err != nil || len(files) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzStatements checks that statements written back give the same statements.
func FuzzStatements(f *testing.F) {
	addExamples(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		statements, _, err := Statements("f", data)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, st := range statements {
			// The space keeps a backslash at the end from joining the next line.
			fmt.Fprintf(&b, "[%s]\n%s=%s \n", st.Section, st.Key, st.Value)
		}
		again, problems, err := Statements("f", []byte(b.String()))
		if err != nil || len(problems) > 0 || len(again) != len(statements) {
			t.Fatalf("written back: %d of %d statements, %v, %v", len(again), len(statements), problems, err)
		}
		for i, st := range statements {
			if a := again[i]; a.Section != st.Section || a.Key != st.Key || a.Value != st.Value {
				t.Errorf("%+v came back as %+v", st, a)
			}
		}
	})
}
