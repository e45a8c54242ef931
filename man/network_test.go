package man

import (
	"os"
	"slices"
	"strings"
	"testing"

	"nspawnkit/network"
)

const (
	daemonPage         = "networkd-lite.8"
	supportedHeading   = "## Keys that are supported"
	unsupportedHeading = "## Keys that are not supported"
)

// TestNetworkKeys keeps the keys of .network files that the manual page lists and those of the tables together.
func TestNetworkKeys(t *testing.T) {
	text := page(t, daemonPage)
	list := section(t, text, supportedHeading)
	intro, _, _ := strings.Cut(list, "\n*[")
	if want := strings.TrimRight(intro, "\n") + "\n" + networkKeys(); list != want && *update {
		if err := os.WriteFile(daemonPage+".scd", []byte(strings.Replace(text, list, want, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if list != want {
		t.Errorf("%s differs from the tables of keys (go test ./man -update writes it)", daemonPage)
	}

	others := words(section(t, text, unsupportedHeading))
	for _, key := range network.UnsupportedKeys() {
		if !slices.ContainsFunc(others, func(word string) bool { return strings.HasPrefix(word, key.Name+"=") }) {
			t.Errorf("%q does not name %s= of [%s]", unsupportedHeading, key.Name, key.Section)
		}
	}
	for _, name := range network.UnsupportedSections() {
		if !slices.Contains(others, "["+name+"]") && !slices.Contains(others, "\\["+name+"]") {
			t.Errorf("%q does not name [%s]", unsupportedHeading, name)
		}
	}
}

// networkKeys returns an entry for each section.
func networkKeys() string {
	var sections []string
	keys := make(map[string][]string)
	for _, key := range network.Keys() {
		if keys[key.Section] == nil {
			sections = append(sections, key.Section)
		}
		keys[key.Section] = append(keys[key.Section], key.Name+"=")
	}
	var b strings.Builder
	for _, name := range sections {
		slices.Sort(keys[name])
		b.WriteString("\n*[" + name + "]*\n")
		line := "\t"
		for i, key := range slices.Compact(keys[name]) {
			if i > 0 {
				line += ","
			}
			if len(line)+1+len(key) > 116 { // a tab has four columns
				b.WriteString(line + "\n")
				line = "\t"
			}
			if line != "\t" {
				line += " "
			}
			line += key
		}
		b.WriteString(line + "\n")
	}
	return b.String() + "\n"
}

// TestDaemonOptions finds an entry for each key of networkd-lite.conf.
func TestDaemonOptions(t *testing.T) {
	text := page(t, "networkd-lite.conf.5")
	for _, key := range network.OptionKeys() {
		if !strings.Contains(section(t, text, "# ["+strings.ToUpper(key.Section)+"] SECTION OPTIONS"), "\n*"+key.Name+"=*_") {
			t.Errorf("%s= of [%s] is missing", key.Name, key.Section)
		}
	}
}
