package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	docsFile  = "../docs/settings.md"
	tableFrom = "<!-- table of keys: go test ./settings -update writes it -->\n"
	tableTo   = "<!-- end of table -->\n"
)

// TestDocumentation compares the table of docs/settings.md with the table of keys.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), tableFrom)
	_, after, foundEnd := strings.Cut(rest, tableTo)
	if !found || !foundEnd {
		t.Fatalf("%s has no table", docsFile)
	}
	want := before + tableFrom + keyTable() + tableTo + after
	if *update {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s is not up to date (go test -update writes it)", docsFile)
	}
}

// keyTable returns the table of keys as Markdown.
func keyTable() string {
	var b strings.Builder
	b.WriteString("| Section | Key | Option | Value | Default | Since | Untrusted file | Bad value | Change | Supported |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, k := range Keys() {
		option, since := "", "ours"
		if k.Option != "" {
			option = "`--" + k.Option + "`"
		}
		if k.Short != 0 {
			option += fmt.Sprintf(", `-%c`", k.Short)
		}
		if k.Since > 0 {
			since = fmt.Sprint(k.Since)
		}
		word := func(b bool, yes, no string) string {
			if b {
				return yes
			}
			return no
		}
		fmt.Fprintf(&b, "| [%s] | `%s=` | %s | %s | %s | %s | %s | %s | %s | %s |\n", k.Section, k.Name, option, strings.ReplaceAll(k.Type, "|", `\|`), k.Default, since,
			word(k.Privileged, "ignored", "yes"), word(k.Strict, "refused", "warning"), word(k.Live, "live", "restart"), word(k.Supported(), "yes", "not yet"))
	}
	return b.String()
}
