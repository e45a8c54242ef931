package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every patch still applies to the tree, names a test that is there, and has its line in docs/security.md.
func TestPatchesApply(t *testing.T) {
	protections, err := readProtections("patches", "*")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range protections {
		if err := sh("../..", `git apply --check "$0"`, p.patch); err != nil {
			t.Error(err)
		}
		name, _, _ := strings.Cut(p.tests, "/")
		if err := sh(filepath.Join("../..", p.folder), `grep -q "^func $0(" *_test.go`, name); err != nil {
			t.Errorf("%s: there is no %s in %s", p.patch, name, p.folder)
		}
		line := "| `" + name + "` | `" + filepath.Base(p.patch) + "` |"
		if !strings.Contains(string(table), "| "+p.row+" | ") || !strings.Contains(string(table), line) {
			t.Errorf("docs/security.md has no line of %s that ends in %s", p.row, line)
		}
	}
	if rows := strings.Count(string(table), ".patch` |\n"); rows != len(protections) {
		t.Errorf("docs/security.md has %d lines for %d patches", rows, len(protections))
	}
}
