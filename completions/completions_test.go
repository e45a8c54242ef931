package completions

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"nspawnkit/settings"
)

var update = flag.Bool("update", false, "write the completions")

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

func programs(t *testing.T) []Program {
	list := []Program{NspawnExec()}
	for _, name := range []string{"nspawn-generator", "networkd-lite"} {
		list = append(list, OfUsage(name, usage(t, name)))
	}
	return list
}

// TestCurrent compares the files of this folder, which meson installs, with the tables.
func TestCurrent(t *testing.T) {
	for _, program := range programs(t) {
		for path, text := range map[string]string{
			filepath.Join("bash", program.Name): Bash(program), filepath.Join("zsh", "_"+program.Name): Zsh(program),
			filepath.Join("fish", program.Name+".fish"): Fish(program),
		} {
			if *update {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != text {
				t.Errorf("%s is not current (go test ./completions -update writes it): %v", path, err)
			}
		}
	}
}

// free are options whose argument nobody can guess.
var free = []string{
	"--background", "--bind-user-group", "--chdir", "--cpu-affinity", "--forward-journal-keep-free", "--forward-journal-max-file-size",
	"--forward-journal-max-files", "--forward-journal-max-use", "--image-policy", "--inaccessible", "--load-credential",
	"--network-veth-extra", "--network-zone", "--oom-score-adjust", "--pivot-root", "--port", "--private-users-delegate", "--root-hash", "--selinux-apifs-context", "--selinux-context", "--set-credential", "--setenv", "--system-call-filter", "--tmpfs",
	"--uuid",
}

// TestValues: of each argument it is known what can be offered, or that nothing can.
func TestValues(t *testing.T) {
	known := map[string]bool{}
	for _, o := range NspawnExec().Options {
		offered := len(o.Value.Words) > 0 || o.Value.Kind != Nothing
		if o.Argument != settings.NoArgument && offered == slices.Contains(free, o.Long) {
			t.Errorf("%s: offered %v", o.Long, offered)
		}
		known[o.Long] = true
	}
	for option := range kinds {
		if !known["--"+option] {
			t.Errorf("--%s is no option", option)
		}
	}
}

func TestOfUsage(t *testing.T) {
	got := OfUsage("tool", "tool VERB\n\nText:\n\nVerbs:\n  show NAME [--json]   Show one\n                       of them\n  list                 List\n\n"+
		"Options:\n  -h --help            Help\n     --dry-run [NAME]  Try\n     --json            JSON\n\nSee tool(1).\n")
	if len(got.Verbs) != 3 || got.Verbs[0].Name != "show" || !got.Verbs[0].JSON || got.Verbs[0].Operands.Kind != Machines || got.Verbs[0].Help != "Show one of them" ||
		got.Verbs[1].Name != "list" || got.Verbs[2].Name != "--dry-run" {
		t.Errorf("verbs %+v", got.Verbs)
	}
	if len(got.Options) != 1 || got.Options[0].Long != "--help" || got.Options[0].Short != "-h" {
		t.Errorf("options %+v", got.Options)
	}
}
