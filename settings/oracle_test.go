package settings

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// oracle is a systemd-nspawn that reads files: it does so before it refuses a directory without a system in it, so
// nothing is started.
type oracle struct {
	program string
	version int
	root    string // of the container that does not start
}

// newOracle finds systemd-nspawn, NSPAWNKIT_ORACLE or the one in $PATH. It needs root and, from 258 on, cgroup v2 at
// /sys/fs/cgroup.
func newOracle(t *testing.T) *oracle {
	t.Helper()
	program := os.Getenv("NSPAWNKIT_ORACLE")
	if program == "" && os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1, root and systemd-nspawn")
	}
	if program == "" {
		program = "systemd-nspawn"
	}
	output, err := exec.Command(program, "--version").Output()
	if err != nil {
		t.Fatalf("systemd-nspawn, of the package systemd-container: %v", err)
	}
	o := &oracle{program: program, root: filepath.Join(t.TempDir(), "read-by-both")} // a name that no file of the host has
	if _, err := fmt.Sscanf(string(output), "systemd %d", &o.version); err != nil {
		t.Fatalf("version of systemd-nspawn: %v in %q", err, output)
	}
	if err := os.Mkdir(o.root, 0o755); err != nil {
		t.Fatal(err)
	}
	if v := o.read(t, "[Exec]\nBoot=maybe\n"); len(v.bad) != 1 {
		t.Fatalf("systemd-nspawn does not read files here, it says %q", v.output)
	}
	return o
}

// verdict is what is wrong with a file, by line.
type verdict struct {
	bad    map[int]string
	end    int    // line at which the file as a whole was given up, or 0
	output string // all that systemd-nspawn said
}

// read has systemd-nspawn read text.
func (o *oracle) read(t *testing.T, text string) verdict {
	t.Helper()
	file := o.root + fileSuffix
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(o.program, "--settings=trusted", "--register=no", "--keep-unit", "-D", o.root).CombinedOutput()
	if err == nil {
		t.Fatal("systemd-nspawn started something")
	}
	v := verdict{bad: make(map[int]string), output: string(output)}
	for line := range strings.Lines(v.output) {
		rest, ok := strings.CutPrefix(line, file+":")
		number, message, _ := strings.Cut(rest, ": ")
		n, err := strconv.Atoi(number)
		switch {
		case !ok || err != nil || strings.HasPrefix(message, "Unknown section"):
			continue
		case strings.HasPrefix(message, "Line too long"):
			v.end = n + 1 // it has not counted that line
		case strings.HasPrefix(message, "Failed to parse file"):
			v.end = n
		default:
			v.bad[n] = message
		}
	}
	return v
}

// readOurs reads text with this package. What is read and not supported yet is not bad.
func readOurs(text string) verdict {
	v := verdict{bad: make(map[int]string)}
	_, problems := Parse("web.nspawn", "web", []byte(text))
	for _, p := range problems {
		switch {
		case strings.HasPrefix(p.Text, "unknown section") || strings.HasSuffix(p.Text, "is not supported yet"):
		case strings.HasSuffix(p.Text, "file not read"):
			v.end = p.Origin.Line
		default:
			v.bad[p.Origin.Line] = p.String()
		}
	}
	return v
}

// compare has both read text. A file that systemd-nspawn gives up because of a value is continued below it.
func (o *oracle) compare(t *testing.T, text string, used map[*difference]bool) {
	t.Helper()
	for text != "" {
		ours, theirs := readOurs(text), o.read(t, text)
		head, rest := cutLines(text, theirs.end)
		if theirs.end != 0 && theirs.end != ours.end {
			ours = readOurs(head)
		}
		if ours.end != 0 {
			if theirs.end != ours.end && o.known(rawLine(text, ours.end), true) == nil {
				t.Errorf("we give up at line %d, systemd-nspawn %d at %d of %q", ours.end, o.version, theirs.end, text)
			}
			return
		}
		if theirs.end != 0 {
			theirs.bad[theirs.end] = "gives up"
		}
		statements, _, _ := Statements("web.nspawn", []byte(head))
		byLine := describeLines(head, statements, ours)
		for n := range strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\x00") + 2 {
			_, we := ours.bad[n]
			message, they := theirs.bad[n]
			if we == they {
				continue
			}
			if d := o.known(byLine[n], we); d != nil {
				used[d] = true
				continue
			}
			t.Errorf("line %d, %q: we say %q, systemd-nspawn %d %q, in %q", n, byLine[n], ours.bad[n], o.version, message, text[:min(len(text), 2000)])
		}
		text = ""
		if theirs.end != 0 && rest != "" && len(statements) > 0 {
			text = "[" + statements[len(statements)-1].Section + "]\n" + rest
		}
	}
}

// cutLines returns the first n lines of text and what follows; all without n.
func cutLines(text string, n int) (head, rest string) {
	rest = text
	for ; n > 0 && rest != ""; n-- {
		_, rest = nextLine(rest)
	}
	if len(rest) == len(text) {
		return text, ""
	}
	return text[:len(text)-len(rest)], rest
}

// rawLine returns line n without the white space around it.
func rawLine(text string, n int) string {
	_, rest := cutLines(text, n-1)
	line, _ := nextLine(rest)
	return strings.Trim(line, blank)
}

// describeLines returns the statements of text by line, and what we say about lines that are none.
func describeLines(text string, statements []Statement, ours verdict) map[int]string {
	byLine := make(map[int]string)
	section := ""
	for n := 1; text != ""; n++ {
		var line string
		line, text = nextLine(text)
		if line = strings.Trim(line, blank); strings.HasPrefix(line, "[") {
			section = line
		}
		byLine[n] = section + " " + ours.bad[n]
	}
	for _, st := range statements {
		byLine[st.Origin.Line] = fmt.Sprintf("[%s] %s=%s", st.Section, st.Key, st.Value)
	}
	return byLine
}

//go:embed testdata/oracle.nspawn
var oracleLines string

// TestOracle compares which lines are bad with systemd-nspawn itself.
func TestOracle(t *testing.T) {
	o := newOracle(t)
	used := make(map[*difference]bool)
	o.compare(t, oracleLines, used)
	for i := range differences {
		if d := &differences[i]; !used[d] && d.applies(o.version) && !d.rare {
			t.Errorf("systemd-nspawn %d does not differ any more: %s, %s", o.version, d.line, d.reason)
		}
	}
}

// TestOracleKnowsEveryKey has testdata/oracle.nspawn set every key of systemd's.
func TestOracleKnowsEveryKey(t *testing.T) {
	statements, _, err := Statements("oracle.nspawn", []byte(oracleLines))
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]int)
	for _, st := range statements {
		set[st.Section+"."+st.Key]++
	}
	for _, k := range Keys() {
		if k.Since > 0 && set[k.String()] < 2 && !strings.HasPrefix(k.Name, "Limit") {
			t.Errorf("%s has %d values", &k, set[k.String()])
		}
	}
}
