// Package docs holds documentation. Its test keeps it and the tree together.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every direct dependency has its line.
func TestDependencies(t *testing.T) {
	table, _, _ := strings.Cut(read(t, "dependencies.md"), "\nNot used")
	direct := regexp.MustCompile(`(?m)^(?:require|\t)\s*(\S+\.\S+/\S+) v\S+$`).FindAllStringSubmatch(read(t, "../go.mod"), -1)
	if len(direct) == 0 {
		t.Fatal("no modules found in go.mod")
	}
	for _, module := range direct {
		if !strings.Contains(table, "| "+module[1]+" |") {
			t.Errorf("dependencies.md has no line for %s", module[1])
		}
	}
}

// Every tool has its line.
func TestTools(t *testing.T) {
	table := read(t, "dependencies.md")
	tools := regexp.MustCompile(`(?m)^(?:tool |\t)(\S+\.\S+/\S+)$`).FindAllStringSubmatch(read(t, "../test/tools/go.mod"), -1)
	if len(tools) == 0 {
		t.Fatal("no tools found in test/tools/go.mod")
	}
	for _, tool := range tools {
		if !strings.Contains(table, "| "+tool[1]+" |") {
			t.Errorf("dependencies.md has no line for %s", tool[1])
		}
	}
}

// Links within the tree lead somewhere.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// The map of folders in the README names those that are there.
func TestFolders(t *testing.T) {
	_, folders, _ := strings.Cut(read(t, "../README.md"), "## The map")
	folders, _, _ = strings.Cut(folders, "\n## ")
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		sources, _ := filepath.Glob(filepath.Join("..", entry.Name(), "*.go"))
		if len(sources) > 0 && !strings.Contains(folders, "`"+entry.Name()+"/`") {
			t.Errorf("README.md does not name %s/", entry.Name())
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(folders, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if _, err := os.Stat("../" + name[1]); err != nil {
				t.Errorf("README.md names %s: %v", name[1], err)
			}
		}
	}
}
