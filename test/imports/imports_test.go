// Package imports holds the test that keeps the folders to their jobs: pure packages decide, only kernel packages act.
package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rules say what the packages below a folder must not import themselves, and why.
var rules = []struct {
	packages  []string
	except    []string
	forbidden []string
	why       string
}{
	{
		packages: []string{"settings", "units", "network", "dhcp", "dns", "image", "siphash", "container", "machined"},
		except:   []string{"container/kernel", "network/kernel", "container/seccomp/internal"},
		forbidden: []string{
			"golang.org/x/sys", "github.com/vishvananda/netlink", "github.com/jsimonetti/rtnetlink", "github.com/google/nftables",
		},
		why: "only kernel packages touch Linux",
	},
	{
		packages:  []string{"container/kernel", "network/kernel"},
		forbidden: []string{"nspawnkit/settings", "nspawnkit/units"},
		why:       "kernel packages know nothing of settings",
	},
	{
		packages:  []string{"settings", "units", "network", "dhcp", "dns", "image", "siphash", "container", "machined"},
		except:    []string{"container/seccomp/internal"}, // a generator, a program
		forbidden: []string{"log", "log/slog"},
		why:       "only programs log",
	},
	{
		packages:  []string{"settings", "units", "image", "siphash", "container", "machined"},
		forbidden: []string{"regexp", "net/http", "crypto/tls"},
		why:       "nspawn-exec and nspawn-generator start in milliseconds",
	},
	{
		packages:  []string{"settings"},
		forbidden: []string{"nspawnkit/container/kernel", "nspawnkit/network", "nspawnkit/units"},
		why:       "everything depends on settings",
	},
}

// TestPackageWork keeps everything that is done before main out of our packages that the fast programs link: init functions
// and package variables that are computed by a call.
func TestPackageWork(t *testing.T) {
	for _, directory := range linkedFolders(t, "nspawn-exec", "nspawn-generator") {
		files, err := filepath.Glob(filepath.Join("../..", directory, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", directory, len(files), err)
		}
		for _, path := range files {
			if !strings.HasSuffix(path, "_test.go") {
				checkPackageWork(t, path, directory == "cmd/nspawn-exec")
			}
		}
	}
}

// linkedFolders returns the folders of our packages that are part of the programs.
func linkedFolders(t *testing.T, programs ...string) []string {
	t.Helper()
	arguments := []string{"list", "-deps"}
	for _, program := range programs {
		arguments = append(arguments, "nspawnkit/cmd/"+program)
	}
	output, err := exec.Command("go", arguments...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, path := range strings.Fields(string(output)) {
		if folder, ours := strings.CutPrefix(path, "nspawnkit/"); ours {
			folders = append(folders, folder)
		}
	}
	return folders
}

// cheap are calls in package variables that only allocate a few words.
var cheap = []string{"errors.New"}

func checkPackageWork(t *testing.T, path string, mayLockThread bool) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" && !(mayLockThread && onlyLocksThread(d)) {
				t.Errorf("%s: init function", set.Position(d.Pos()))
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				ast.Inspect(d, func(node ast.Node) bool { return checkCall(t, set, node) })
			}
		}
	}
}

func onlyLocksThread(init *ast.FuncDecl) bool {
	if len(init.Body.List) != 1 {
		return false
	}
	statement, ok := init.Body.List[0].(*ast.ExprStmt)
	return ok && callee(statement.X) == "runtime.LockOSThread"
}

func callee(expression ast.Expr) string {
	call, ok := expression.(*ast.CallExpr)
	if !ok {
		return ""
	}
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		if from, ok := f.X.(*ast.Ident); ok {
			return from.Name + "." + f.Sel.Name
		}
	case *ast.Ident:
		return f.Name
	}
	return "a function"
}

// checkCall reports a call in a package variable. Function literals run later, and conversions to a type in parentheses or of
// slices are no calls.
func checkCall(t *testing.T, set *token.FileSet, node ast.Node) bool {
	if _, later := node.(*ast.FuncLit); later {
		return false
	}
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return true
	}
	switch call.Fun.(type) {
	case *ast.ArrayType, *ast.ParenExpr:
		return true
	}
	if name := callee(call); !slices.Contains(cheap, name) {
		t.Errorf("%s: %s() is called before main", set.Position(call.Pos()), name)
	}
	return true
}

func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		return checkFile(t, path)
	})
	if err != nil || files < 100 {
		t.Errorf("%d files, %v", files, err)
	}
}

// checkFile applies the rules to the imports of one file. (It reads the file itself, so that the cache of test results knows.)
func checkFile(t *testing.T, path string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	name := "nspawnkit/" + filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), "../../"))
	for _, rule := range rules {
		if !below(name, rule.packages) || below(name, rule.except) {
			continue
		}
		for _, spec := range parsed.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			if slices.ContainsFunc(rule.forbidden, func(f string) bool { return imported == f || strings.HasPrefix(imported, f+"/") }) {
				t.Errorf("%s imports %s: %s", path, imported, rule.why)
			}
		}
	}
	return nil
}

// below reports whether a package is one of the folders or in one of them.
func below(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return name == "nspawnkit/"+folder || strings.HasPrefix(name, "nspawnkit/"+folder+"/")
	})
}

// TestLinked checks what the programs that must start fast contain in the end.
func TestLinked(t *testing.T) {
	for program, forbidden := range map[string][]string{
		"nspawn-exec":      {"net/http", "crypto/tls", "regexp", "github.com/google/nftables", "github.com/insomniacslk/dhcp/dhcpv4"},
		"nspawn-generator": {"net", "net/http", "crypto/tls", "regexp", "golang.org/x/sys/unix", "github.com/google/nftables", "github.com/vishvananda/netlink", "github.com/godbus/dbus/v5"},
	} {
		output, err := exec.Command("go", "list", "-deps", "nspawnkit/cmd/"+program).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range strings.Fields(string(output)) {
			if slices.Contains(forbidden, path) {
				t.Errorf("%s links %s", program, path)
			}
		}
	}
}
