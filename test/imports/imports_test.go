// Package imports holds the test that keeps the folders to their jobs: pure packages decide, only kernel packages act.
package imports

import (
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
		packages: []string{"settings", "units", "network", "dhcp", "image", "siphash", "container", "machined"},
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
		packages:  []string{"settings", "units", "network", "dhcp", "image", "siphash", "container", "machined"},
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
		"nspawn-exec":      {"net/http", "crypto/tls", "github.com/google/nftables", "github.com/insomniacslk/dhcp/dhcpv4"},
		"nspawn-generator": {"net/http", "crypto/tls", "github.com/vishvananda/netlink", "github.com/godbus/dbus/v5"},
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
