package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The program of this very test is one that Go has built, without modules of others or with them.
func TestDescribe(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d, err := describe("1.2.3", []string{self})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{d.Metadata.Component.Reference: true}
	for _, c := range d.Components {
		if known[c.Reference] || c.Type == "" || c.Name == "" {
			t.Errorf("%+v: incomplete, or there twice", c)
		}
		known[c.Reference] = true
		if c.Type == "library" && (strings.Contains(c.Package, "@go") || !strings.HasPrefix(c.Package, "pkg:golang/")) {
			t.Errorf("package URL %s", c.Package)
		}
	}
	if len(d.Components) < 2 || len(d.Components[0].Hashes[0].Content) != 64 {
		t.Errorf("components: %+v", d.Components)
	}
	for _, needs := range d.Dependencies {
		for _, reference := range append(needs.DependsOn, needs.Reference) {
			if !known[reference] {
				t.Errorf("%s is no component", reference)
			}
		}
	}
}

func TestDescribeRefuses(t *testing.T) {
	none := t.TempDir() + "/none"
	script := t.TempDir() + "/script"
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{none, script} {
		if _, err := describe("1", []string{path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What CycloneDX 1.6 requires is there, under its names.
func TestDocument(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d, err := describe("1", []string{self})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"bomFormat":"CycloneDX"`, `"specVersion":"1.6"`, `"bom-ref":"nspawnkit@1"`, `"licenses":[{"license":{"id":"Apache-2.0"}}]`,
		`"hashes":[{"alg":"SHA-256","content":"`, `"dependencies":[{"ref":"`, `"dependsOn":["pkg:golang/std@1.`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
}
