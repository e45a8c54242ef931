package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// document is what is used of a CycloneDX document; its fields are those of the JSON schema.
type document struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Reference  string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []licence  `json:"licenses,omitempty"`
	Package    string     `json:"purl,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	License struct {
		ID string `json:"id"` // of SPDX
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Reference string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// describe returns the document of programs that are part of one product. An error names the program that cannot be read,
// or is none of Go's.
func describe(version string, programs []string) (document, error) {
	product := ours("nspawnkit", version)
	whole := dependency{Reference: product.Reference}
	d := document{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{Component: product}}
	var libraries []component
	for _, path := range programs {
		program, contents, err := read(version, path)
		if err != nil {
			return document{}, err
		}
		d.Components = append(d.Components, program)
		libraries = append(libraries, contents...)
		whole.DependsOn = append(whole.DependsOn, program.Reference)
		needs := dependency{Reference: program.Reference}
		for _, library := range contents {
			needs.DependsOn = append(needs.DependsOn, library.Reference)
		}
		d.Dependencies = append(d.Dependencies, needs)
	}
	byReference := func(a, b component) int { return cmp.Compare(a.Reference, b.Reference) }
	slices.SortFunc(libraries, byReference)
	libraries = slices.CompactFunc(libraries, func(a, b component) bool { return a.Reference == b.Reference })
	d.Components = append(d.Components, libraries...)
	d.Dependencies = append(d.Dependencies, whole)
	return d, nil
}

// read returns a program and what it contains.
func read(version, path string) (component, []component, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return component{}, nil, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return component{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	program := ours(filepath.Base(path), version)
	program.Hashes = []hash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(data))}}
	for _, setting := range info.Settings {
		if setting.Key == "GOARCH" {
			program.Reference += "-" + setting.Value
			program.Properties = []property{{"nspawnkit:architecture", setting.Value}}
		}
	}
	contents := []component{library("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		contents = append(contents, library(module.Path, module.Version))
	}
	return program, contents, nil
}

// ours is a part of the product, or all of it.
func ours(name, version string) component {
	c := component{Type: "application", Reference: name + "@" + version, Name: name, Version: version, Licenses: make([]licence, 1)}
	c.Licenses[0].License.ID = "Apache-2.0"
	return c
}

// library is a module of Go, with its package URL (ECMA-427).
func library(path, version string) component {
	url := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return component{Type: "library", Reference: url, Name: path, Version: version, Package: url}
}
