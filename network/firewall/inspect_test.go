package firewall

import (
	"os"
	"strings"
	"testing"
)

// What nft(8) says of the ruleset testdata/inspect.nft, and what is found there.
func TestInspect(t *testing.T) {
	data, err := os.ReadFile("testdata/inspect.json")
	if err != nil {
		t.Fatal(err)
	}
	findings, err := Inspect(data, func(family, table string) bool { return table == "skipped" })
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile("testdata/inspect.golden", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile("testdata/inspect.golden"); err != nil || got != string(want) {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, got, want)
	}
}

func FuzzInspect(f *testing.F) {
	data, err := os.ReadFile("testdata/inspect.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"nftables":[{"chain":{"family":"ip","table":"a","name":"b","type":"filter","hook":"forward","policy":"drop"}},
		{"rule":{"family":"ip","table":"a","chain":"b","expr":[{"jump":{"target":"b"}},{"match":{"left":{"meta":[]},"right":{}}}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) { Inspect(data, func(string, string) bool { return false }) })
}
