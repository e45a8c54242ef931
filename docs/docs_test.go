// Package docs holds documentation. Its test keeps it and the tree together.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// pages returns all pages: those here, and those at the top of the tree.
func pages(t *testing.T) []string {
	t.Helper()
	here, _ := filepath.Glob("*.md")
	top, _ := filepath.Glob("../*.md")
	if len(here) == 0 || len(top) == 0 {
		t.Fatal("no pages found")
	}
	return append(here, top...)
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

// Links within the tree lead somewhere, also those to a heading.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]*)(#[^)]+)?\)`).FindAllStringSubmatch(read(t, page), -1) {
			target := page
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(page), link[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if link[2] != "" && !slices.Contains(anchors(read(t, target)), link[2]) {
				t.Errorf("%s: %s has no heading for %s", page, target, link[2])
			}
		}
	}
}

// anchors returns what links to the headings of a page look like.
func anchors(text string) []string {
	var list []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		words := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		list = append(list, "#"+strings.ReplaceAll(words, " ", "-"))
	}
	return list
}

// The index has every page.
func TestIndex(t *testing.T) {
	index := read(t, "README.md")
	for _, page := range pages(t) {
		if !strings.Contains(page, "README.md") && !strings.Contains(index, "]("+page+")") {
			t.Errorf("README.md has no link to %s", page)
		}
	}
}

// The map of folders names those that are there.
func TestFolders(t *testing.T) {
	_, folders, _ := strings.Cut(read(t, "../CONTRIBUTING.md"), "## The map")
	folders, _, _ = strings.Cut(folders, "\n## ")
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		sources, _ := filepath.Glob(filepath.Join("..", entry.Name(), "*.go"))
		if len(sources) > 0 && !strings.Contains(folders, "`"+entry.Name()+"/`") {
			t.Errorf("CONTRIBUTING.md does not name %s/", entry.Name())
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(folders, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if _, err := os.Stat("../" + name[1]); err != nil {
				t.Errorf("CONTRIBUTING.md names %s: %v", name[1], err)
			}
		}
	}
}

// make help lists everything that make makes, and no file is mistaken for it.
func TestHelp(t *testing.T) {
	makefile := read(t, "../Makefile")
	_, phony, _ := strings.Cut(makefile, "\n.PHONY: ")
	var targets []string
	for _, rule := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(makefile, -1) {
		targets = append(targets, rule[1])
	}
	if len(targets) < 15 {
		t.Fatalf("only found %q", targets)
	}
	for _, target := range targets {
		if !regexp.MustCompile(`(?m)^` + target + `:.* ## \S`).MatchString(makefile) {
			t.Errorf("make help does not list %s", target)
		}
		if !slices.Contains(strings.Fields(phony), target) {
			t.Errorf("Makefile: %s is not phony", target)
		}
	}
}
